"""Random runs with joins, waits and handled failures: stopped, redriven, repeated, overlapping, their answers lost."""

from __future__ import annotations

import copy
import json
import logging
import random
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from runstore import clock
from runstore.testing import run_workflow
from runstore.workflow import StepApi, step
from tests.workflow.driver import BEGAN, Machine
from tests.workflow.random_trees import EVENT, RandomTree, random_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOST = ["+States.Timeout", "+Lambda.ServiceException", "+Lambda.Unknown", "Lambda.TooManyRequestsException"]


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing waits, and nobody reads what is logged."""
    monkeypatch.setattr(clock, "sleep", lambda _: None)
    monkeypatch.setattr(RandomTree, "tokens", [])
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Overlapping(RandomTree):
    """A tree whose attempts may run beside each other."""

    _run: ClassVar[DisturbedRun]

    @step(attempts=3, backoff=3)
    def node(self, data: Any, headers: Any, api: StepApi) -> None:
        """Let another attempt of this step begin and end first."""
        self._run.overlap(api.step_id)
        super().node(data, headers, api)


class DisturbedRun:
    """One disturbed run."""

    def __init__(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rng = random.Random(seed)
        self.data = random_tree(self.rng, 3)
        monkeypatch.setattr(Overlapping, "_run", self, raising=False)
        self.machine = Machine(Overlapping, monkeypatch)
        self.machine.inject = self.disturb
        self.disturbed: set[str] = set()
        self.sent: set[str] = set()
        self.depth = self.overlaps = self.twins = 0

    def disturb(self, event: dict[str, Any]) -> str | None:
        """Repeat an earlier invocation now, or lose this one's answer; each step's once."""
        if self.rng.random() < 0.15:
            earlier = self.rng.choice(self.machine.invocations)
            if earlier["do"] in {"step", "begin"}:  # a straggler: what it answers goes nowhere
                self.machine.straggle(earlier)
        if event["do"] == "begin" and event["input"].get("child") and self.twins < 4 and self.rng.random() < 0.2:
            self.twins += 1  # another execution of the same child, beside the one that its parent waits for
            self.machine.service.start(copy.deepcopy(event["input"]), name=f"runstore-child-twin-{self.twins}")
        if event["do"] in {"complete", "failed"} or self.rng.random() < 0.8:
            return None
        name = json.dumps(event.get("state", {}).get("next", {}).get("step", {}).get("id", event["do"]))
        if name in self.disturbed:
            return None
        self.disturbed.add(name)
        lost = self.rng.choice(_LOST)
        return lost if event["do"] in {"step", "listen"} else "+Lambda.ServiceException"

    def overlap(self, step_id: str) -> None:
        """Repeat the invocation of a step while it runs: that attempt is the first to end."""
        if self.depth == 2 or self.rng.random() >= 0.15:
            return
        invocations = [event for event in self.machine.invocations if event["do"] == "step"]
        mine = [event for event in invocations if event["state"]["next"]["step"]["id"] == step_id]
        self.depth += 1
        self.overlaps += 1
        self.machine.straggle(mine[-1])
        self.depth -= 1

    def run(self) -> Any:
        """Run to the end: stop and redrive now and then, and send events at some time after they are asked for."""
        machine = self.machine
        RandomTree.tokens.clear()
        execution = machine.service.start({"data": self.data})
        stops, moment = self.rng.randrange(3), BEGAN
        while execution.status == "RUNNING" and moment < BEGAN + 50_000:
            moment += self.rng.choice([0.1, 1, 5, 30])
            machine.loop.run(until=moment)
            for token in [token for token in RandomTree.tokens if token not in self.sent]:
                if self.rng.random() < 0.3:
                    machine.send(token, EVENT)
                    self.sent.add(token)
            if stops and execution.status == "RUNNING" and self.rng.random() < 0.1:
                stops -= 1
                execution.stop()
                if self.rng.random() < 0.5:
                    machine.retire(execution, "ABORTED")
                machine.loop.run(until=moment + self.rng.choice([0, 3, 200]))
                moment = machine.loop.now = max(machine.loop.now, moment)
                execution.redrive()
        machine.loop.run()
        return execution


def search(seeds: range, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare disturbed runs with undisturbed ones in process."""
    overlaps = twins = 0
    for seed in seeds:
        disturbed = DisturbedRun(seed, monkeypatch)
        expected = run_workflow(RandomTree, disturbed.data, events={"woken": EVENT})
        execution = disturbed.run()
        assert execution.status == "SUCCEEDED", (seed, execution.error, execution.cause)
        assert execution.output == expected.output, seed
        overlaps, twins = overlaps + disturbed.overlaps, twins + disturbed.twins
    assert overlaps
    assert twins


@pytest.mark.parametrize("part", range(4))
def test_disturbed_runs_end_like_undisturbed_ones(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every join, event, handler, push and increment counts once, whatever happens on the way."""
    search(range(part * 6, part * 6 + 6), monkeypatch)


@pytest.mark.prove
def test_many_disturbed_runs_end_like_undisturbed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same at length."""
    search(range(1_000, 2_500), monkeypatch)


def stopped(seed: int, moment: int, monkeypatch: pytest.MonkeyPatch, *, retired: bool) -> tuple[Any, int]:
    """Run a tree, stop it at one of the moments at which something happens, and redrive it; return how many there are.

    A stop between a function's end and its answer loses the answer.
    """
    machine, moments, sent = Machine(RandomTree, monkeypatch), 0, set[str]()
    monkeypatch.setattr(RandomTree, "tokens", [])
    execution = machine.service.start({"data": random_tree(random.Random(seed), 2)})
    while execution.status == "RUNNING":
        due = machine.loop.due
        if due is None or due > machine.loop.now + 60:
            for token in set(RandomTree.tokens) - sent:
                machine.send(token, EVENT)
                sent.add(token)
            due = machine.loop.due
        machine.loop.run(until=due or machine.loop.now)
        moments += 1
        if moments == moment and execution.status == "RUNNING":
            execution.stop()
            if retired:
                machine.retire(execution, "ABORTED")
                machine.loop.now += 200
            execution.redrive()
    machine.loop.run()
    return execution, moments


def stop_at_each_moment(seed: int, pace: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare stopped and redriven runs with undisturbed ones in process."""
    expected = run_workflow(RandomTree, random_tree(random.Random(seed), 2), events={"woken": EVENT})
    moments = stopped(seed, 0, monkeypatch, retired=False)[1]
    for moment in range(1, moments + 1, pace):
        for retired in (False, True):
            execution, _ = stopped(seed, moment, monkeypatch, retired=retired)
            assert execution.status == "SUCCEEDED", (seed, moment, retired, execution.error, execution.cause)
            assert execution.output == expected.output, (seed, moment, retired)


@pytest.mark.parametrize("seed", range(2))
def test_a_run_that_is_stopped_and_redriven_ends_as_it_would_have(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped at any of its moments, with the event of its end delivered before the redrive or never."""
    stop_at_each_moment(seed, 7, monkeypatch)


@pytest.mark.prove
def test_runs_can_be_stopped_at_each_of_their_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for each moment of many runs."""
    for seed in range(100, 115):
        stop_at_each_moment(seed, 1, monkeypatch)
