"""What is wrong with a workflow is said when its class is defined, or at the call."""

from typing import Any

import pytest

from runstore.errors import InvalidRequestError, InvalidValueError, ValueTooLargeError
from runstore.testing import InMemoryRunStore
from runstore.workflow import (
    HookApi,
    InvalidActionError,
    InvalidDelayError,
    SchedulingError,
    StepApi,
    Workflow,
    WorkflowDefinitionError,
    machine,
    step,
)
from runstore.workflow.durations import seconds
from runstore.workflow.schedule import Limits, Schedule
from runstore.workflow.stepstore import StepStore


class Plain(Workflow):
    """A workflow with one step."""

    def start(self, data: Any, headers: Any, api: StepApi) -> None:
        """Begin."""

    def ship(self, data: Any, headers: Any, api: StepApi) -> None:
        """Go on."""


@pytest.mark.parametrize(
    ("delay", "expected"),
    [
        (0, 0), (10, 10), (1.5, 1.5), ("30 sec", 30), ("30s", 30), ("1 second", 1), ("5 min", 300), ("5 minutes", 300),
        ("2 hours", 7_200), ("1 hr", 3_600), ("1 day", 86_400), ("1.5 days", 129_600), ("1 week", 604_800),
        (" 2  Weeks ", 1_209_600), ("365 days", 31_536_000),
    ],
)  # fmt: skip
def test_delays_are_seconds_or_text(delay: Any, expected: float) -> None:
    """Numbers are seconds; text has a unit, singular, plural or short."""
    assert seconds(delay) == expected


@pytest.mark.parametrize(
    "delay",
    [
        -1, -0.001, float("nan"), float("inf"), True, None, [], "", "5", "min", "-5 min", "5 minuten", "1 month",
        "2 months", "1 year", "366 days", 31_536_001, "5 min 3 sec", "\u0661 min", "1e3 sec",
    ],
)  # fmt: skip
def test_other_delays_are_refused(delay: Any) -> None:
    """Negative, endless and unreadable delays, months and years raise, and the message says what is allowed."""
    with pytest.raises(InvalidDelayError, match='"5 min"'):
        seconds(delay)


def _class(**members: Any) -> type[Workflow]:
    def start(self: Any, data: Any, headers: Any, api: Any) -> None:
        """Begin."""

    return type("Wrong", (Workflow,), {"start": start} | members)


async def _asynchronous(_self: Any, _data: Any, _headers: Any, _api: Any) -> None: ...


def _generator(_self: Any, _data: Any, _headers: Any, _api: Any) -> Any:
    yield


def _step(_self: Any, _data: Any, _headers: Any, _api: Any) -> None: ...


def _short(_self: Any, _data: Any) -> None: ...


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"start": None}, "start"),
        (
            {"ship": _short},
            r"write def ship\(self, data, headers, api\) or, if it is not a step, begin its name with _",
        ),
        ({"ship": step(staticmethod(_step))}, "must be a plain method"),
        ({"ship": staticmethod(step(_short))}, "must be a plain method"),
        ({"__init__": lambda _self, _table: None}, "__init__ must be callable without arguments"),
        ({"onWorkflowComplete": _step}, "the hook's name is on_workflow_complete"),
        ({"on_workflowError": _step}, "the hook's name is on_workflow_error"),
        ({"ship": _asynchronous}, "asynchronous"),
        ({"ship": _generator}, "generator"),
        ({"on_workflow_completed": _step}, "named like a hook"),
        ({"on_workflow_complete": _step}, "on_workflow_complete"),
        ({"on_workflow_error": step(lambda _self, _error, _api: None)}, "hook, not a step"),
        ({"_private": step(lambda _self, _data, _headers, _api: None)}, "private"),
        ({"lambda_handler": _step}, "Workflow itself needs"),
    ],
)
def test_a_class_that_could_not_work_raises_when_it_is_defined(members: dict[str, Any], says: str) -> None:
    """No start, wrong arguments, asynchronous steps, names too near to a hook's: an error that names the method."""
    with pytest.raises(WorkflowDefinitionError, match=says):
        _class(**members)


@pytest.mark.parametrize(
    "options",
    [
        {"attempts": 0}, {"attempts": 51}, {"attempts": True}, {"attempts": "3"}, {"timeout": 0}, {"timeout": 901},
        {"timeout": 1.5}, {"timeout": "1 hour"}, {"timeout": "soon"}, {"backoff": -1}, {"backoff": "1 month"},
    ],
)  # fmt: skip
def test_step_options_have_bounds(options: dict[str, Any]) -> None:
    """An option out of its bounds raises when the class is defined, and says which it is."""
    with pytest.raises(WorkflowDefinitionError, match=next(iter(options))):
        step(**options)


def test_what_is_no_function_is_no_step() -> None:
    """Static methods, properties, constants and private methods can be used freely."""
    helpers = {"help_out": staticmethod(len), "limit": 5, "size": property(len), "_own": lambda self: self}
    assert set(_class(**helpers).__runstore_workflow__.steps) == {"start"}


def test_an_initializer_may_have_defaults() -> None:
    """A workflow may have an `__init__`, as long as it can be called without arguments."""
    assert _class(__init__=lambda _self, _table=None: None).__runstore_workflow__.steps.keys() == {"start"}


def test_steps_are_inherited() -> None:
    """A class inherits the steps of the workflow that it derives from, and can replace them."""

    class More(Plain):
        @step(attempts=1)
        def ship(self, data: Any, headers: Any, api: StepApi) -> None: ...

    assert More.__runstore_workflow__.steps["ship"].attempts == 1
    assert Plain.__runstore_workflow__.steps["ship"].attempts == 3


@pytest.fixture
def schedule() -> Schedule:
    """A schedule of a run that ends in ten days, with payloads of up to 100 bytes."""
    return Schedule(Plain.__runstore_workflow__, Limits(100, 1_000 + 864_000), lambda: 1_000.0, str)


@pytest.mark.parametrize("action", ["start", "on_workflow_complete", "_own", "", "Ship", None, 5, Plain.ship])
def test_an_action_is_a_step_of_the_class(action: Any, schedule: Schedule) -> None:
    """start, hooks, private and unknown names raise at the call, and the message names the steps."""
    with pytest.raises(InvalidActionError, match=r"other than start \(ship\)"):
        schedule.add(0, action, None)


@pytest.mark.parametrize(
    ("payload", "error"),
    [({1, 2}, InvalidValueError), ({"when": object()}, InvalidValueError), ("x" * 100, ValueTooLargeError)],
)
def test_a_payload_is_json_of_limited_size(payload: Any, error: type[Exception], schedule: Schedule) -> None:
    """What is not JSON or too large raises at the call."""
    with pytest.raises(error, match="payload"):
        schedule.add(0, "ship", payload)


def test_a_delay_must_fit_into_the_run(schedule: Schedule) -> None:
    """A delay beyond the run's last day raises at the call; one that just fits does not."""
    schedule.add("10 days", "ship", None)
    with pytest.raises(InvalidDelayError, match=r"10\.0 days left; got '11 days'"):
        schedule.add("11 days", "ship", None)


def test_a_step_schedules_at_most_10000(schedule: Schedule) -> None:
    """The call after the ten-thousandth raises."""
    for _ in range(10_000):
        schedule.add(0, "ship", None)
    with pytest.raises(SchedulingError):
        schedule.add(0, "ship", None)


def test_what_a_step_schedules_has_a_limit_in_bytes() -> None:
    """Payloads of 16 MB in all are taken, and the call that goes beyond raises."""
    schedule = Schedule(Plain.__runstore_workflow__, Limits(8_000_002, 864_000), lambda: 0.0, str)
    schedule.add(0, "ship", "x" * 7_999_998)
    schedule.add(0, "ship", "x" * 7_999_998)
    with pytest.raises(SchedulingError, match="16,000,000 bytes in all; got 16,000,004 after 2 steps"):
        schedule.add(0, "ship", None)


def test_hooks_cannot_schedule() -> None:
    """A hook that schedules raises at the call."""
    store = StepStore(InMemoryRunStore(), "on_workflow_complete")
    with pytest.raises(SchedulingError):
        HookApi(store, logger=None).schedule_next_step(0, "ship", None)  # type: ignore[arg-type]


def test_a_step_cannot_complete_its_run() -> None:
    """Deleting the state under the engine's feet is refused."""
    with pytest.raises(InvalidRequestError):
        StepStore(InMemoryRunStore(), "1").complete()


def test_tokens_tell_operations_apart() -> None:
    """A second attempt repeats what the first did and adds what the first did not do; in one attempt all counts."""
    store = InMemoryRunStore()
    first = StepStore(store, "1")
    assert [first.push("list", "a"), first.push("list", "a"), first.increment("n"), first.increment("n")] == [
        1,
        2,
        1,
        2,
    ]
    second = StepStore(store, "1")
    assert [second.push("list", "a"), second.push("list", "b"), second.increment("n")] == [1, 3, 1]
    assert second.push_many("list", ["c", "d"]) == 5
    third = StepStore(store, "1")
    third.push("list", "a")
    third.push("list", "b")
    assert third.push_many("list", iter(["c", "d"])) == 5
    assert StepStore(store, "2").push("list", "a") == 6
    assert store.get("list") == ["a", "a", "b", "c", "d", "a"]
    assert store.get("n") == 2


def test_own_tokens_go_first() -> None:
    """A token that the caller passes is the one that counts, whichever step it comes from."""
    store = InMemoryRunStore()
    assert StepStore(store, "1").increment("n", token="t") == 1
    assert StepStore(store, "2").increment("n", token="t") == 1


def test_ids_are_unique_and_stay_short() -> None:
    """Steps of chains and branches have ids of their own, and however deep, an id fits a sort key."""
    assert machine.following_id("1") == "2"
    assert machine.following_id("3.17.1") == "3.17.2"
    ids, step_id = set(), "1"
    for depth in range(200):
        step_id = machine.following_id(machine.branch_id(step_id, depth))
        ids.add(step_id)
    assert len(ids) == 200
    assert max(map(len, ids)) < 200


@pytest.mark.parametrize("count", [41, 1_600, 1_601, 10_000])
def test_parts_cover_a_fan_out(count: int) -> None:
    """A wide fan-out is at most 40 parts without a gap, each beginning where a record does."""
    parts = machine.parts(0, count)
    assert len(parts) <= 40
    assert [stop for _, stop in parts[:-1]] == [start for start, _ in parts[1:]]
    assert (parts[0][0], parts[-1][1]) == (0, count)
    assert all(start % 40 == 0 for start, _ in parts)
