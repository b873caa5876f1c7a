"""Random runs with joins, waits and handled failures: stopped, redriven, repeated, their answers lost."""

from __future__ import annotations

import json
import logging
import random
from typing import TYPE_CHECKING, Any

import pytest

from runstore import clock
from runstore.testing import run_workflow
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


class DisturbedRun:
    """One disturbed run."""

    def __init__(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rng = random.Random(seed)
        self.data = random_tree(self.rng, 3)
        self.machine = Machine(RandomTree, monkeypatch)
        self.machine.inject = self.disturb
        self.disturbed: set[str] = set()
        self.sent: set[str] = set()

    def disturb(self, event: dict[str, Any]) -> str | None:
        """Repeat an earlier invocation now, or lose this one's answer; each step's once."""
        if self.rng.random() < 0.15:
            earlier = self.rng.choice(self.machine.invocations)
            if earlier["do"] in {"step", "begin"}:  # a straggler: what it answers goes nowhere
                self.machine.straggle(earlier)
        if event["do"] in {"complete", "failed"} or self.rng.random() < 0.8:
            return None
        name = json.dumps(event.get("state", {}).get("next", {}).get("step", {}).get("id", event["do"]))
        if name in self.disturbed:
            return None
        self.disturbed.add(name)
        lost = self.rng.choice(_LOST)
        return lost if event["do"] in {"step", "listen"} else "+Lambda.ServiceException"

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
    for seed in seeds:
        disturbed = DisturbedRun(seed, monkeypatch)
        expected = run_workflow(RandomTree, disturbed.data, events={"woken": EVENT})
        execution = disturbed.run()
        assert execution.status == "SUCCEEDED", (seed, execution.error, execution.cause)
        assert execution.output == expected.output, seed


@pytest.mark.parametrize("part", range(4))
def test_disturbed_runs_end_like_undisturbed_ones(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every join, event, handler, push and increment counts once, whatever happens on the way."""
    search(range(part * 6, part * 6 + 6), monkeypatch)


@pytest.mark.prove
def test_many_disturbed_runs_end_like_undisturbed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same at length."""
    search(range(1_000, 2_500), monkeypatch)
