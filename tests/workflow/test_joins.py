"""Joins and pacing: what users see, what is refused, and the bounds."""

# ruff: noqa: ARG002 a step has these arguments, whether it uses them or not

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from runstore.errors import InvalidRequestError, InvalidValueError, ValueTooLargeError
from runstore.testing import run_workflow
from runstore.workflow import (
    HookApi,
    InvalidActionError,
    InvalidDelayError,
    SchedulingError,
    StepApi,
    Workflow,
    step,
)
from tests.workflow.driver import BEGAN, Machine

if TYPE_CHECKING:
    from tests.workflow.stepfunctions.execution import Execution

MAX_EVENTS, MAX_BYTES = 12_000, 200_000


class Nested(Workflow):
    """Fans out in as many levels as there are widths, and joins each fan-out."""

    def start(self, data: Any, headers: Any, api: StepApi) -> None:
        """Begin."""
        self.spread(data, headers, api)

    def spread(self, data: Any, headers: Any, api: StepApi) -> None:
        """Schedule a level and its join."""
        width, *deeper = data["widths"]
        action = "spread" if deeper else "leaf"
        api.schedule_steps(action, [{**data, "widths": deeper}] * width, delay=data.get("delay", 0))
        api.join("close", {"level": len(data["widths"]), "again": data.get("again", 0)})

    def leaf(self, data: Any, headers: Any, api: StepApi) -> None:
        """Do nothing, at no cost."""

    def close(self, data: Any, headers: Any, api: StepApi) -> None:
        """Count the joins of a level, and join again if told to."""
        api.run_store.increment(f"closed {data['level']}")
        if data["again"]:
            api.schedule_next_step(0, "leaf", {})
            api.join("close", {**data, "again": data["again"] - 1})

    def on_workflow_complete(self, api: HookApi) -> Any:
        """Return the counts."""
        return api.run_store.snapshot()


def run(machine: Machine, **data: Any) -> Execution:
    """Run to the end, within the bounds."""
    execution = machine.run(data)
    assert execution.status == "SUCCEEDED", execution.cause
    assert max(one.history for one in machine.service.executions) <= MAX_EVENTS
    assert max(one.largest_state for one in machine.service.executions) <= MAX_BYTES
    return execution


@pytest.mark.parametrize("width", [0, 1, 2, 40, 41, 130])
def test_a_join_runs_once_whatever_it_joins(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """None, one, some, or a tree of branches: the join runs once, after the last."""
    machine = Machine(Nested, monkeypatch)
    order: list[str] = []
    machine.inject = lambda event: (
        order.append(event["state"]["next"]["step"]["action"]) if event["do"] == "step" else None
    )
    assert run(machine, widths=[width]).output == {"closed 1": 1}
    assert order == ["start", *["leaf"] * width, "close"]


@pytest.mark.parametrize("width", [0, 1, 2])
def test_large_payloads_of_branches_and_joins_arrive(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Payloads that have records of their own, whichever ids their steps get."""

    class Large(Workflow):
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            api.schedule_steps("measure", ["x" * 600] * width)
            api.join("measure", "x" * 700)

        def measure(self, data: Any, headers: Any, api: StepApi) -> None:
            api.run_store.push("sizes", len(data))

        def on_workflow_complete(self, api: HookApi) -> Any:
            return api.run_store.get("sizes")

    assert Machine(Large, monkeypatch).run().output == [600] * width + [700]


def test_joins_nest_three_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each join waits for the joins of its branches."""
    execution = run(Machine(Nested, monkeypatch), widths=[3, 2, 4])
    assert execution.output == {"closed 1": 6, "closed 2": 3, "closed 3": 1}


def test_a_join_can_join_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of joins one after the other go on in further executions before a history is full."""
    machine = Machine(Nested, monkeypatch)
    assert run(machine, widths=[1], again=700).output == {"closed 1": 701}
    assert any(
        one.input.get("child", "").partition(".")[2].startswith('{"chain"') for one in machine.service.executions
    )


@pytest.mark.prove
@pytest.mark.parametrize("widths", [[10_000], [100, 100], [20, 20, 25]])
def test_ten_thousand_branches_under_joins_keep_the_bounds(widths: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Flat or nested: at most 4.5 transitions a branch when it is flat, and all bounds hold."""
    machine = Machine(Nested, monkeypatch)
    run(machine, widths=widths, delay=10)
    if len(widths) == 1:
        assert machine.service.transitions / widths[0] <= 4.5


def test_a_delay_of_a_join_counts_from_the_end_of_the_last_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not from the call, and not from the first end."""

    class Slow(Workflow):
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            api.join("close", delay="1 min")
            api.schedule_next_step(0, "leaf")
            api.schedule_next_step("1 hour", "leaf")

        def leaf(self, data: Any, headers: Any, api: StepApi) -> None: ...

        def close(self, data: Any, headers: Any, api: StepApi) -> None: ...

    machine = Machine(Slow, monkeypatch)
    machine.run()
    assert 3_660 <= machine.loop.now - BEGAN < 3_664
    assert run_workflow(Slow).seconds == 3_660


def test_a_join_counts_only_from_the_attempt_that_succeeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A join and branches of failed attempts never run."""

    class Changing(Workflow):
        @step(attempts=3, backoff=1)
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            api.schedule_next_step(0, "leaf", api.attempt)
            api.join("close", api.attempt)
            if api.attempt < 3:
                raise LookupError

        def leaf(self, data: Any, headers: Any, api: StepApi) -> None:
            api.run_store.push("ran", f"leaf {data}")

        def close(self, data: Any, headers: Any, api: StepApi) -> None:
            api.run_store.push("ran", f"close {data}")

        def on_workflow_complete(self, api: HookApi) -> Any:
            return api.run_store.get("ran")

    assert Machine(Changing, monkeypatch).run().output == ["leaf 3", "close 3"]


def test_a_branch_that_fails_for_good_fails_the_run_and_the_join_never_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `on_failure` a failed branch is the run's failure."""

    class Failing(Workflow):
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            api.schedule_steps("leaf", range(3))
            api.join("close")

        @step(attempts=1)
        def leaf(self, data: Any, headers: Any, api: StepApi) -> None:
            if data == 1:
                raise LookupError("broken")

        def close(self, data: Any, headers: Any, api: StepApi) -> None:
            raise AssertionError

    execution = Machine(Failing, monkeypatch).run()
    assert (execution.status, execution.error) == ("FAILED", "LookupError")
    assert run_workflow(Failing).status == "FAILED"


def test_steps_are_paced(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many begin in each second, in the state machine and in the runner alike."""

    class Paced(Workflow):
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            api.schedule_steps("leaf", range(100), delay=10, per_second=data)

        def leaf(self, data: Any, headers: Any, api: StepApi) -> None: ...

    for pace, last in ((20, 14), (0.5, 208), (1_000, 10), (10**400, 10), (None, 10)):
        machine = Machine(Paced, monkeypatch)
        moments: list[int] = []
        machine.inject = lambda event, moments=moments, machine=machine: (  # type: ignore[misc]
            moments.append(int(machine.loop.now - BEGAN)) if event["do"] == "step" else None
        )
        machine.run(pace)
        moments = sorted(moments)[1:]
        assert len(moments) == 100
        assert last <= moments[-1] <= last + 2
        in_process = Counter(ran.at for ran in run_workflow(Paced, pace).steps if ran.action == "leaf")
        assert max(in_process) == last
        if pace == 20:
            assert in_process == dict.fromkeys(range(10, 15), 20)
            assert list(Counter(moments).values()) == [20] * 5


class Office(Workflow):
    """Steps with arguments from the test."""

    def start(self, data: Any, headers: Any, api: StepApi) -> None:
        """Call what the test wants."""
        getattr(api, data["call"])(**CALLS[data["call"]] | data["arguments"]())

    def leaf(self, data: Any, headers: Any, api: StepApi) -> None:
        """Do nothing."""


CALLS: dict[str, dict[str, Any]] = {"join": {"action": "leaf"}, "schedule_steps": {"action": "leaf", "payloads": [1]}}


@pytest.mark.parametrize(
    ("call", "arguments", "error", "says"),
    [
        ("join", {"action": "nothing"}, InvalidActionError, "action must be a step of"),
        ("join", {"action": None}, InvalidActionError, "got null"),
        ("join", {"delay": -1}, InvalidDelayError, "delay must be"),
        ("join", {"delay": 10**5_000}, InvalidDelayError, "delay must be .* got an int"),
        ("join", {"delay": "366 days"}, InvalidDelayError, "delay must be"),
        ("join", {"payload": {1}}, InvalidValueError, "payload"),
        ("join", {"payload": "x" * 65_536}, ValueTooLargeError, "payload"),
        ("schedule_steps", {"action": "start"}, InvalidActionError, "action must be a step of"),
        ("schedule_steps", {"payloads": "abc"}, InvalidRequestError, "payloads must be a list"),
        ("schedule_steps", {"payloads": {"a": 1}}, InvalidRequestError, "payloads must be a list"),
        ("schedule_steps", {"payloads": bytearray(b"abc")}, InvalidRequestError, "payloads must be a list"),
        ("schedule_steps", {"payloads": MappingProxyType({"a": 1})}, InvalidRequestError, "payloads must be a list"),
        ("schedule_steps", {"payloads": None}, InvalidRequestError, "payloads must be a list"),
        ("schedule_steps", {"payloads": 5}, InvalidRequestError, "payloads must be a list"),
        ("schedule_steps", {"payloads": [1, {2}]}, InvalidValueError, r"payloads\[1\]"),
        ("schedule_steps", {"payloads": range(10_001)}, SchedulingError, "at most 10,000"),
        ("schedule_steps", {"per_second": 0}, InvalidDelayError, "per_second must be"),
        ("schedule_steps", {"per_second": True}, InvalidDelayError, "per_second must be"),
        ("schedule_steps", {"per_second": float("inf")}, InvalidDelayError, "per_second must be"),
        ("schedule_steps", {"per_second": float("nan")}, InvalidDelayError, "per_second must be"),
        ("schedule_steps", {"per_second": -(10**5_000)}, InvalidDelayError, "per_second must be .* got an int"),
        ("schedule_steps", {"per_second": "5"}, InvalidDelayError, "per_second must be"),
        ("schedule_steps", {"payloads": [1] * 100, "per_second": 1e-6}, InvalidDelayError, "days left"),
        ("schedule_steps", {"delay": "soon"}, InvalidDelayError, "delay must be"),
    ],
)
def test_what_is_wrong_is_refused_at_the_call(
    call: str, arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    """The step fails at once, for good, with the error of its kind."""

    class Wrong(Office):
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            with pytest.raises(error, match=says):
                getattr(api, call)(**CALLS[call] | arguments)
            assert api._schedule.steps == []  # noqa: SLF001 nothing is half done
            assert api._schedule.joined is None  # noqa: SLF001

    result = run_workflow(Wrong)
    assert result.status == "SUCCEEDED", result.error


def test_a_second_join_is_refused() -> None:
    """A step joins once."""

    class Twice(Office):
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            api.join("leaf")
            api.join("leaf")

    error = run_workflow(Twice).error
    assert error is not None
    assert (error.name, error.attempts) == ("SchedulingError", 1)
