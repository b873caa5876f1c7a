"""What an execution may not be started with, and what an earlier run of the same name has left."""

# ruff: noqa: ARG002 a step has these arguments, whether it uses them or not

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runstore import clock
from runstore.workflow import (
    HookApi,
    StepApi,
    Workflow,
    leftovers,
)
from runstore.workflow.stepstore import StepStore
from tests.workflow.driver import BEGAN, Machine
from tests.workflow.flaky import Flaky

if TYPE_CHECKING:
    import pytest

# ---------------------------------------------------------------------------------------------- other people's input


def test_an_input_cannot_name_another_run(machine: Machine) -> None:
    """Whoever controls an execution's whole input cannot have a step run in another run, with any proof or none."""
    victim = machine.service.start({"data": ["a", "b"]})
    machine.loop.run(until=BEGAN + 30)
    real = next(event for event in machine.invocations if event["do"] == "begin" and "child" in event["input"])["input"]
    step_ = {"id": "9", "action": "after", "at": "2027-01-01T00:00:00Z", "timeout": 900, "attempt": 1,
             "input": {"data": '{"name": "injected"}'}}  # fmt: skip
    chain = json.dumps({"chain": step_, "calls": 1})
    proof, _, text = real["child"].partition(".")
    attacker = machine.service.start({"data": []}, name="attacker")
    machine.loop.run(until=BEGAN + 31)
    forged = [
        real | {"child": chain},
        real | {"child": f".{chain}"},
        real | {"child": f"{proof}.{chain}"},
        real | {"child": f"{proof}.{text.replace('1', '2', 1)}"},
        real | {"child": {"chain": step_, "calls": 1}},
        real | {"child": None},
        real | {"run": real["run"] | {"id": attacker.arn}},
    ]
    for given in forged:
        execution = machine.service.start(given)
        machine.loop.run(until=machine.loop.now + 1)
        assert (execution.status, execution.error) in {("FAILED", "InvalidEventError"), ("FAILED", "RunEndedError")}
    machine.loop.run()
    assert (victim.status, victim.output["afters"]) == ("SUCCEEDED", 2)
    assert "after injected" not in Flaky.ran


def test_numbers_that_step_functions_rewrites_are_no_forgery(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes through a state and carries a proof, or is a payload, is text: 1.0 stays 1.0, and 2**70 whole."""

    class Exact(Workflow):
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            api.schedule_steps("look", [[1.0, 2**70, 1e-7]] * 2)

        def look(self, data: Any, headers: Any, api: StepApi) -> None:
            api.run_store.push("seen", repr(data))

        def on_workflow_complete(self, api: HookApi) -> Any:
            return api.run_store.get("seen")

    machine = Machine(Exact, monkeypatch)
    machine.inject = lambda event: event.update(_rewritten(event))
    assert machine.run().output == [repr([1.0, 2**70, 1e-7])] * 2


def _rewritten(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rewritten(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_rewritten(member) for member in value]
    return float(value) if type(value) is int and abs(value) > 2**53 else value


# ---------------------------------------------------------------------------------------------- names used again


def test_a_name_that_is_used_again_meets_nothing_of_the_old_run(machine: Machine) -> None:
    """The same ARN with another start: neither the old error nor old elements, receipts or outcomes."""
    Flaky.faults["a"] = 3
    given = {"data": ["a", "b"]}
    old = machine.service.run(given, name="again")
    assert old.status == "FAILED"
    left = machine.items(old)
    assert len(left) > 5
    machine.loop.now += 100 * 86_400
    Flaky.ran.clear()
    new = machine.service.run(given, name="again")
    assert (new.status, new.output) == ("SUCCEEDED", {"names": ["a", "b"], "works": 2, "afters": 2})
    assert machine.items(new) == []


def test_what_is_left_without_a_run_record_is_cleared_too(machine: Machine) -> None:
    """A completion that broke off left user keys: the new run begins without them."""
    old = machine.service.start({"data": []}, name="again")
    machine.loop.run(until=BEGAN + 0.01)
    store = StepStore(machine.store(old), "x")
    store.push("names", "old")
    machine.database.write((old.arn, "\x1drun"), None)
    old.stop()
    machine.loop.run()
    machine.loop.now += 100 * 86_400
    assert machine.service.run({"data": ["a"]}, name="again").output["names"] == ["a"]


def test_a_begin_that_comes_late_deletes_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Begin of the new run is repeated at any point of the run: what its steps have written stays."""
    monkeypatch.setattr(clock, "sleep", lambda _: None)
    Flaky.faults["a"] = 3
    machine.service.run({"data": ["a"]}, name="again")
    machine.loop.now += 100 * 86_400
    begins: list[dict[str, Any]] = []

    def inject(event: dict[str, Any]) -> None:
        if event["do"] == "begin" and not begins:
            begins.append(json.loads(json.dumps(event)))
        elif begins and event["do"] in {"step", "hook"}:
            machine.answer_to(begins[0])

    machine.inject = inject
    assert machine.service.run({"data": ["a", "b"]}, name="again").output["works"] == 2


def test_a_begin_that_was_overtaken_while_it_cleared_deletes_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another Begin has finished clearing, and a step has written: what the slow one lists then stays."""
    Flaky.faults["a"] = 3
    old = machine.service.run({"data": ["a"]}, name="again")
    machine.loop.now += 100 * 86_400
    begin = next(event for event in machine.invocations if event["do"] == "begin")
    begin = {**begin, "started": "2030-01-01T00:00:00.000Z"}
    overtaken: list[bool] = []
    clear = leftovers._clear  # noqa: SLF001 the moment that is meant is inside of it

    def slowly(*arguments: Any) -> None:
        if not overtaken:
            overtaken.append(bool(arguments))
            machine.answer_to(begin)
            machine.store(old).push("names", "new")
        clear(*arguments)

    monkeypatch.setattr(leftovers, "_clear", slowly)
    machine.answer_to(begin)
    assert machine.state(old) == {"names": ["new"]}
