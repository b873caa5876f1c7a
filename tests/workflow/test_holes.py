"""Edges where user code and Step Functions meet the engine."""

# ruff: noqa: ARG002 a step has these arguments, whether it uses them or not

from __future__ import annotations

import json
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from functools import wraps
from typing import TYPE_CHECKING, Any

import pytest

from runstore.testing import InMemoryRunStore, run_workflow
from runstore.workflow import (
    HookApi,
    InvalidActionError,
    PermanentError,
    StepApi,
    Workflow,
    WorkflowDefinitionError,
    step,
)
from runstore.workflow.errors import HookRunningError
from runstore.workflow.stepstore import StepStore
from tests.workflow.driver import Machine
from tests.workflow.flaky import Flaky, action_of

if TYPE_CHECKING:
    from collections.abc import Callable

# ---------------------------------------------------------------------------------------------- hooks


def test_a_hook_that_is_still_running_keeps_the_state(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook task that is repeated while the first still runs waits for it: nothing is deleted under the hook."""
    seen: list[str] = []

    def slow(_self: object, api: HookApi) -> Any:
        event = next(event for event in machine.invocations if event["do"] == "hook")
        machine.answer_to(event, expect=HookRunningError)
        seen.append("told to wait")
        return api.run_store.get("works")

    monkeypatch.setattr(Flaky, "on_workflow_complete", slow)
    assert machine.run(["a"]).output == 1
    assert seen == ["told to wait"]


def test_a_hook_whose_first_invocation_was_killed_is_given_up(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When Lambda's time for the first invocation is over, the run completes without output."""

    def killed(_self: object, _api: HookApi) -> Any:
        raise KeyboardInterrupt  # no Exception: nothing is recorded

    monkeypatch.setattr(Flaky, "on_workflow_complete", killed)
    with pytest.raises(KeyboardInterrupt):
        machine.run(["a"])
    event = next(event for event in machine.invocations if event["do"] == "hook")
    machine.answer_to(event, expect=HookRunningError)
    machine.loop.now += 901
    assert machine.answer_to(event) == {"output": None}


# ---------------------------------------------------------------------------------------------- automatic tokens


def _twice(first: Callable[[StepStore], object], second: Callable[[StepStore], object]) -> Any:
    store = InMemoryRunStore()
    first(StepStore(store, "1"))
    second(StepStore(store, "1"))
    return store.get("list", []), store.get("n", 0)


def _each(store: StepStore, *items: Any) -> None:
    for item in items:
        store.push("list", item)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (lambda s: _each(s, "a", "b"), lambda s: _each(s, "b"), ["a", "b"]),
        (lambda s: _each(s, "a", "b"), lambda s: _each(s, "b", "a"), ["a", "b"]),
        (lambda s: _each(s, {"x": 1, "y": 2}), lambda s: _each(s, {"y": 2, "x": 1}), [{"x": 1, "y": 2}]),
        (lambda s: _each(s, defaultdict(int, x=1)), lambda s: _each(s, {"x": 1}), [{"x": 1}]),
        (lambda s: _each(s, (1, 2)), lambda s: _each(s, [1, 2]), [[1, 2]]),
        (lambda s: _each(s, "a", "a"), lambda s: _each(s, "a", "a", "a"), ["a", "a", "a"]),
        (lambda s: s.push_many("list", {"a", "b"}), lambda s: s.push_many("list", {"b", "a"}), ["a", "b"]),
    ],
    ids=["skips one", "another order", "members", "defaultdict", "tuple", "occurrences", "set"],
)  # fmt: skip
def test_an_attempt_that_differs_doubles_nothing(
    first: Callable[[StepStore], object], second: Callable[[StepStore], object], expected: Any
) -> None:
    """Another path, another order, an equal value of another type: what was pushed before counts once."""
    assert _twice(first, second)[0] == expected


def test_threads_of_a_step_count_each_of_their_calls() -> None:
    """Equal increments from many threads get different tokens, and a second attempt repeats them all."""
    store = InMemoryRunStore()
    for _ in range(2):
        mine = StepStore(store, "1")
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _, mine=mine: mine.increment("n"), range(200)))
    assert store.get("n") == 200


# ---------------------------------------------------------------------------------------------- outcomes


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_zombies_success_counts_when_the_last_attempt_fails(attempts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that was given up for lost ends well and is recorded: that the last one fails then fails nothing."""

    class Zombie(Workflow):
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            api.schedule_next_step(0, "work")

        @step(attempts=attempts)
        def work(self, _data: Any, _headers: Any, api: StepApi) -> None:
            if api.attempt == attempts and attempts > 1:
                machine.answer_to(first)  # the zombie ends now
                raise LookupError("too late")
            api.schedule_next_step(0, "after")

        def after(self, _data: Any, _headers: Any, api: StepApi) -> None:
            api.run_store.increment("afters")

        def on_workflow_complete(self, api: HookApi) -> Any:
            return api.run_store.get("afters")

    machine = Machine(Zombie, monkeypatch)
    first: dict[str, Any] = {}

    def inject(event: dict[str, Any]) -> str | None:
        if action_of(event) != "work":
            return None
        if not first:
            first.update(json.loads(json.dumps(event)))
        return (
            "States.Timeout"
            if attempts > 1 and event["state"]["next"]["step"]["attempt"] < attempts
            else ("+States.Timeout" if attempts == 1 else None)
        )

    machine.inject = inject
    execution = machine.run()
    assert (execution.status, execution.output) == ("SUCCEEDED", 1)


def test_a_final_failure_is_recorded_by_the_steps_own_invocation(machine: Machine) -> None:
    """No step begins between the end of the last attempt and the task that reports it."""
    Flaky.faults["a"] = 9
    late: list[Any] = []

    def inject(event: dict[str, Any]) -> None:
        if event["do"] == "failed" and not late:
            other = next(old for old in machine.invocations if action_of(old) == "work")
            other["state"]["next"]["step"] |= {"id": "new", "action": "after", "input": {"data": '{"name":"late"}'}}
            late.append(machine.answer_to(other))

    machine.inject = inject
    machine.run(["a"])
    assert late[0]["next"]["do"] == "fail"
    assert "after late" not in Flaky.ran


def test_delays_never_end_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Step Functions ignores the milliseconds of a timestamp; a delay lasts as long as was asked for all the same."""

    class Delayed(Workflow):
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            asked.append(machine.loop.now)
            api.schedule_next_step(1.2, "next")

        @step(attempts=2, backoff=1.5)
        def next(self, data: Any, headers: Any, api: StepApi) -> None:
            asked.append(machine.loop.now)
            if api.attempt == 1:
                raise LookupError

    asked: list[float] = []
    machine = Machine(Delayed, monkeypatch)
    machine.loop.now += 0.7
    machine.run()
    began, first, second = asked  # simulated seconds: a Wait may end up to a second late, never early
    assert 1.2 <= first - began < 2.3
    assert 1.5 <= second - first < 2.6


# ---------------------------------------------------------------------------------------------- what a step may be


def _hiding(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(self: Any, data: Any, headers: Any, api: Any) -> Any:
        return function(self, data, headers, api)

    return wrapper


def _wrapping(function: Callable[..., Any]) -> Callable[..., Any]:
    return wraps(function)(_hiding(function))


async def _asynchronous(_self: Any, _data: Any, _headers: Any, _api: Any) -> None: ...


def _generator(_self: Any, _data: Any, _headers: Any, _api: Any) -> Any:
    yield


async def _both(_self: Any, _data: Any, _headers: Any, _api: Any) -> Any:
    yield


@pytest.mark.parametrize("function", [_asynchronous, _generator, _both])
def test_a_step_that_would_never_run_is_no_success(function: Any) -> None:
    """Asynchronous and generator steps behind a decorator: refused if that is seen, else a failure when they run."""
    with pytest.raises(WorkflowDefinitionError, match="would never run"):
        type("Wrong", (Workflow,), {"start": _wrapping(function)})
    hidden = type("Hidden", (Workflow,), {"start": _hiding(function)})
    result = run_workflow(hidden)
    assert (result.status, result.steps[0].attempts) == ("FAILED", 1)
    assert result.error is not None
    assert result.error.name == "WorkflowDefinitionError"
    assert "start must run when it is called" in result.error.message


class Names(str, Enum):  # noqa: UP042 as people write it, and StrEnum formats as its text
    """Actions and keys as people write them."""

    SHIP = "ship"
    KEY = "results"


def test_an_enum_can_name_an_action(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members of an enumeration that are text name steps, handlers and keys like the text itself."""

    class Shop(Workflow):
        @step(attempts=1, on_failure=Names.SHIP)
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            if not data:
                raise PermanentError
            api.schedule_next_step(0, Names.SHIP)
            api.schedule_steps(Names.SHIP, [1])
            api.join(Names.SHIP)

        def ship(self, data: Any, headers: Any, api: StepApi) -> None:
            api.run_store.push(Names.KEY, 1)

        def on_workflow_complete(self, api: HookApi) -> Any:
            return api.run_store.get("results")

    assert Machine(Shop, monkeypatch).run(data=True).output == [1, 1, 1]
    assert run_workflow(Shop, data=True).output == [1, 1, 1]
    assert Machine(Shop, monkeypatch).run(data=False).output == [1]


def test_an_action_that_is_no_text_is_refused() -> None:
    """A member of an enumeration that is not text is refused at the call."""

    class Plain(Enum):
        SHIP = "ship"

    class Shop(Workflow):
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            api.schedule_next_step(0, Plain.SHIP)  # type: ignore[arg-type]

    error = run_workflow(Shop).error
    assert error is not None
    assert (error.name, error.attempts) == (InvalidActionError.__name__, 1)


def test_a_value_that_a_step_returns_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What a step returns is not used, and a warning says so."""

    class Returning(Workflow):
        def start(self, data: Any, headers: Any, api: StepApi) -> Any:
            return api.run_store.increment("n")

    assert run_workflow(Returning).status == "SUCCEEDED"
    assert "step start returned a int, which is not used" in caplog.text
