"""The example state machines, run to every end that an execution can have."""

import json
import time
from typing import Any

from infra.local import Execution, LocalStack
from tests.e2e.waiting import eventually

DAY = 86_400
FULL_DAYS = 366
FAILED_DAYS = 30
BRANCHES = 6


def order(*ids: str, delay: int = 0, customer: str = "c-1") -> dict[str, Any]:
    """Return an order for the fan-out."""
    return {"customer": {"id": customer}, "line_items": [{"id": each} for each in ids], "delaySeconds": delay}


def days_left(item: dict[str, Any]) -> float:
    """Return in how many days an item expires."""
    left: float = (int(item["expires_at"]["N"]) - time.time()) / DAY
    return left


def days_left_of(stack: LocalStack, run_id: str) -> list[float]:
    """Return in how many days each of a run's items expires."""
    return [days_left(item) for item in stack.items(run_id)]


def expire_within(stack: LocalStack, run_id: str, days: int) -> list[float]:
    """Return the days left of a run's items, once there are some and all are lowered to `days`."""

    def look() -> list[float]:
        left = days_left_of(stack, run_id)
        return left if left and max(left) <= days else []

    return eventually(look)


def status_change(execution: Execution, status: str, *, redrives: int = 0) -> dict[str, Any]:
    """Return the event that Step Functions sends to EventBridge."""
    now = int(time.time() * 1_000)
    return {
        "version": "0",
        "source": "aws.states",
        "region": execution.arn.split(":")[3],
        "account": execution.arn.split(":")[4],
        "detail-type": "Step Functions Execution Status Change",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "detail": {
            "executionArn": execution.arn,
            "stateMachineArn": execution.arn.replace(":execution:", ":stateMachine:").rpartition(":")[0],
            "status": status,
            "redriveCount": redrives,
            "redriveDate": now if redrives else None,
            "stopDate": None if status == "RUNNING" else now,
        },
    }


def failed_run(stack: LocalStack) -> Execution:
    """Run an order whose only branch fails for good, and wait until its state has been retired."""
    execution = stack.run("OrderFanout", order("x" * 70_000))
    assert expire_within(stack, execution.arn, FAILED_DAYS)
    return execution


def test_the_fan_out_collects_every_branch_and_leaves_nothing(stack: LocalStack) -> None:
    """Every branch of an order pushes once and counts once, the state is read back, and no item stays."""
    ids = [f"item-{number}" for number in range(BRANCHES)]
    execution = stack.run("OrderFanout", order(*ids))
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.output["customerId"] == "c-1"
    assert execution.output["processedCount"] == BRANCHES
    results = execution.output["results"]
    assert sorted(result["id"] for result in results) == ids
    assert {result["status"] for result in results} == {"done"}
    assert stack.items(execution.arn) == []


def test_the_delay_is_ten_seconds_unless_the_order_says_otherwise(stack: LocalStack) -> None:
    """An order without delaySeconds enters its branches with the ten seconds of the document."""
    document = order("a")
    del document["delaySeconds"]
    execution_arn = stack.start_execution("OrderFanout", document)
    states = stack.client("stepfunctions")

    def entered() -> list[dict[str, Any]]:
        events = states.get_execution_history(executionArn=execution_arn)["events"]
        return [event for event in events if event["type"] == "MapStateEntered"]

    (fan_out,) = eventually(entered)
    states.stop_execution(executionArn=execution_arn)
    assert json.loads(fan_out["stateEnteredEventDetails"]["input"])["delaySeconds"] == 10


def test_runs_do_not_see_each_other(stack: LocalStack) -> None:
    """Two executions at the same time count and collect for themselves."""
    first = stack.start_execution("OrderFanout", order("a", "b", customer="one"))
    second = stack.start_execution("OrderFanout", order("c", customer="two"))
    ends = [stack.wait(first), stack.wait(second)]
    assert [(end.output["customerId"], end.output["processedCount"]) for end in ends] == [("one", 2), ("two", 1)]


def test_the_jsonata_example_adds_exactly(stack: LocalStack) -> None:
    """The second example sums decimal amounts without rounding and leaves nothing."""
    execution = stack.run("CounterJsonata", {"amounts": [0.1, 0.1, 0.1, 5, -2]})
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.output == {"total": 3.3}
    assert stack.items(execution.arn) == []


def test_a_permanent_error_ends_the_execution_under_its_own_name(stack: LocalStack) -> None:
    """An error that only another request can mend is not retried and reaches the execution's error."""
    execution = stack.run("OrderFanout", order("a", customer="y" * 70_000))
    assert (execution.status, execution.error) == ("FAILED", "ValueTooLargeError")
    assert stack.items(execution.arn) == []


def test_a_failed_run_is_kept_for_a_redrive(stack: LocalStack) -> None:
    """retire_run lowers the expiry of a failed run's items to the failed retention and deletes none."""
    execution = failed_run(stack)
    assert (execution.status, execution.error) == ("FAILED", "ValueTooLargeError")
    assert all(left > FAILED_DAYS - 1 for left in days_left_of(stack, execution.arn))
    assert stack.invoke("get_value", {"runId": execution.arn, "key": "customerId"})["value"] == "c-1"


def test_an_aborted_run_is_kept_too(stack: LocalStack) -> None:
    """A run that is stopped while its branches wait keeps its state with the lowered expiry."""
    execution_arn = stack.start_execution("OrderFanout", order("a", "b", delay=60))
    assert eventually(lambda: stack.items(execution_arn))
    stack.client("stepfunctions").stop_execution(executionArn=execution_arn)
    assert stack.wait(execution_arn).status == "ABORTED"
    assert expire_within(stack, execution_arn, FAILED_DAYS)


def test_a_redrive_restores_the_full_expiry(stack: LocalStack) -> None:
    """RUNNING after a redrive gives a kept run its full expiry back, and the older FAILED event cannot undo it."""
    execution = failed_run(stack)
    failure = status_change(execution, "FAILED")
    answer = stack.invoke("retire_run", status_change(execution, "RUNNING", redrives=1))
    assert answer == {"runId": execution.arn, "status": "RUNNING", "deleted": 0, "retained": 1}
    assert min(days_left_of(stack, execution.arn)) > FULL_DAYS - 1
    stack.invoke("retire_run", failure)
    assert min(days_left_of(stack, execution.arn)) > FULL_DAYS - 1


def test_a_succeeded_event_deletes_what_the_completion_state_did_not(stack: LocalStack) -> None:
    """A run whose workflow forgot its completion state is deleted when its execution has succeeded."""
    execution = failed_run(stack)
    assert stack.invoke("retire_run", status_change(execution, "SUCCEEDED", redrives=1))["deleted"] == 1
    assert stack.items(execution.arn) == []


def test_a_straggler_leaves_only_an_item_that_expires(stack: LocalStack) -> None:
    """A write after completion is a new list of its own, it expires, and completing again deletes it."""
    execution = stack.run("OrderFanout", order("a", "b"))
    event = {"runId": execution.arn, "key": "results", "item": "late", "token": "PushResult#0"}
    assert stack.invoke("push_item", event) == {"key": "results", "length": 1}
    (left,) = days_left_of(stack, execution.arn)
    assert FULL_DAYS - 1 < left <= FULL_DAYS
    assert stack.invoke("complete_run", {"runId": execution.arn}) == {"runId": execution.arn, "deleted": 1}
    assert stack.items(execution.arn) == []
