"""What executions on the local stack may hold, and what their children are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.e2e.recording import branches, refused, wait
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from tests.e2e.recording import RecordingStates

MAX_BYTES = 262_144
DONE = {"Type": "Pass", "End": True}


def test_a_state_holds_at_most_262144_bytes(states: RecordingStates) -> None:
    """The largest output passes, one byte more fails the execution with an error that States.ALL does not catch."""
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]

    double = {"Type": "Pass", "Parameters": {"a.$": "$.text", "b.$": "$.text"}, "End": True}
    processor = {"StartAt": "Double", "States": {"Double": double}}
    each = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor, "Catch": catch, "End": True}
    machine = {"Each": each, "Caught": {"Type": "Succeed"}}
    frame = len('[{"a":"","b":""}]')
    fits = (MAX_BYTES - frame) // 4
    assert states.machines.run(machine, {"items": [{"text": "é" * fits}]}).status == "SUCCEEDED"
    failed = states.machines.run(machine, {"items": [{"text": "é" * (fits + 1)}]})
    assert (failed.status, failed.error) == ("FAILED", "States.DataLimitExceeded")


def test_a_result_that_is_too_large_fails_the_task(states: RecordingStates) -> None:
    """What a function returns counts before ResultSelector can shorten it."""
    payload = {"table": states.stack.table_name, "run.$": "$$.Execution.Id", "note": "n", "answer.$": "$.text"}
    twice = {**states.invoke(states.function, payload), "ResultSelector": {"status.$": "$.StatusCode"}}
    execution = states.machines.run({"Call": twice}, {"text": "x" * (MAX_BYTES - 200)})
    assert (execution.status, execution.error) == ("FAILED", "States.DataLimitExceeded")


def test_a_history_holds_at_most_25000_events(states: RecordingStates) -> None:
    """A loop that never ends fails with the last event that there is room for."""
    execution = states.machines.run({"Loop": {"Type": "Pass", "Next": "Loop"}})
    assert (execution.status, execution.error) == ("FAILED", "States.Runtime")
    assert "maximum number of history events" in str(execution.cause)
    assert len(states.machines.history(execution.arn)) == 25_000


def test_the_history_tells_which_event_led_to_which(states: RecordingStates) -> None:
    """Events inside a Map are there, with AWS's names and the numbers of their predecessors."""
    arn = states.machines.run({"Both": branches("Map", {"A": states.note("a")}, {"B": DONE})}, {"items": [0, 1]}).arn
    events = states.machines.history(arn)
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    by_id = {event["id"]: event for event in events}
    (started,) = [event for event in events if event["type"] == "TaskStarted"]
    assert started["taskStartedEventDetails"] == {"resourceType": "lambda", "resource": "invoke"}
    line = [started]
    while line[-1].get("previousEventId", 0):
        line.append(by_id[line[-1]["previousEventId"]])
    assert [event["type"] for event in reversed(line)] == [
        "ExecutionStarted",
        "MapStateEntered",
        "MapStateStarted",
        "MapIterationStarted",
        "ChoiceStateEntered",
        "ChoiceStateExited",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
    ]


def test_a_role_without_a_permission_fails_the_task(states: RecordingStates) -> None:
    """A state machine may do what its role allows, and nothing else."""
    iam, name = states.stack.client("iam"), "may-do-nothing"
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    machine = states.machines.create({"Call": states.note("called")})
    states.client.update_state_machine(stateMachineArn=machine, roleArn=made["Role"]["Arn"])
    execution = states.stack.wait(states.machines.start(machine))
    assert (execution.status, execution.error) == ("FAILED", "Lambda.AWSLambdaException")
    assert "is not authorized to perform: lambda:InvokeFunction" in str(execution.cause)
    assert states.notes(execution.arn) == {}


def test_an_input_that_is_too_large_or_not_json_is_refused(states: RecordingStates) -> None:
    """StartExecution refuses it, and starts nothing."""
    machine = states.machines.create({"Done": {"Type": "Succeed"}})
    for text, name in ((json.dumps("x" * MAX_BYTES), "ValidationException"), ("{", "InvalidExecutionInput")):
        with pytest.raises(ClientError) as raised:
            states.client.start_execution(stateMachineArn=machine, input=text)
        assert refused(raised) == name
    assert states.client.list_executions(stateMachineArn=machine)["executions"] == []


def test_the_same_name_and_input_start_one_execution(states: RecordingStates) -> None:
    """A repeated StartExecution returns the running execution; with another input it is refused."""
    machine = states.machines.create({"Wait": wait(60, "Done"), "Done": {"Type": "Succeed"}})
    arns = {
        states.client.start_execution(stateMachineArn=machine, name="one", input="{}")["executionArn"] for _ in range(2)
    }
    assert len(arns) == 1
    with pytest.raises(ClientError) as raised:
        states.client.start_execution(stateMachineArn=machine, name="one", input="[]")
    assert refused(raised) == "ExecutionAlreadyExists"
    states.client.stop_execution(executionArn=arns.pop())


def test_nested_executions_send_their_status_events(states: RecordingStates) -> None:
    """A child that fails tells EventBridge so, and fails its parent's task with what became of it as the cause."""
    child = states.machines.create({"Fail": {"Type": "Fail", "Error": "Broken", "Cause": "why"}})
    queue = states.stack.client("sqs").create_queue(QueueName="status-events")["QueueUrl"]
    events = states.stack.client("events")
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [child]}}
    events.put_rule(Name="nested", EventPattern=json.dumps(pattern))
    arn = states.stack.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    events.put_targets(Rule="nested", Targets=[{"Id": "queue", "Arn": arn["Attributes"]["QueueArn"]}])
    start = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": child},
        "End": True,
    }
    execution = states.machines.run({"Start": start})
    assert (execution.status, execution.error) == ("FAILED", "States.TaskFailed")
    cause = json.loads(str(execution.cause))
    assert (cause["Status"], cause["Error"], cause["Cause"]) == ("FAILED", "Broken", "why")
    seen: list[str] = []

    def look() -> bool:
        answer = states.stack.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        seen.extend(json.loads(message["Body"])["detail"]["status"] for message in answer.get("Messages", []))
        return sorted(seen) == ["FAILED", "RUNNING"]

    assert eventually(look), seen


def test_a_child_of_a_distributed_map_is_an_execution_of_its_own(states: RecordingStates) -> None:
    """Its context object has its own id, not its parent's."""
    show = {"Type": "Pass", "Parameters": {"id.$": "$$.Execution.Id"}, "End": True}
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Show",
        "States": {"Show": show},
    }
    each = {"Type": "Map", "Label": "Each", "ItemsPath": "$.items", "ItemProcessor": processor, "End": True}
    execution = states.machines.run({"Each": each}, {"items": [1, 2]})
    ids = {one["id"] for one in execution.output}
    assert len(ids) == 2
    assert all("/Each:" in one for one in ids)
