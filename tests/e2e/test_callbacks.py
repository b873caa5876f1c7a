"""Time-outs, heartbeats and task tokens on the local stack."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.recording import branches, refused, wait
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from tests.e2e.recording import RecordingStates


def test_a_callback_inside_a_map_is_answered(states: RecordingStates) -> None:
    """A task in an iteration waits for its token, within the time that a path gives."""
    task = states.wait_for_token(TimeoutSecondsPath="$.timeout")
    processor = {"StartAt": "Wait", "States": {"Wait": task}}
    each = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor, "End": True}
    arn = states.machines.start(states.machines.create({"Each": each}), {"items": [{"timeout": 60}]})
    token = states.token(arn)
    assert len(token) > 600
    states.client.send_task_success(taskToken=token, output='{"approved": true}')
    assert states.stack.wait(arn).output == [{"approved": True}]


@pytest.mark.parametrize("field", [{"TimeoutSeconds": 1}, {"TimeoutSecondsPath": "$.limit"}])
def test_a_callback_that_does_not_come_in_time(states: RecordingStates, field: dict[str, Any]) -> None:
    """The task times out; its token is answered with TaskTimedOut afterwards."""
    catch = [{"ErrorEquals": ["States.Timeout"], "ResultPath": "$.caught", "Next": "Caught"}]
    machine = {"Wait": states.wait_for_token(**field, Catch=catch), "Caught": {"Type": "Succeed"}}
    execution = states.machines.run(machine, {"limit": 1})
    assert execution.output["caught"]["Error"] == "States.Timeout"
    with pytest.raises(ClientError) as raised:
        states.client.send_task_success(taskToken=states.token(execution.arn), output="{}")
    assert refused(raised) == "TaskTimedOut"


@pytest.mark.parametrize("limit", [0, -1, 1.5, "soon", None, True])
def test_a_timeout_path_must_lead_to_a_positive_integer(states: RecordingStates, limit: Any) -> None:
    """Anything else fails the execution with States.Runtime, which nothing catches."""
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    task = states.wait_for_token(TimeoutSecondsPath="$.limit", Catch=catch)
    execution = states.machines.run({"Wait": task, "Caught": {"Type": "Succeed"}}, {"limit": limit})
    assert (execution.status, execution.error) == ("FAILED", "States.Runtime")


def test_a_timeout_may_be_an_expression(states: RecordingStates) -> None:
    """JSONata gives the number of seconds."""
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Arguments": {
            "FunctionName": states.token_function,
            "Payload": {
                "table": states.stack.table_name,
                "run": "{% $states.context.Execution.Id %}",
                "token": "{% $states.context.Task.Token %}",
            },
        },
        "TimeoutSeconds": "{% $states.input.limit %}",
        "End": True,
    }
    execution = states.machines.run({"Wait": task}, {"limit": 1}, QueryLanguage="JSONata")
    assert (execution.status, execution.error) == ("FAILED", "States.Timeout")


def test_heartbeats_keep_a_task_alive_and_their_absence_ends_it(states: RecordingStates) -> None:
    """A task whose heartbeats stop fails with States.HeartbeatTimeout; each heartbeat begins the time anew."""
    arn = states.machines.start(states.machines.create({"Wait": states.wait_for_token(HeartbeatSeconds=3)}))
    token = states.token(arn)
    for _ in range(3):
        time.sleep(1.5)  # three of them outlast one heartbeat
        states.client.send_task_heartbeat(taskToken=token)
    assert states.stack.describe(arn).status == "RUNNING"
    assert states.stack.wait(arn).error == "States.HeartbeatTimeout"


def test_a_function_that_fails_fails_the_task_that_waits_for_its_callback(states: RecordingStates) -> None:
    """The error of the invocation is the task's error."""
    payload = {"table": states.stack.table_name, "run.$": "$$.Execution.Id", "note": "called", "fail": True}
    task = states.invoke(states.function, payload, ".waitForTaskToken", TimeoutSeconds=60)
    execution = states.machines.run({"Wait": task})
    assert (execution.status, execution.error) == ("FAILED", "ValueError")


def test_a_retry_has_a_token_of_its_own(states: RecordingStates) -> None:
    """The second attempt gets another token, and the first one's is over."""
    retry = [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    task = states.wait_for_token(TimeoutSeconds=2, Retry=retry)
    arn = states.machines.start(states.machines.create({"Wait": task}))
    first = states.token(arn)
    second = states.token(arn, frozenset({first}))
    with pytest.raises(ClientError) as raised:
        states.client.send_task_success(taskToken=first, output="{}")
    assert refused(raised) == "TaskTimedOut"
    states.client.send_task_success(taskToken=second, output='"second"')
    assert states.stack.wait(arn).output == "second"


def test_branches_of_a_parallel_state_have_tokens_of_their_own(states: RecordingStates) -> None:
    """Each branch waits for its own token, also when they run at the same time."""
    first, second = {"Wait1": states.wait_for_token()}, {"Wait2": states.wait_for_token()}
    machine = states.machines.create({"Both": branches("Parallel", first, second)})
    arn = states.machines.start(machine, {"items": []})
    tokens = eventually(lambda: found if len(found := list(states.notes(arn))) == 2 else [])
    for number, token in enumerate(tokens):
        states.client.send_task_success(taskToken=token, output=json.dumps(number))
    assert sorted(states.stack.wait(arn).output) == [0, 1]


def test_branches_of_a_parallel_state_share_neither_variables_nor_context(states: RecordingStates) -> None:
    """Each branch keeps its own variables and context while the other changes its own, and the machine keeps its."""
    resource = "arn:aws:states:::lambda:invoke.waitForTaskToken"
    payload = {
        "table": states.stack.table_name,
        "run": "{% $states.context.Execution.Id %}",
        "token": "{% $who & ' ' & $states.context.Task.Token %}",
    }

    def branch(who: str) -> dict[str, Any]:
        arguments = {"FunctionName": states.token_function, "Payload": payload}
        output = {"who": "{% $who %}", "state": "{% $states.context.State.Name %}", "is": "{% $states.input %}"}
        return {
            f"Name {who}": {"Type": "Pass", "Assign": {"who": who}, "Next": f"Wait {who}"},
            f"Wait {who}": {"Type": "Task", "Resource": resource, "Arguments": arguments, "Next": f"Tell {who}"},
            f"Tell {who}": {"Type": "Pass", "Output": output, "End": True},
        }

    both = {**branches("Parallel", branch("one"), branch("two")), "Next": "Tell"}
    del both["End"]
    machine = {
        "Name": {"Type": "Pass", "Assign": {"who": "outer"}, "Next": "Both"},
        "Both": both,
        "Tell": {"Type": "Pass", "Output": {"who": "{% $who %}", "branches": "{% $states.input %}"}, "End": True},
    }
    arn = states.machines.start(states.machines.create(machine, QueryLanguage="JSONata"))
    # Both branches have named themselves and wait: only then does the first go on, so the order is always the same.
    noted = eventually(lambda: found if len(found := list(states.notes(arn))) == 2 else [])
    tokens = dict(note.split(" ") for note in noted)
    assert tokens.keys() == {"one", "two"}
    assert tokens["one"] != tokens["two"]
    for who in ("two", "one"):
        states.client.send_task_success(taskToken=tokens[who], output=json.dumps(f"for {who}"))
    told = [{"who": who, "state": f"Tell {who}", "is": f"for {who}"} for who in ("one", "two")]
    assert states.stack.wait(arn).output == {"who": "outer", "branches": told}


def test_answers_to_tokens_that_are_not_waited_for(states: RecordingStates) -> None:
    """A token that never was is invalid; one that was answered, or whose execution was stopped, is over."""
    with pytest.raises(ClientError) as raised:
        states.client.send_task_success(taskToken="x" * 100, output="{}")
    assert refused(raised) == "InvalidToken"
    machine = states.machines.create({"Wait": states.wait_for_token()})
    arn = states.machines.start(machine)
    token = states.token(arn)
    with pytest.raises(ClientError) as raised:
        states.client.send_task_success(taskToken=token, output="{not JSON")
    assert refused(raised) == "InvalidOutput"
    states.client.send_task_success(taskToken=token, output="{}")
    stopped = states.machines.start(machine)
    stopped_token = states.token(stopped)
    states.client.stop_execution(executionArn=stopped)
    for each in (token, stopped_token):
        with pytest.raises(ClientError) as raised:
            states.client.send_task_failure(taskToken=each, error="E")
        assert refused(raised) == "TaskTimedOut"


def test_a_machine_that_runs_too_long_times_out(states: RecordingStates) -> None:
    """TimeoutSeconds of the machine ends the execution, whatever it is doing."""
    execution = states.machines.run({"Wait": wait(60, "Late"), "Late": states.note("late")}, TimeoutSeconds=1)
    assert (execution.status, execution.error) == ("TIMED_OUT", "States.Timeout")
    assert states.machines.history(execution.arn)[-1]["type"] == "ExecutionTimedOut"


def test_a_timestamp_is_cut_to_seconds(states: RecordingStates) -> None:
    """A Wait until a second and 900 milliseconds is over when the second begins."""
    target = int(time.time()) + 4
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(target)) + ".900Z"
    execution = states.machines.run(
        {"Wait": {"Type": "Wait", "TimestampPath": "$.until", "End": True}}, {"until": text}
    )
    events = states.machines.history(execution.arn)
    (exited,) = [event["timestamp"].timestamp() for event in events if event["type"] == "WaitStateExited"]
    assert target <= exited < target + 0.9
