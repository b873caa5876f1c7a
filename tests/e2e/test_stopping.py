"""Executions on the local stack are stopped, fail and are redriven as they are on AWS."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.recording import branches, refused, then, wait
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from tests.e2e.recording import RecordingStates


@pytest.mark.parametrize("kind", ["Map", "Parallel"])
def test_stopping_an_execution_stops_its_branches(states: RecordingStates, kind: str) -> None:
    """Waits of branches end, and what would follow them does not run."""
    first = {"Begun": then(states.note("begun"), "Wait1"), "Wait1": wait(4, "Late1"), "Late1": states.note("late")}
    second = {"Wait2": wait(4, "Late2"), "Late2": states.note("late")}
    arn = states.machines.start(states.machines.create({"Both": branches(kind, first, second)}), {"items": [0, 1]})
    assert eventually(lambda: "begun" in states.notes(arn))
    states.client.stop_execution(executionArn=arn, error="Enough", cause="of this")
    time.sleep(5)
    ended = states.stack.describe(arn)
    assert (ended.status, ended.error, ended.cause) == ("ABORTED", "Enough", "of this")
    assert states.notes(arn) == {"begun": 1}


def test_stopping_an_execution_stops_the_child_that_it_waits_for(states: RecordingStates) -> None:
    """A child of startExecution.sync is aborted with its parent."""
    child = states.machines.create({"Wait": wait(60, "Late"), "Late": states.note("late")})
    start = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": child},
        "End": True,
    }
    arn = states.machines.start(states.machines.create({"Start": start}))

    def children(status: str) -> list[Any]:
        listed = states.client.list_executions(stateMachineArn=child, statusFilter=status)
        return list(listed["executions"])

    assert eventually(lambda: children("RUNNING"))
    states.client.stop_execution(executionArn=arn)
    assert eventually(lambda: children("ABORTED"))


@pytest.mark.parametrize("kind", ["Map", "Parallel"])
def test_the_first_failure_of_a_branch_stops_the_others(states: RecordingStates, kind: str) -> None:
    """The state fails at once with that branch's error; the others do not go on."""
    first = {"Fail": {"Type": "Fail", "Error": "Broken", "Cause": "first"}}
    second = {"Wait": wait(60, "Late"), "Late": states.note("late")}
    began = time.monotonic()
    execution = states.machines.run({"Both": branches(kind, first, second)}, {"items": [0, 1]})
    assert (execution.status, execution.error, execution.cause) == ("FAILED", "Broken", "first")
    assert time.monotonic() - began < 50
    assert states.notes(execution.arn) == {}


def test_an_execution_that_was_stopped_stays_so(states: RecordingStates) -> None:
    """A failure that comes after the abort does not change the status."""
    first = {"Wait": wait(2, "Fail"), "Fail": {"Type": "Fail", "Error": "Late"}}
    arn = states.machines.start(states.machines.create(first))
    states.client.stop_execution(executionArn=arn)
    time.sleep(3)
    assert states.stack.describe(arn).status == "ABORTED"


def test_a_redrive_goes_on_where_it_failed(states: RecordingStates) -> None:
    """What has succeeded is not run again; what failed and what it stopped is, with the input that it had."""
    fails_at_first = {"fail.$": "States.ArrayContains(States.Array(0), $$.Execution.RedriveCount)"}
    steps = {
        "Choose": {
            "Type": "Choice",
            "Choices": [{"Variable": "$", "NumericEquals": 1, "Next": "Count"}],
            "Default": "Done",
        },
        "Count": then(states.note("counted"), "Check"),
        "Check": then(states.note("checked", **fails_at_first), "Done"),
        "Done": then(states.note("done"), "End"),
        "End": {"Type": "Succeed"},
    }
    each = {
        "Type": "Map",
        "ItemsPath": "$.items",
        "MaxConcurrency": 1,
        "ItemProcessor": {"StartAt": "Choose", "States": steps},
        "Next": "After",
    }
    machine = states.machines.create(
        {"Before": then(states.note("before"), "Each"), "Each": each, "After": states.note("after")}
    )
    arn = states.machines.start(machine, {"items": [0, 1, 2]})
    assert states.stack.wait(arn).status == "FAILED"
    assert states.notes(arn) == {"before": 1, "done": 1, "counted": 1, "checked": 1}
    states.client.redrive_execution(executionArn=arn)
    assert states.stack.wait(arn).status == "SUCCEEDED"
    assert states.notes(arn) == {"before": 1, "done": 3, "counted": 1, "checked": 2, "after": 1}
    described = states.client.describe_execution(executionArn=arn)
    assert (described["redriveCount"], described["redriveStatus"]) == (1, "NOT_REDRIVABLE")
    with pytest.raises(ClientError) as raised:
        states.client.redrive_execution(executionArn=arn)
    assert refused(raised) == "ExecutionNotRedrivable"
