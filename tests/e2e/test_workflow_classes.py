"""Workflow classes on the local stack: the examples of the template, and one that does what a test asks for."""

import json
import time
from collections.abc import Iterator

import pytest

from infra.local import LocalStack
from tests.e2e.deploying import Machine, bundle, sample_workflow
from tests.e2e.waiting import eventually


@pytest.fixture(scope="module")
def sample(stack: LocalStack) -> Iterator[Machine]:
    """The sample workflow's function and state machine; the function has the role of the template's own."""
    with sample_workflow(stack, "sample_workflow.handler", bundle("sample_workflow")) as deployed:
        yield deployed


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
    """After the root is stopped no branch runs on, wherever it waits, and the state is kept for a redrive."""
    order = {"customer": {"id": 3}, "line_items": [{"id": number} for number in range(6)], "delaySeconds": 8}
    before = _children(stack)
    arn = stack.start_execution("OrderWorkflow", {"data": order})
    [child] = eventually(lambda: _children(stack) - before)
    stack.client("stepfunctions").stop_execution(executionArn=arn)
    assert stack.describe(arn).status == "ABORTED"
    assert stack.wait(child).status == "ABORTED"
    keys = {item["key"]["S"] for item in stack.items(arn)}
    assert "customerId" in keys
    assert not {"results", "processedCount"} & keys
    assert eventually(lambda: all("retired" in item for item in stack.items(arn)))


def _children(stack: LocalStack) -> set[str]:
    listed = stack.client("stepfunctions").list_executions(stateMachineArn=stack.outputs["OrderWorkflowArn"])
    return {one["executionArn"] for one in listed["executions"] if one["name"].startswith("runstore-child-")}


# ---------------------------------------------------------------------------------------------- the sample workflow


def test_fan_outs_three_deep_end_together(sample: Machine) -> None:
    """Two by two by three branches, each level a fan-out of its own: all leaves run, then the run completes."""
    execution = sample.run({"data": {"widths": [2, 2, 3], "leaf": "count"}, "headers": {"from": "test"}})
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.output == {"headers": {"from": "test"}, "leaves": 12}
    assert sample.stack.items(execution.arn) == []


def test_300_branches_with_different_delays(sample: Machine) -> None:
    """300 branches, due one after the other within 3 seconds, run once each, through a tree of children."""
    execution = sample.run({"data": {"widths": [300], "leaf": "count", "delay": 1, "apart": 0.01}})
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.output["leaves"] == 300
    assert sample.stack.items(execution.arn) == []


def test_a_chain_of_60(sample: Machine) -> None:
    """Sixty steps one after the other."""
    execution = sample.run({"data": {"widths": [1], "leaf": "link", "left": 60}})
    assert execution.output["links"] == 60


def test_a_step_that_fails_twice_succeeds_and_counts_once(sample: Machine) -> None:
    """The third attempt succeeds, and what all three pushed and counted is there once."""
    execution = sample.run({"data": {"widths": [2], "leaf": "flaky"}})
    assert execution.status == "SUCCEEDED", execution.cause
    assert (len(execution.output["tries"]), execution.output["tried"]) == (2, 2)


def test_a_step_that_fails_for_good_stops_the_run(sample: Machine) -> None:
    """The execution fails with the error of a step in a child; nothing that waited runs, and the hook runs once."""
    execution = sample.run({"data": {"widths": [2, 3], "leaf": "one_breaks", "wait": 4}})
    assert (execution.status, execution.error) == ("FAILED", "BrokenError")
    assert json.loads(str(execution.cause))["errorMessage"].startswith("number 0 is broken (action one_breaks, step ")
    state = sample.state(execution.arn)
    assert "tooLate" not in state
    assert state["errorHooks"] == 1
    assert state["error"] == {"name": "BrokenError", "message": "number 0 is broken", "action": "one_breaks"}


def test_a_completion_hook_that_raises_does_not_fail_the_run(sample: Machine) -> None:
    """The run succeeds without output, and its state is deleted."""
    execution = sample.run({"data": {"widths": [1], "leaf": "count"}, "headers": {"hook": "raises"}})
    assert (execution.status, execution.output) == ("SUCCEEDED", None)
    assert sample.stack.items(execution.arn) == []
