"""Workflow classes on the local stack: the examples of the template, and one that does what a test asks for."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.local import LocalStack
from infra.local.stack import Execution
from runstore import RunStore
from tests.e2e.conftest import eventually

ROOT = Path(__file__).parents[2]
ASL = ROOT / "infra" / "statemachines" / "workflow.asl.json"


@dataclass
class Trial:
    """The trial workflow, deployed as a user's own template would."""

    stack: LocalStack
    arn: str

    def start(self, data: Any, headers: Any = None) -> str:
        """Start a run."""
        given = {"data": data} if headers is None else {"data": data, "headers": headers}
        started = self.stack.client("stepfunctions").start_execution(stateMachineArn=self.arn, input=json.dumps(given))
        return str(started["executionArn"])

    def run(self, data: Any, headers: Any = None) -> Execution:
        """Run to the end."""
        return self.stack.wait(self.start(data, headers))

    def state(self, run_id: str) -> dict[str, Any]:
        """Return the run's keys."""
        client = self.stack.client("dynamodb")
        return dict(RunStore(run_id, table_name=self.stack.table_name, client=client).snapshot())


def bundle() -> bytes:
    """Return the functions' folder with the trial workflow in it, as a deployment package."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted((ROOT / "functions" / "runstore").rglob("*.py")):
            archive.write(path, path.relative_to(ROOT / "functions"))
        archive.write(ROOT / "tests" / "e2e" / "trial_workflow.py", "trial_workflow.py")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def trial(stack: LocalStack) -> Iterator[Trial]:
    """The trial workflow's function and state machine, with the roles of the template's own."""
    functions, machines = stack.client("lambda"), stack.client("stepfunctions")
    own = machines.describe_state_machine(stateMachineArn=stack.outputs["OrderWorkflowArn"])
    like = json.loads(own["definition"])["States"]["Begin"]["Parameters"]["FunctionName"]
    configuration = functions.get_function(FunctionName=like)["Configuration"]
    function = functions.create_function(
        FunctionName="trial-workflow",
        Runtime=configuration["Runtime"],
        Handler="trial_workflow.handler",
        Role=configuration["Role"],
        Timeout=60,
        Environment=configuration["Environment"],
        Code={"ZipFile": bundle()},
    )
    definition = ASL.read_text("utf-8").replace("${WorkflowFunctionArn}", function["FunctionArn"])
    machine = machines.create_state_machine(name="trial-workflow", definition=definition, roleArn=own["roleArn"])
    yield Trial(stack, machine["stateMachineArn"])
    machines.delete_state_machine(stateMachineArn=machine["stateMachineArn"])
    functions.delete_function(FunctionName="trial-workflow")


# ---------------------------------------------------------------------------------------------- the document's examples


def test_the_mail_goes_to_the_customer_that_was_stored(stack: LocalStack) -> None:
    """The document's first workflow: what one step stores the next one reads after its delay; then all is deleted."""
    began = time.monotonic()
    execution = stack.run("SendEmailWorkflow", {"data": {"customer": {"id": "c-1"}}, "headers": {"from": "shop"}})
    assert (execution.status, execution.output) == ("SUCCEEDED", {"sentTo": ["c-1"]})
    assert time.monotonic() - began > 10
    assert stack.items(execution.arn) == []


def test_every_line_item_is_processed_once(stack: LocalStack) -> None:
    """The document's second workflow: one branch per line item, results pushed, counted, and the state deleted."""
    items = [{"id": number} for number in range(12)]
    order = {"customer": {"id": "c-2"}, "line_items": items, "delaySeconds": 1}
    execution = stack.run("OrderWorkflow", {"data": order})
    assert execution.status == "SUCCEEDED", execution.cause
    assert (execution.output["customerId"], execution.output["processedCount"]) == ("c-2", 12)
    assert sorted(result["id"] for result in execution.output["results"]) == list(range(12))
    assert stack.items(execution.arn) == []


def test_an_input_that_is_no_data_fails_at_once(stack: LocalStack) -> None:
    """An execution without data fails with an error that says what it takes, and writes nothing."""
    execution = stack.run("OrderWorkflow", {"customer": {"id": 1}})
    assert (execution.status, execution.error) == ("FAILED", "InvalidEventError")
    assert "data" in str(execution.cause)
    assert stack.items(execution.arn) == []


def test_an_aborted_run_takes_its_children_with_it(stack: LocalStack) -> None:
    """After the root is stopped no branch runs on, wherever it waits, and the state is kept for a redrive.

    The local stack does not stop children as Step Functions does, and lets branches wait on: here it is retire_run's
    note in the run's record that stops them.
    """
    order = {"customer": {"id": 3}, "line_items": [{"id": number} for number in range(6)], "delaySeconds": 8}
    before = _children(stack)
    arn = stack.start_execution("OrderWorkflow", {"data": order})
    [child] = eventually(lambda: _children(stack) - before)
    stack.client("stepfunctions").stop_execution(executionArn=arn)
    assert stack.describe(arn).status == "ABORTED"
    assert stack.wait(child).status in {"FAILED", "ABORTED"}
    keys = {item["key"]["S"] for item in stack.items(arn)}
    assert "customerId" in keys
    assert not {"results", "processedCount"} & keys
    assert eventually(lambda: all("retired" in item for item in stack.items(arn)))


def _children(stack: LocalStack) -> set[str]:
    listed = stack.client("stepfunctions").list_executions(stateMachineArn=stack.outputs["OrderWorkflowArn"])
    return {one["executionArn"] for one in listed["executions"] if one["name"].startswith("runstore-child-")}


# ---------------------------------------------------------------------------------------------- the trial workflow


def test_fan_outs_three_deep_end_together(trial: Trial) -> None:
    """Two by two by three branches, each level a fan-out of its own: all leaves run, then the run completes."""
    execution = trial.run({"widths": [2, 2, 3], "leaf": "count"}, {"from": "test"})
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.output == {"headers": {"from": "test"}, "leaves": 12}
    assert trial.stack.items(execution.arn) == []


def test_300_branches_with_different_delays(trial: Trial) -> None:
    """300 branches, due one after the other within 45 seconds, run once each, through a tree of children."""
    execution = trial.run({"widths": [300], "leaf": "count", "delay": 1, "apart": 0.15})
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.output["leaves"] == 300
    assert trial.stack.items(execution.arn) == []


def test_a_chain_of_60(trial: Trial) -> None:
    """Sixty steps one after the other."""
    execution = trial.run({"widths": [1], "leaf": "link", "left": 60})
    assert execution.output["links"] == 60


def test_a_step_that_fails_twice_succeeds_and_counts_once(trial: Trial) -> None:
    """The third attempt succeeds, and what all three pushed and counted is there once."""
    execution = trial.run({"widths": [2], "leaf": "shaky"})
    assert execution.status == "SUCCEEDED", execution.cause
    assert (len(execution.output["tries"]), execution.output["tried"]) == (2, 2)


def test_a_step_that_fails_for_good_stops_the_run(trial: Trial) -> None:
    """The execution fails with the error of a step in a child; nothing that waited runs, and the hook runs once."""
    execution = trial.run({"widths": [2, 3], "leaf": "one_breaks", "wait": 4})
    assert (execution.status, execution.error) == ("FAILED", "BrokenError")
    assert json.loads(str(execution.cause))["errorMessage"] == "number 0 is broken"
    state = trial.state(execution.arn)
    assert "tooLate" not in state
    assert state["errorHooks"] == 1
    assert state["error"] == {"name": "BrokenError", "message": "number 0 is broken", "action": "one_breaks"}


def test_a_completion_hook_that_raises_does_not_fail_the_run(trial: Trial) -> None:
    """The run succeeds without output, and its state is deleted."""
    execution = trial.run({"widths": [1], "leaf": "count"}, {"hook": "raises"})
    assert (execution.status, execution.output) == ("SUCCEEDED", None)
    assert trial.stack.items(execution.arn) == []
