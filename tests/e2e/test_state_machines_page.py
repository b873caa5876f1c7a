"""The Map of docs/state-machines.md, run as printed: in one execution, in several, and under a name used again."""

import json
import uuid
from typing import Any

import pytest

from infra.local import Execution, LocalStack
from tests.repository.pages import state

FAN_OUT = state("docs/state-machines.md")
RETRY = state("docs/state-machines.md", 2)["Retry"]
BRANCHES = 5


def create(stack: LocalStack, definition: Any) -> str:
    """Create a state machine whose role may call the functions and start others, and return its ARN."""
    name = f"readme-{uuid.uuid4().hex[:8]}"
    trusted = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    actions = ["lambda:InvokeFunction", "states:StartExecution", "states:DescribeExecution"]
    allowed = [{"Effect": "Allow", "Action": actions, "Resource": "*"}]
    iam = stack.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trusted]}))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=json.dumps({"Statement": allowed}))
    text = json.dumps(definition)
    for function in ("IncrementCounter", "CompleteRun"):
        text = text.replace(f"${{{function}Arn}}", stack.outputs[f"{function}FunctionArn"])
    created = stack.client("stepfunctions").create_state_machine(name=name, roleArn=role, definition=text)
    arn: str = created["stateMachineArn"]
    return arn


def run(stack: LocalStack, machine: str, **options: str) -> Execution:
    """Run a machine over an order to its end."""
    document = json.dumps({"line_items": [{"id": number} for number in range(BRANCHES)]})
    started = stack.client("stepfunctions").start_execution(stateMachineArn=machine, input=document, **options)
    return stack.wait(started["executionArn"])


@pytest.mark.parametrize("mode", ["INLINE", "DISTRIBUTED"])
def test_every_branch_counts_in_the_run_of_the_execution(stack: LocalStack, mode: str) -> None:
    """The printed Map counts each of its branches once, whichever way it is run."""
    processor = FAN_OUT["LineItems"]["ItemProcessor"] | {"ProcessorConfig": {"Mode": mode, "ExecutionType": "STANDARD"}}
    fan_out = FAN_OUT["LineItems"] | {"ItemProcessor": processor}
    execution = run(stack, create(stack, {"StartAt": "LineItems", "States": {"LineItems": fan_out}}))
    assert execution.status == "SUCCEEDED", execution.cause
    assert stack.invoke("get_value", {"runId": execution.arn, "key": "processedCount"})["value"] == BRANCHES


def test_child_executions_count_in_the_run_of_their_root(stack: LocalStack) -> None:
    """Executions that the root starts for its branches count in its run, because it hands them its id."""
    count = FAN_OUT["LineItems"]["ItemProcessor"]
    child = create(stack, {"StartAt": count["StartAt"], "States": count["States"]})
    start = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": child, "Input": {"runId.$": "$.runId", "index.$": "$.index"}},
        "End": True,
    }
    fan_out = FAN_OUT["LineItems"] | {"ItemProcessor": {"StartAt": "Start", "States": {"Start": start}}}
    execution = run(stack, create(stack, {"StartAt": "LineItems", "States": {"LineItems": fan_out}}))
    assert execution.status == "SUCCEEDED", execution.cause
    assert stack.invoke("get_value", {"runId": execution.arn, "key": "processedCount"})["value"] == BRANCHES


def test_complete_run_as_the_first_state_clears_what_a_name_has_left(stack: LocalStack) -> None:
    """With the page's Retry: neither the counters nor the receipts of an earlier execution are met."""
    first = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "${CompleteRunArn}", "Payload": {"runId.$": "$$.Execution.Id"}},
        "ResultPath": None,
        "Retry": RETRY,
        "Next": "LineItems",
    }
    machine = create(stack, {"StartAt": "Clear", "States": {"Clear": first, **FAN_OUT}})
    again = f"{machine.replace(':stateMachine:', ':execution:')}:again"
    for token in [f"CountItem#{number}" for number in range(BRANCHES)] + ["another branch"]:
        stack.invoke("increment_counter", {"runId": again, "key": "processedCount", "token": token})
    for name in ("again", "new"):
        execution = run(stack, machine, name=name)
        assert execution.status == "SUCCEEDED", execution.cause
        assert stack.invoke("get_value", {"runId": execution.arn, "key": "processedCount"})["value"] == BRANCHES
        assert (execution.arn == again) is (name == "again")
