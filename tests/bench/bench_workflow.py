"""What the Workflow class costs: transitions, history, state and write units; and how fast the in-process runner is."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from runstore.testing import InMemoryRunStore, run_workflow
from runstore.workflow import StepApi, Workflow, metrics
from tests.bench.bench import Bench, Row, in_turns, milliseconds, ratio_of_medians
from tests.workflow.driver import Machine

TITLE = "workflows: the state machine in its interpreter (simulated time), write units on DynamoDB Local"
_BRANCHES, _LINKS, _METERED, _IN_PROCESS, _ROUNDS = 10_000, 5_000, 1_000, 1_000, 15
_MOST_EVENTS, _MOST_BYTES = 12_000, 200_000
_ORDER = Path(__file__).parents[2] / "infra" / "statemachines" / "order_fanout.asl.json"


class _Idle(Workflow):
    """Does nothing but to schedule: what remains is the machine's own cost."""

    def start(self, data: Any, _headers: Any, api: StepApi) -> None:
        for number in range(data["branches"]):
            api.schedule_next_step(data["delay"], "step", {**data, "number": number})

    def step(self, data: Any, _headers: Any, api: StepApi) -> None:
        if data["more"]:
            api.schedule_next_step(data["delay"], "step", {**data, "more": data["more"] - 1})


class _Joining(Workflow):
    """A fan-out and its join, which do nothing."""

    def start(self, data: Any, _headers: Any, api: StepApi) -> None:
        api.schedule_steps("step", [None] * data, delay=10)
        api.join("step")

    def step(self, _data: Any, _headers: Any, api: StepApi) -> None:
        """Do nothing."""


class _Waiting(Workflow):
    """Waits for events side by side, or one after the other."""

    tokens: ClassVar[list[str]] = []

    def start(self, data: Any, _headers: Any, api: StepApi) -> None:
        for _ in range(data["waits"]):
            self.tokens.append(api.wait_for_event("step", data))

    def step(self, data: Any, _headers: Any, api: StepApi) -> None:
        if data["payload"]["more"]:
            again = {**data["payload"], "more": data["payload"]["more"] - 1}
            self.tokens.append(api.wait_for_event("step", again))


class _Collecting(Workflow):
    """The document's fan-out."""

    def start(self, data: Any, _headers: Any, api: StepApi) -> None:
        for item in data:
            api.schedule_next_step(10, "process_item", {"item": item})

    def process_item(self, data: Any, _headers: Any, api: StepApi) -> None:
        api.run_store.push("results", {"id": data["item"]["id"], "status": "done"})
        api.run_store.increment("processedCount")


def measure(bench: Bench) -> Iterator[Row]:
    """Run many branches in process, then wide and long workflows through the interpreter."""
    yield from _in_process()  # first: what the others leave on the heap would count against it
    yield from _order_example()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "write", lambda *_: None)  # which would go between the rows
        leaves = _transitions(patch, branches=80) - _transitions(patch, branches=40)
        # From 40 to 80 branches the fan-out becomes a tree of two groups: what that adds is not the leaves'.
        yield Row.at_most("transitions of a leaf", _leaf_transitions(patch), 4)
        wide = _run(patch, branches=_BRANCHES)
        average = wide.service.transitions / _BRANCHES
        also = f"{len(wide.service.executions)} executions; the second 40 branches took {leaves}"
        yield Row.at_most(f"transitions a branch, {_BRANCHES:,} branches", average, 4.5, also=also)
        yield from _bounds(f"{_BRANCHES:,} branches", wide)
        joined = Machine(_Joining, patch)
        if joined.run(_BRANCHES).status != "SUCCEEDED":
            raise RuntimeError("the joined run failed")
        average = joined.service.transitions / _BRANCHES
        yield Row.at_most(f"transitions a branch under a join, {_BRANCHES:,} branches", average, 4.5)
        yield from _bounds(f"{_BRANCHES:,} branches under a join", joined)
        yield from _waits(bench, patch)
        for delay in (0, 5):
            what = f"a chain of {_LINKS:,} with delays of {delay} s"
            near, far = _run(patch, more=100, delay=delay), _run(patch, more=300, delay=delay)
            step = (far.service.transitions - near.service.transitions) / 200
            chain = _run(patch, more=_LINKS - 1, delay=delay)
            also = f"{chain.service.transitions / _LINKS:.3f} on average over all {_LINKS:,} with their executions"
            yield Row.at_most(f"transitions of each further step, {what}", step, 3, also=also)
            yield from _bounds(what, chain)
        yield from _write_units(bench, patch)


def _order_example() -> Iterator[Row]:
    """Walk a branch of the example, which has no choices."""
    states = json.loads(_ORDER.read_text("utf-8"))["States"]["LineItems"]["ItemProcessor"]
    path, name = [], states["StartAt"]
    while name:
        path.append(states["States"][name])
        name = path[-1].get("Next")
    entered = [state["Type"] for state in path if state["Type"] != "Wait"]
    yield Row.at_most("states of a branch of the order example, without its Wait", len(entered), 1)
    yield Row.at_most("invocations of a branch of the order example", entered.count("Task"), 1)


def _run(patch: pytest.MonkeyPatch, *, branches: int = 1, more: int = 0, delay: int = 10) -> Machine:
    machine = Machine(_Idle, patch)
    execution = machine.run({"branches": branches, "more": more, "delay": delay})
    if execution.status != "SUCCEEDED":
        raise RuntimeError(execution.cause)
    return machine


def _transitions(patch: pytest.MonkeyPatch, *, branches: int) -> int:
    return _run(patch, branches=branches).service.transitions


def _leaf_transitions(patch: pytest.MonkeyPatch) -> int:
    return _transitions(patch, branches=40) - _transitions(patch, branches=39)


def _bounds(what: str, machine: Machine) -> Iterator[Row]:
    executions = machine.service.executions
    history = max(execution.history for execution in executions)
    yield Row.at_most(f"history events of any execution, {what}", history, _MOST_EVENTS)
    largest = max(execution.largest_state for execution in executions)
    yield Row.at_most(f"bytes of any state, {what}", largest, _MOST_BYTES)


def _waits(bench: Bench, patch: pytest.MonkeyPatch) -> Iterator[Row]:
    chain = (_wait(patch, 1, 21).service.transitions - _wait(patch, 1, 1).service.transitions) / 20
    yield Row.at_most("transitions of each further wait for an event, its step included", chain, 4)
    fan = (_wait(patch, 40).service.transitions - _wait(patch, 30).service.transitions) / 10
    yield Row.at_most("transitions of each wait in a fan-out of waits, its step included", fan, 4)
    many = _wait(patch, 1_000)
    average = many.service.transitions / 1_000
    yield Row("transitions a wait, 1,000 waits at once", f"{average:.2f} (with all executions)")
    yield from _bounds("1,000 waits at once", many)
    client, meter = bench.metered_client()
    units: list[float] = []

    def look(event: dict[str, Any]) -> None:
        if event["do"] in {"step", "listen"}:
            units.append(meter.read().write_units)

    machine = Machine(_Waiting, patch, client=client, table_name=bench.table_name)
    machine.inject = look
    _send_all(machine, {"waits": 1, "more": 0})
    # From the begin of the step that asks, its outcome included, to that of the step that goes on with the event.
    also = "with a task token of 2,048 characters; of them 1 the outcome of the step that asks"
    yield Row.at_most("write units of a wait, from asking to resuming", units[-1] - units[0], 4, also=also)


def _wait(patch: pytest.MonkeyPatch, waits: int, more: int = 0) -> Machine:
    return _send_all(Machine(_Waiting, patch), {"waits": waits, "more": more})


def _send_all(machine: Machine, data: dict[str, int]) -> Machine:
    """Run to the end, sending each event as soon as its branch waits."""
    _Waiting.tokens.clear()
    execution = machine.service.start({"data": data})
    while execution.status == "RUNNING":
        machine.loop.run(until=machine.loop.now + 5)
        while _Waiting.tokens:
            machine.send(_Waiting.tokens.pop())
    if execution.status != "SUCCEEDED":
        raise RuntimeError(execution.cause)
    return machine


def _write_units(bench: Bench, patch: pytest.MonkeyPatch) -> Iterator[Row]:
    client, meter = bench.metered_client()
    machine = Machine(_Idle, patch, client=client, table_name=bench.table_name)
    deleted = []
    before = meter.read()

    def look(event: dict[str, Any]) -> None:
        if event["do"] == "complete":
            deleted.append(meter.read())

    machine.inject = look
    if machine.run({"branches": _METERED, "more": 0, "delay": 10}).status != "SUCCEEDED":
        raise RuntimeError("the metered run failed")
    steps = deleted[0] - before
    also = f"{steps.requests / _METERED:.2f} requests, {steps.read_units / _METERED:.2f} read units"
    yield Row.at_most(f"write units a step, {_METERED:,} branches", steps.write_units / _METERED, 2, also=also)
    completion = meter.read() - deleted[0]
    yield Row("write units of the completion, a step", f"{completion.write_units / _METERED:.2f}")


def _in_process() -> Iterator[Row]:
    items = [{"id": number} for number in range(_IN_PROCESS)]

    def directly() -> None:
        workflow, store = _Collecting(), InMemoryRunStore()
        api: Any = SimpleNamespace(run_store=store, schedule_next_step=lambda *_: None)
        workflow.start(items, {}, api)
        for item in items:
            workflow.process_item({"item": item}, {}, api)

    def in_runner() -> None:
        run_workflow(_Collecting, items)

    in_turns(2, in_runner, directly)
    mine, theirs = in_turns(_ROUNDS, in_runner, directly)
    also = f"{milliseconds(mine)} against {milliseconds(theirs)}"
    ratio = ratio_of_medians(mine, theirs)
    yield Row.at_most(f"run_workflow, {_IN_PROCESS:,} branches, to calling the methods", ratio, 3, also=also)
