"""What fails and what comes of it: retries, final failures, hooks and lost answers, in simulated time."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from runstore.workflow import HookApi
from tests.workflow.driver import BEGAN, Machine
from tests.workflow.flaky import DeclinedError, Flaky, action_of


def test_a_step_that_fails_twice_is_tried_again_and_counts_once(machine: Machine) -> None:
    """After two failures the third attempt succeeds; pushes, increments and schedules of all three count once."""
    Flaky.faults["a"] = 2
    execution = machine.run(["a", "b"])
    assert execution.output == {"names": ["a", "b"], "works": 2, "afters": 2}
    assert [entry for entry in Flaky.ran if entry.startswith("a ")] == ["a 1", "a 2", "a 3"]
    assert 60 + 4 + 8 < machine.loop.now - BEGAN < 60 + 4 + 8 + 2


def test_the_last_failure_fails_the_execution_with_its_name_and_message(machine: Machine) -> None:
    """An execution fails with the class name and the message of the step's error, after the hook has been told."""
    Flaky.faults["a"] = 9
    execution = machine.run(["a"])
    assert (execution.status, execution.error) == ("FAILED", "ValueError")
    assert '"errorMessage": "a is broken (action work, step 2, attempts 3)"' in execution.cause
    assert Flaky.ran == ["a 1", "a 2", "a 3", "error ValueError a is broken work 3"]
    assert machine.state(execution)["failed"] == "ValueError: a is broken"


def test_a_permanent_error_is_not_tried_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error class that derives from PermanentError ends the run at the first attempt."""
    monkeypatch.setattr(Flaky, "error", DeclinedError)
    Flaky.faults["a"] = 1
    execution = machine.run(["a"])
    assert execution.error == "DeclinedError"
    assert Flaky.ran == ["a 1", "error DeclinedError a is broken work 1"]


def test_a_failure_deep_in_a_child_fails_the_root_and_stops_what_waits(machine: Machine) -> None:
    """With 1,700 branches, two levels deep: the root fails with the step's error, and no branch that waits runs on."""
    Flaky.faults["7"] = 9
    execution = machine.run([str(number) for number in range(1_700)])
    assert (execution.status, execution.error) == ("FAILED", "ValueError")
    assert {execution.status for execution in machine.service.executions} == {"FAILED", "ABORTED"}
    assert not any(entry.startswith("after") for entry in Flaky.ran)
    assert sum(entry.startswith("error") for entry in Flaky.ran) == 1
    assert "complete" not in Flaky.ran


def test_the_error_hook_runs_once_however_many_steps_fail(machine: Machine) -> None:
    """Of several final failures the first is reported, and the hook is called for it alone."""
    Flaky.faults.update(a=9, b=9, c=9)
    assert machine.run(["a", "b", "c"]).status == "FAILED"
    assert sum(entry.startswith("error") for entry in Flaky.ran) == 1


@pytest.mark.parametrize("error", ["States.Timeout", "Lambda.Unknown", "Sandbox.Timedout", "Lambda.ServiceException"])
def test_a_lost_answer_neither_repeats_nor_loses_a_step(error: str, machine: Machine) -> None:
    """A step that ran although Step Functions never heard of it is found complete: it does not run a second time."""
    lost: list[str] = []

    def inject(event: dict[str, Any]) -> str | None:
        if event["do"] == "step" and event["state"]["next"]["step"]["action"] == "work" and not lost:
            lost.append(error)
            return f"+{error}"
        return None

    machine.inject = inject
    assert machine.run(["a"]).output == {"names": ["a"], "works": 1, "afters": 1}
    assert Flaky.ran == ["a 1", "after a", "complete"]


@pytest.mark.parametrize(
    ("error", "named"),
    [
        ("States.Timeout", "StepTimeoutError"),
        ("Sandbox.Timedout", "StepTimeoutError"),
        ("Runtime.ExitError", "StepCrashedError"),
    ],
)
def test_a_step_that_never_answers_is_tried_as_often_as_it_may(error: str, named: str, machine: Machine) -> None:
    """Time-outs and crashes are attempts that failed: after the last one the run fails with an error that says so."""
    machine.inject = lambda event: error if action_of(event) == "work" else None
    execution = machine.run(["a"])
    assert (execution.status, execution.error) == ("FAILED", named)
    assert Flaky.ran[0].startswith(f"error {named}")
    assert Flaky.ran[0].endswith("work 3")


def test_trouble_of_the_service_is_waited_out(machine: Machine) -> None:
    """Throttled and failed invocations of any task are repeated by the machine and change nothing."""
    seen: Counter[str] = Counter()

    def inject(event: dict[str, Any]) -> str | None:
        task = str(event | {"retries": 0})
        seen[task] += 1
        return "Lambda.TooManyRequestsException" if seen[task] <= 2 else None

    machine.inject = inject
    assert machine.run(["a", "b"]).output == {"names": ["a", "b"], "works": 2, "afters": 2}
    assert sorted(Flaky.ran) == ["a 1", "after a", "after b", "b 1", "complete"]


@pytest.mark.parametrize("task", ["begin", "step", "failed", "hook", "complete"])
def test_a_task_whose_answer_is_lost_is_done_once(task: str, machine: Machine) -> None:
    """Each task of the machine may be invoked again after its answer was lost; hooks still run once."""
    Flaky.faults["a"] = 9 if task == "failed" else 0
    lost: list[str] = []

    def inject(event: dict[str, Any]) -> str | None:
        asked = str(event | {"retries": 0})
        if event["do"] != task or asked in lost:
            return None
        lost.append(asked)
        return "+Lambda.ServiceException"

    machine.inject = inject
    execution = machine.run(["a", "b"])
    if task == "failed":
        assert execution.error == "ValueError"
        assert sum(entry.startswith("error") for entry in Flaky.ran) == 1
    else:
        assert execution.output == {"names": ["a", "b"], "works": 2, "afters": 2}
        assert Flaky.ran.count("complete") == 1


@pytest.mark.parametrize("hook", ["on_workflow_complete", "on_workflow_error"])
def test_a_hook_that_raises_changes_nothing(hook: str, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hook raises is logged; the run succeeds without output, or fails with the step's error."""

    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(Flaky, hook, broken)
    Flaky.faults["a"] = 9 if hook == "on_workflow_error" else 0
    execution = machine.run(["a"])
    if hook == "on_workflow_complete":
        assert (execution.status, execution.output) == ("SUCCEEDED", None)
    else:
        assert (execution.status, execution.error) == ("FAILED", "ValueError")


@pytest.mark.parametrize(
    "output",
    [{"when": object()}, "x" * 200_000, [1] * 94_000, "\ud800"],
    ids=["no JSON", "too large", "too large with the spaces that Lambda writes", "lone surrogate"],
)
def test_an_output_that_is_no_state_is_dropped(output: Any, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A completion hook that returns what is not JSON, or what Lambda cannot hand to a state, is a hook that failed."""
    monkeypatch.setattr(Flaky, "on_workflow_complete", lambda _self, _api: output)
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

    monkeypatch.setattr(Flaky, "on_workflow_complete", schedules)
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


def test_an_execution_may_say_who_has_started_it(machine: Machine) -> None:
    """The field that AWS asks a state machine to add when it starts another's execution is no part of the input."""
    given = {"data": ["a"], "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "arn:aws:states:eu-central-1:1:execution:x:y"}
    assert machine.service.run(given).status == "SUCCEEDED"


def test_a_step_that_is_gone_fails_with_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that a deployment has removed is told of when it is due, and has the time that every step has."""
    machine = Machine(Flaky, monkeypatch)
    machine.inject = lambda event: (
        monkeypatch.setattr(Flaky, "__runstore_workflow__", replace(definition, steps=without))
        if event["do"] == "begin" and event["input"].get("child")
        else None
    )
    definition = Flaky.__runstore_workflow__
    without = {name: options for name, options in definition.steps.items() if name != "work"}
    execution = machine.run(["a", "b"])
    assert execution.error == "InvalidActionError"
    assert "no step 'work' any more" in execution.cause
    assert {event["state"]["next"]["step"]["timeout"] for event in machine.invocations if event["do"] == "step"} == {
        900
    }
