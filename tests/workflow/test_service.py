"""What Lambda and Step Functions refuse, lose and call by their own names, in simulated time."""

from typing import Any

import pytest

from runstore.workflow import StepApi, Workflow
from tests.workflow.driver import ASL, BEGAN, Machine
from tests.workflow.flaky import Flaky, action_of
from tests.workflow.stepfunctions.execution import MAX_EVENTS

NOT_STARTED = [
    "Lambda.TooManyRequestsException",
    "Lambda.SnapStartNotReadyException",
    "Lambda.SnapStartTimeoutException",
    "Lambda.ResourceNotReadyException",
]
PASSING = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
]
KILLED = ["Lambda.Unknown", "Runtime.ExitError", "Runtime.OutOfMemory", "Sandbox.Timedout", "States.Timeout"]


@pytest.mark.parametrize("error", [*NOT_STARTED, *PASSING, *KILLED])
@pytest.mark.parametrize("task", ["begin", "step", "failed", "hook", "complete"])
def test_a_task_that_the_service_fails_once_is_repeated(task: str, error: str, machine: Machine) -> None:
    """Whatever name Lambda's trouble has in whichever task, the run ends as it would have without."""
    Flaky.faults["a"] = 9 if task == "failed" else 0
    met: list[str] = []

    def inject(event: dict[str, Any]) -> str | None:
        if event["do"] != task or met:
            return None
        met.append(error)
        return error

    machine.inject = inject
    execution = machine.run(["a"])
    assert met
    assert (execution.status, execution.error) == (("FAILED", "ValueError") if task == "failed" else ("SUCCEEDED", ""))


@pytest.mark.parametrize("error", NOT_STARTED)
def test_an_invocation_that_did_not_start_is_no_attempt(error: str, machine: Machine) -> None:
    """A step that is refused ninety times has its first attempt in front of it, and all the others."""
    machine.inject = lambda event: error if action_of(event) == "work" and event["retries"] < 90 else None
    Flaky.faults["a"] = 2
    assert machine.run(["a"]).status == "SUCCEEDED"
    assert [entry for entry in Flaky.ran if entry.startswith("a ")] == ["a 1", "a 2", "a 3"]


def test_a_step_that_is_always_refused_fails_the_run_untried(machine: Machine) -> None:
    """After a hundred refusals over hours the run fails, the hook hears of no attempt, and a redrive goes on."""
    machine.inject = lambda event: NOT_STARTED[0] if action_of(event) == "work" else None
    execution = machine.run(["a"])
    assert (execution.status, execution.error) == ("FAILED", "StepCrashedError")
    assert [entry[-7:] for entry in Flaky.ran] == [" work 0"]
    assert machine.loop.now - BEGAN > 3 * 3_600
    machine.inject = lambda _: None
    assert machine.redrive(execution).status == "SUCCEEDED"
    assert "a 1" in Flaky.ran


def test_refused_invocations_are_taken_off_the_budget_of_history_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain whose every step is refused fifty times goes on in further executions, none with too long a history."""

    class Chain(Workflow):
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            self.link(data, headers, api)

        def link(self, data: Any, _headers: Any, api: StepApi) -> None:
            if data:
                api.schedule_next_step(0, "link", data - 1)

    machine = Machine(Chain, monkeypatch)
    machine.inject = lambda event: NOT_STARTED[0] if event["do"] == "step" and event["retries"] < 50 else None
    assert machine.run(200).status == "SUCCEEDED"
    assert max(execution.history for execution in machine.service.executions) < MAX_EVENTS / 2


def test_every_task_waits_out_refusals_apart_from_other_trouble() -> None:
    """Each task that invokes the function has a retrier for refused invocations alone, the most patient of all."""
    tasks = [part for part in ASL.read_text("utf-8").split('"Type": "Task"')[1:] if "lambda:invoke" in part]
    assert len(tasks) == 10
    for task in tasks:
        first = task.split('"Retry": [')[1].split("}")[0]
        assert [name for name in [*NOT_STARTED, *PASSING, *KILLED] if f'"{name}"' in first] == NOT_STARTED
        assert '"MaxAttempts": 100' in first


@pytest.mark.parametrize(
    "error",
    [
        "StepFunctions.ExecutionLimitExceeded",
        "StepFunctions.ExecutionLimitExceededException",
        "StepFunctions.ThrottlingException",
        "StepFunctions.SdkClientException",
    ],
)
def test_a_child_that_cannot_be_started_now_is_started_later(error: str, machine: Machine) -> None:
    """Step Functions throttles the start of children too: it is tried again for minutes."""
    machine.service.refusals = [error] * 15
    assert machine.run([f"n{number}" for number in range(45)]).status == "SUCCEEDED"


def test_a_child_that_may_not_be_started_fails_the_run_at_once(machine: Machine) -> None:
    """A refusal for lack of permission is repeated for seconds only, and the cause says what the role must allow."""
    denied = "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: states:StartExecution on resource: y"
    machine.service.refusals = ["StepFunctions.AWSStepFunctionsException"] * 15
    machine.service.refusal_cause = denied
    execution = machine.run([f"n{number}" for number in range(45)])
    assert (execution.status, execution.error) == ("FAILED", "StepCrashedError")
    assert "the state machine's role must allow states:StartExecution on the machine itself" in execution.cause
    assert "step 1," in execution.cause
    assert machine.loop.now - BEGAN < 20
    machine.service.refusals = ["StepFunctions.AWSStepFunctionsException"] * 3
    assert machine.redrive(execution).status == "SUCCEEDED"


def test_a_failed_group_of_a_wide_fan_out_fails_with_the_steps_error(machine: Machine) -> None:
    """With 45 branches, two levels deep, root and child of the tree fail with the step's error and its message."""
    Flaky.faults["n3"] = 3
    machine.run([f"n{number}" for number in range(45)])
    root, tree, group, other = machine.service.executions
    for execution in (root, tree, group):
        assert (execution.status, execution.error) == ("FAILED", "ValueError")
        assert "n3 is broken" in execution.cause
    assert other.status == "ABORTED"


def test_a_child_of_the_tree_can_be_redriven_by_itself(machine: Machine) -> None:
    """Redriven by itself, a child in the middle of the tree starts its failed group anew and ends."""
    Flaky.faults["n3"] = 3
    machine.run([f"n{number}" for number in range(45)])
    tree = machine.service.executions[1]
    assert machine.redrive(tree).status == "SUCCEEDED"
    assert Flaky.ran.count("after n3") == 1


def test_a_group_that_cannot_begin_fails_the_run_with_an_error_that_says_so(machine: Machine) -> None:
    """A group whose first task is refused to the last is a failure that the hook is told of by its true name."""
    machine.inject = lambda event: (
        NOT_STARTED[0] if event["do"] == "begin" and '"to":40' in event["input"].get("child", "") else None
    )
    execution = machine.run([f"n{number}" for number in range(45)])
    assert (execution.status, execution.error) == ("FAILED", "StepCrashedError")
    assert NOT_STARTED[0] in execution.cause
    assert sum(entry.startswith("error StepCrashedError") for entry in Flaky.ran) == 1
