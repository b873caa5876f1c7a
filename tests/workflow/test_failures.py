"""What fails and what comes of it: retries, final failures, hooks, redrives and stragglers, in simulated time."""

from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from runstore.workflow import HookApi, PermanentError, StepApi, StepFailure, Workflow, step
from runstore.workflow.records import Records, Run
from tests.workflow.driver import BEGAN, Machine


class DeclinedError(PermanentError):
    """Not to be tried again."""


class Shaky(Workflow):
    """Steps that fail as often as they are told; what happened is seen in `ran` and in the store."""

    faults: ClassVar[Counter[str]] = Counter()
    error: ClassVar[type[Exception]] = ValueError
    ran: ClassVar[list[str]] = []

    def start(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Begin a branch for each name."""
        for name in data:
            api.schedule_next_step(0, "work", {"name": name})

    @step(attempts=3, backoff=4)
    def work(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Push, increment, schedule, and then perhaps fail."""
        name = data["name"]
        self.ran.append(f"{name} {api.attempt}")
        api.run_store.push("names", name)
        api.run_store.increment("works")
        api.schedule_next_step(60, "after", {"name": name})
        if self.faults[name]:
            type(self).faults[name] -= 1
            raise self.error(f"{name} is broken")

    def after(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Count."""
        self.ran.append(f"after {data['name']}")
        api.run_store.increment("afters")

    def on_workflow_complete(self, api: HookApi) -> Any:
        """Return the state."""
        self.ran.append("complete")
        state = api.run_store.snapshot()
        return {**state, "names": sorted(api.run_store.get("names"))}

    def on_workflow_error(self, error: StepFailure, api: HookApi) -> None:
        """Keep what it was told."""
        self.ran.append(f"error {error.name} {error.message} {error.action} {error.attempts}")
        api.run_store.set("failed", str(error))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The shaky workflow, deployed."""
    monkeypatch.setattr(Shaky, "faults", Counter())
    monkeypatch.setattr(Shaky, "error", ValueError)
    monkeypatch.setattr(Shaky, "ran", [])
    return Machine(Shaky, monkeypatch)


def test_a_step_that_fails_twice_is_tried_again_and_counts_once(machine: Machine) -> None:
    """After two failures the third attempt succeeds; pushes, increments and schedules of all three count once."""
    Shaky.faults["a"] = 2
    execution = machine.run(["a", "b"])
    assert execution.output == {"names": ["a", "b"], "works": 2, "afters": 2}
    assert [entry for entry in Shaky.ran if entry.startswith("a ")] == ["a 1", "a 2", "a 3"]
    assert 60 + 4 + 8 < machine.loop.now - BEGAN < 60 + 4 + 8 + 2


def test_the_last_failure_fails_the_execution_with_its_name_and_message(machine: Machine) -> None:
    """An execution fails with the class name and the message of the step's error, after the hook has been told."""
    Shaky.faults["a"] = 9
    execution = machine.run(["a"])
    assert (execution.status, execution.error) == ("FAILED", "ValueError")
    assert '"errorMessage": "a is broken"' in execution.cause
    assert Shaky.ran == ["a 1", "a 2", "a 3", "error ValueError a is broken work 3"]
    assert machine.state(execution)["failed"] == "ValueError: a is broken"


def test_a_permanent_error_is_not_tried_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error class that derives from PermanentError ends the run at the first attempt."""
    monkeypatch.setattr(Shaky, "error", DeclinedError)
    Shaky.faults["a"] = 1
    execution = machine.run(["a"])
    assert execution.error == "DeclinedError"
    assert Shaky.ran == ["a 1", "error DeclinedError a is broken work 1"]


def test_a_failure_deep_in_a_child_fails_the_root_and_stops_what_waits(machine: Machine) -> None:
    """With 1,700 branches, two levels deep: the root fails with the step's error, and no branch that waits runs on."""
    Shaky.faults["7"] = 9
    execution = machine.run([str(number) for number in range(1_700)])
    assert (execution.status, execution.error) == ("FAILED", "ValueError")
    assert {execution.status for execution in machine.service.executions} == {"FAILED", "ABORTED"}
    assert not any(entry.startswith("after") for entry in Shaky.ran)
    assert sum(entry.startswith("error") for entry in Shaky.ran) == 1
    assert "complete" not in Shaky.ran


def test_the_error_hook_runs_once_however_many_steps_fail(machine: Machine) -> None:
    """Of several final failures the first is reported, and the hook is called for it alone."""
    Shaky.faults.update(a=9, b=9, c=9)
    assert machine.run(["a", "b", "c"]).status == "FAILED"
    assert sum(entry.startswith("error") for entry in Shaky.ran) == 1


def test_a_redrive_runs_the_failed_step_again_and_nothing_that_is_complete(machine: Machine) -> None:
    """After a redrive the failed step has all its attempts again, complete steps do not run, nothing is doubled."""
    names = [f"n{number}" for number in range(45)]  # two children of a tree, and one that fails
    Shaky.faults["n3"] = 3
    execution = machine.run(names)
    assert execution.status == "FAILED"
    before = Counter(Shaky.ran)
    Shaky.ran.clear()
    machine.redrive(execution)
    assert (execution.status, execution.output["afters"], execution.output["works"]) == ("SUCCEEDED", 45, 45)
    assert execution.output["names"] == sorted(names)
    assert [entry for entry in Shaky.ran if entry.startswith("n3 ")] == ["n3 1"]
    again = Counter(Shaky.ran) & before
    assert set(again) <= {"n3 1"}
    assert machine.items(execution) == []


def test_a_redrive_may_fail_again_and_calls_the_error_hook_no_second_time(machine: Machine) -> None:
    """Each redrive gives the step its attempts; the error hook has run and does not run again."""
    Shaky.faults["a"] = 6
    execution = machine.run(["a"])
    machine.redrive(execution)
    assert (execution.status, execution.error) == ("FAILED", "ValueError")
    machine.redrive(execution)
    assert execution.status == "SUCCEEDED"
    assert Shaky.ran == [
        *("a 1", "a 2", "a 3", "error ValueError a is broken work 3"),
        *("a 1", "a 2", "a 3"),
        *("a 1", "after a", "complete"),
    ]


def test_a_redriven_child_goes_on_like_one_that_is_started_anew(machine: Machine) -> None:
    """Should a child be redriven by itself, its completed steps are not run again either, and the failed one is."""
    Shaky.faults["a"] = 3
    root = machine.run(["a", "b"])
    child = machine.service.executions[-1]
    assert (root.status, child.status, child.parent) == ("FAILED", "FAILED", root)
    Shaky.ran.clear()
    machine.redrive(child)
    assert child.status == "SUCCEEDED"
    assert "b 1" not in Shaky.ran


def test_an_aborted_run_goes_on_after_a_redrive(machine: Machine) -> None:
    """Stopping the root stops its children; a redrive goes on with what had not run."""
    execution = machine.service.start({"data": [f"n{number}" for number in range(90)]})
    machine.loop.run(until=BEGAN + 30)
    execution.stop()
    machine.loop.run()
    assert {execution.status for execution in machine.service.executions} == {"ABORTED"}
    assert not any(entry.startswith("after") for entry in Shaky.ran)
    works = len(Shaky.ran)
    machine.redrive(execution)
    assert execution.output["afters"] == 90
    assert sum(entry.startswith("n") for entry in Shaky.ran) == works == 90


def test_a_straggler_of_an_aborted_run_is_refused(machine: Machine) -> None:
    """A step of a child that outlived its root runs no more, once retire_run has noted the root's end."""
    execution = machine.service.start({"data": ["a"]})
    machine.loop.run(until=BEGAN + 30)
    assert machine.retire(execution, "ABORTED") > 0
    machine.loop.run()
    assert "after a" not in Shaky.ran
    assert (execution.status, execution.error) == ("FAILED", "RunEndedError")
    machine.redrive(execution)
    assert execution.output["afters"] == 1


def test_a_straggler_from_before_a_redrive_is_refused(machine: Machine) -> None:
    """A branch that nobody could stop finds, once the redriven execution runs, that it is late."""
    execution = machine.service.start({"data": ["a", "b"]})
    machine.loop.run(until=BEGAN + 30)
    execution.stop()
    late = [event for event in machine.invocations if event["do"] == "step"][-1]
    late["state"]["next"]["step"] |= {"id": "1.1.3", "action": "after", "data": {"name": "late"}}
    execution.redrive()
    moment = BEGAN + 60
    while not Shaky.ran[-1].startswith("after"):  # the first step of the redriven execution
        moment += 0.01
        machine.loop.run(until=moment)
    answer = machine.answer_to(late)
    assert answer["next"]["error"]["name"] == "RunEndedError"
    assert "redriven since" in answer["next"]["error"]["message"]
    machine.loop.run()
    assert execution.status == "SUCCEEDED"
    assert "after late" not in Shaky.ran


def test_no_step_begins_after_the_first_final_failure(machine: Machine) -> None:
    """While the error hook runs, and before Step Functions has stopped anything, a step that comes is refused."""
    refused: list[Any] = []

    def meddle(event: dict[str, Any]) -> str | None:
        if event["do"] == "failed" and not refused:
            machine.answer_to(event, expect=ValueError)
            other = next(
                old for old in machine.invocations if _action(old) == "work" and old["state"] != event["state"]
            )
            other["state"]["next"]["step"] |= {"id": "new", "action": "after", "data": {"name": "new"}}
            refused.append(machine.answer_to(other))
        return None

    Shaky.faults["a"] = 9
    machine.meddle = meddle
    assert machine.run(["a", "b"]).error == "ValueError"
    assert refused[0]["next"]["do"] == "fail"
    assert refused[0]["next"]["error"] == {"name": "ValueError", "message": "a is broken", "ended": True}
    assert "after new" not in Shaky.ran


def test_the_failure_that_was_recorded_first_is_the_runs(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps fail for good at the same moment: both tasks raise, and the hook is told, the one recorded first."""
    Shaky.faults.update(a=9, b=9)
    original = Records.run
    looked: list[Run | None] = []

    def run_as_it_was(self: Records) -> Run | None:
        looked.append(original(self))
        return replace(looked[-1], failure=None) if len(looked) == 2 and looked[-1] else looked[-1]

    monkeypatch.setattr(Records, "run", run_as_it_was)
    events: list[dict[str, Any]] = []
    machine.meddle = lambda event: events.append(event) if event["do"] == "failed" else None
    execution = machine.run(["a", "b"])
    other = next(
        event
        for event in machine.invocations
        if _action(event) == "work" and "b" in str(event["state"]["next"]["step"])
    )
    second = events[0] | {"state": other["state"]}
    second["state"]["next"] |= {"do": "fail", "error": {"name": "KeyError", "message": "late"}}
    looked[:] = looked[:1]
    machine.answer_to(second, expect=ValueError)
    assert execution.error == "ValueError"
    assert sum(entry.startswith("error") for entry in Shaky.ran) == 1


def test_the_first_outcome_of_a_step_is_the_one_that_counts(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two attempts run side by side and schedule different steps: what the first to end has scheduled runs, once."""
    payloads = iter(["first", "second"])
    overtaken: list[Any] = []

    def work(_self: object, _data: Any, _headers: Any, api: StepApi) -> None:
        mine = next(payloads)
        if mine == "first":
            event = next(event for event in machine.invocations if _action(event) == "work")
            overtaken.append(machine.answer_to(event))
        api.schedule_next_step(1, "after", {"name": mine})

    monkeypatch.setattr(Shaky, "work", work)
    machine.run(["a"])
    assert overtaken[0]["next"]["step"]["data"] == {"name": "second"}
    assert [entry for entry in Shaky.ran if entry.startswith("after")] == ["after second"]


@pytest.mark.parametrize("error", ["States.Timeout", "Lambda.Unknown", "Sandbox.Timedout", "Lambda.ServiceException"])
def test_a_lost_answer_neither_repeats_nor_loses_a_step(error: str, machine: Machine) -> None:
    """A step that ran although Step Functions never heard of it is found complete: it does not run a second time."""
    lost: list[str] = []

    def meddle(event: dict[str, Any]) -> str | None:
        if event["do"] == "step" and event["state"]["next"]["step"]["action"] == "work" and not lost:
            lost.append(error)
            return f"+{error}"
        return None

    machine.meddle = meddle
    assert machine.run(["a"]).output == {"names": ["a"], "works": 1, "afters": 1}
    assert Shaky.ran == ["a 1", "after a", "complete"]


@pytest.mark.parametrize(
    ("error", "named"), [("States.Timeout", "StepTimeoutError"), ("Lambda.Unknown", "StepCrashedError")]
)
def test_a_step_that_never_answers_is_tried_as_often_as_it_may(error: str, named: str, machine: Machine) -> None:
    """Time-outs and crashes are attempts that failed: after the last one the run fails with an error that says so."""
    machine.meddle = lambda event: error if _action(event) == "work" else None
    execution = machine.run(["a"])
    assert (execution.status, execution.error) == ("FAILED", named)
    assert Shaky.ran[0].startswith(f"error {named}")
    assert Shaky.ran[0].endswith("work 3")


def test_trouble_of_the_service_is_waited_out(machine: Machine) -> None:
    """Throttled and failed invocations of any task are repeated by the machine and change nothing."""
    seen: Counter[str] = Counter()

    def meddle(event: dict[str, Any]) -> str | None:
        seen[str(event)] += 1
        return "Lambda.TooManyRequestsException" if seen[str(event)] <= 2 else None

    machine.meddle = meddle
    assert machine.run(["a", "b"]).output == {"names": ["a", "b"], "works": 2, "afters": 2}
    assert sorted(Shaky.ran) == ["a 1", "after a", "after b", "b 1", "complete"]


@pytest.mark.parametrize("task", ["begin", "step", "failed", "hook", "complete"])
def test_a_task_whose_answer_is_lost_is_done_once(task: str, machine: Machine) -> None:
    """Each task of the machine may be invoked again after its answer was lost; hooks still run once."""
    Shaky.faults["a"] = 9 if task == "failed" else 0
    lost: list[str] = []

    def meddle(event: dict[str, Any]) -> str | None:
        if event["do"] != task or event.get("execution", "") in lost:
            return None
        lost.append(event["execution"])
        return "+Lambda.ServiceException"

    machine.meddle = meddle
    execution = machine.run(["a", "b"])
    if task == "failed":
        assert execution.error == "ValueError"
        assert sum(entry.startswith("error") for entry in Shaky.ran) == 1
    else:
        assert execution.output == {"names": ["a", "b"], "works": 2, "afters": 2}
        assert Shaky.ran.count("complete") == 1


@pytest.mark.parametrize("hook", ["on_workflow_complete", "on_workflow_error"])
def test_a_hook_that_raises_changes_nothing(hook: str, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hook raises is logged; the run succeeds without output, or fails with the step's error."""

    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(Shaky, hook, broken)
    Shaky.faults["a"] = 9 if hook == "on_workflow_error" else 0
    execution = machine.run(["a"])
    if hook == "on_workflow_complete":
        assert (execution.status, execution.output) == ("SUCCEEDED", None)
    else:
        assert (execution.status, execution.error) == ("FAILED", "ValueError")


@pytest.mark.parametrize("output", [{"when": object()}, "x" * 200_000])
def test_an_output_that_is_no_state_is_dropped(output: Any, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A completion hook that returns what is not JSON, or too much of it, is a hook that failed."""
    monkeypatch.setattr(Shaky, "on_workflow_complete", lambda _self, _api: output)
    execution = machine.run(["a"])
    assert (execution.status, execution.output) == ("SUCCEEDED", None)


def test_hooks_cannot_schedule(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that schedules raises at the call; nothing is scheduled and the run ends."""
    raised: list[str] = []

    def schedules(_self: object, api: HookApi) -> None:
        try:
            api.schedule_next_step(0, "work", {})
        except Exception as error:
            raised.append(type(error).__name__)
            raise

    monkeypatch.setattr(Shaky, "on_workflow_complete", schedules)
    assert machine.run(["a"]).status == "SUCCEEDED"
    assert raised == ["SchedulingError"]


@pytest.mark.parametrize(
    "given", [None, [], {}, {"headers": {}}, {"data": 1, "header": {}}, {"data": 1, "headers": []}]
)
def test_an_input_that_is_none_fails_at_once(given: Any, machine: Machine) -> None:
    """An execution started with something else than data and headers fails with an error that says what it takes."""
    execution = machine.service.run(given)
    assert (execution.status, execution.error) == ("FAILED", "InvalidEventError")
    assert "data" in execution.cause
    assert machine.items(execution) == []


def _action(event: dict[str, Any]) -> str:
    return (
        str(event.get("state", {}).get("next", {}).get("step", {}).get("action", "")) if event["do"] == "step" else ""
    )
