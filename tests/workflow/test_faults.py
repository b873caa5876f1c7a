"""Every request of a run meets every fault, one at a time: the run ends as it would have without."""

from __future__ import annotations

import logging
import random
from collections import Counter
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pytest
from botocore.exceptions import ClientError
from typing_extensions import override

from runstore import clock
from runstore.testing import run_workflow
from tests.simulation.client import NetworkError
from tests.workflow.driver import Machine, OneAtATime
from tests.workflow.flaky import Flaky
from tests.workflow.random_trees import EVENT, RandomTree, random_tree, run_with_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Fault: TypeAlias = Literal["cut", "lost", "cut for good", "lost for good", "twice", "late"]
FAULTS: tuple[Fault, ...] = ("cut", "lost", "cut for good", "lost for good", "twice", "late")
LATE = 7  # requests: how much later a late one arrives


class Faulty(OneAtATime):
    """A network that does something to one request, counted from 1.

    Cut: it never arrives. Lost: its answer does not. For good: and the client does not try again. Twice: it arrives
    twice. Late: the client tries again, and the first one arrives some requests later.
    """

    number, fault, count, operation = 0, "cut", 0, ""
    late: tuple[int, str, Any] | None = None

    @override
    def deliver(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        self.count += 1
        if self.late and self.count >= self.late[0]:
            (_, *late), self.late = self.late, None
            with suppress(ClientError):  # nobody hears of it
                super().deliver(*late)
        if self.count != self.number:
            return super().deliver(operation, request)
        self.operation = operation
        if self.fault.startswith("cut"):
            raise NetworkError(sent=False, last="good" in self.fault)
        if self.fault == "late":
            self.late = (self.count + LATE, operation, request)
            raise NetworkError(sent=True, last=False)
        super().deliver(operation, request)
        if self.fault == "twice":
            return super().deliver(operation, request)
        raise NetworkError(sent=True, last="good" in self.fault)


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing waits, and nobody reads what is logged."""
    monkeypatch.setattr(clock, "sleep", lambda _: None)
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@cache
def expected_run() -> tuple[dict[str, Any], Any]:
    """Return a tree that has everything, and what comes of it."""
    for seed in range(1_000):
        data = random_tree(random.Random(seed), 2)
        hows = [child["how"] for child in data["children"]]
        if data["join"] and {"rescued", "event", "failure"} <= set(hows):
            return data, run_workflow(RandomTree, data, events={"woken": EVENT}).output
    raise AssertionError


def run(monkeypatch: pytest.MonkeyPatch, number: int, fault: Fault) -> tuple[Any, int]:
    """Run the workflow with a fault; return the execution, and how many requests it took."""
    machine = Machine(RandomTree, monkeypatch, network=Faulty)
    network: Any = machine.network
    network.number, network.fault = number, fault
    execution = run_with_events(machine, expected_run()[0], monkeypatch)
    return execution, network.count


def check(monkeypatch: pytest.MonkeyPatch, fault: Fault, first: int, step: int) -> None:
    """Have every request meet a fault, or one of `step`, from the `first` on."""
    execution, count = run(monkeypatch, 0, fault)
    assert execution.output == expected_run()[1]
    assert count > 100
    for number in range(first, count + 1, step):
        execution, _ = run(monkeypatch, number, fault)
        assert (execution.status, execution.output) == ("SUCCEEDED", expected_run()[1]), (number, execution.cause)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_request_changes_nothing(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens to a request: the same output, each step's effects once, and the hook has run."""
    check(monkeypatch, fault, 1 + FAULTS.index(fault), 60)


@pytest.mark.prove
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_any_request_changes_nothing(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for each of the requests."""
    check(monkeypatch, fault, 1, 1)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("hook", ["on_workflow_complete", "on_workflow_error"])
def test_a_hook_runs_once_whatever_happens_to_its_records(
    hook: str, fault: Fault, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request around a hook meets each fault: the hook runs once, and its output is the execution's."""
    number = 0
    while True:
        number += 1
        monkeypatch.setattr(Flaky, "ran", [])
        monkeypatch.setattr(Flaky, "faults", Counter(a=9 if hook == "on_workflow_error" else 0))
        machine = Machine(Flaky, monkeypatch, network=Faulty)
        network: Any = machine.network

        def begin(event: dict[str, Any], network: Any = network, number: int = number) -> None:
            task = "hook" if hook == "on_workflow_complete" else "failed"
            if event["do"] == task and not network.number:
                network.number, network.fault = network.count + number, fault

        machine.inject = begin
        execution = machine.run(["a"])
        ran = [entry.split()[0] for entry in Flaky.ran if entry.startswith(("complete", "error"))]
        assert len(ran) == 1, (number, ran)
        if hook == "on_workflow_error":
            assert execution.error == "ValueError"
        elif not (execution.output is None and "good" in fault and _reads(network)):  # the hook's own reading failed
            assert execution.output == {"names": ["a"], "works": 1, "afters": 1}, number
        if network.count < network.number:
            return


def _reads(network: Any) -> bool:
    return bool(network.operation in {"GetItem", "Query"})
