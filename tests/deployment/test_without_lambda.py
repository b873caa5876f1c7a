"""State machines that use the table by Step Functions' own DynamoDB integration, beside the store."""

import json
import re
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infra.local import Execution, LocalStack
from infra.local.project import ROOT
from runstore import RunStore
from runstore.model.items import UNIT_SEPARATOR
from tests.backends import Backend

DEFINITION = (ROOT / "infra" / "statemachines" / "direct_dynamodb.asl.json").read_text("utf-8")
FUNCTIONS = ("SetValue", "GetValue", "IncrementCounter", "CompleteRun")
TABLE_ACTIONS = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:GetItem"]
TTL_DAYS = 366


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """A local stack; nothing in it waits."""
    with LocalStack.start(wait_scale=0) as started:
        yield started


def machine(stack: LocalStack, *, condition: bool = True, complete: bool = True) -> str:
    """Create the state machine, with a role that allows it three actions on the table, and return its ARN.

    `condition` False leaves out the store's condition; `complete` False ends before the run is deleted.
    """
    arns = {f"{name}Arn": stack.outputs[f"{name}FunctionArn"] for name in FUNCTIONS}
    values = {**arns, "TableName": stack.table_name, "TtlDays": str(TTL_DAYS)}
    definition = json.loads(re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], DEFINITION))
    states = definition["States"]
    # ministack's own integration changes items from several threads without a lock, which DynamoDB does not.
    states["Amounts"]["MaxConcurrency"] = 1
    if not condition:
        arguments = states["Amounts"]["ItemProcessor"]["States"]["Add"]["Arguments"]
        del arguments["ConditionExpression"], arguments["ExpressionAttributeValues"][":now"]
        for name in ("#run_id", "#weight", "#capacity"):
            del arguments["ExpressionAttributeNames"][name]
    if not complete:
        states["Complete"] = {"Type": "Succeed"}
    name = f"direct-{uuid.uuid4().hex[:8]}"
    trusted = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    allowed = [
        {"Effect": "Allow", "Action": TABLE_ACTIONS, "Resource": stack.outputs["TableArn"]},
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": list(arns.values())},
    ]
    iam = stack.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trusted]}))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=json.dumps({"Statement": allowed}))
    created = stack.client("stepfunctions").create_state_machine(
        name=name, roleArn=role, definition=json.dumps(definition)
    )
    arn: str = created["stateMachineArn"]
    return arn


def execute(stack: LocalStack, machine_arn: str, document: Any, name: str | None = None) -> Execution:
    """Run an execution to its end."""
    name = name or uuid.uuid4().hex
    started = stack.client("stepfunctions").start_execution(
        stateMachineArn=machine_arn, name=name, input=json.dumps(document)
    )
    return stack.wait(started["executionArn"])


def execution_arn(machine_arn: str, name: str) -> str:
    """Return the ARN that an execution will have: its run can be prepared before it starts."""
    return f"{machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


def store_of(stack: LocalStack, run_id: str) -> RunStore:
    """Return the store of a run, as any step of the workflow would have it."""
    return RunStore(run_id, table_name=stack.table_name, client=stack.client("dynamodb"))


def calls(stack: LocalStack, execution: Execution) -> set[str]:
    """Return which states an execution has entered."""
    pages = stack.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution.arn)
    events = [event for page in pages for event in page["events"]]
    return {event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event}


def used_up(stack: LocalStack, store: RunStore, key: str) -> int:
    """Count with tokens until the counter goes on in another item; return its value."""
    for number in range(1, 200):
        store.increment(key, token=f"used-{number}")
        if any(UNIT_SEPARATOR in item["key"]["S"] for item in stack.items(store.run_id)):
            return number
    raise AssertionError("the counter never outgrew its first item")


CUSTOMERS = {"text": 'Zoë "the" first', "object": {"id": 7, "tags": ["a", None]}, "truth": True}


@pytest.mark.parametrize("customer", CUSTOMERS.values(), ids=CUSTOMERS.keys())
def test_what_a_state_machine_writes_the_store_reads(stack: LocalStack, customer: Any) -> None:
    """A value and a counter that Step Functions wrote by itself are the store's: it reads them and counts on."""
    execution = execute(stack, machine(stack, complete=False), {"customer": customer, "amounts": [5, 2.5, -1]})
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.output == {"total": 6.5}
    assert not {state for state in calls(stack, execution) if state.endswith("ByLambda")}
    store = store_of(stack, execution.arn)
    assert store.snapshot() == {"customer": customer, "total": 6.5}
    assert store.increment("total", 0.5) == 7
    now = time.time()
    for item in stack.items(execution.arn):
        assert now < int(item["expires_at"]["N"]) <= now + TTL_DAYS * 86_400 + 60


def test_the_completion_removes_what_the_state_machine_wrote(stack: LocalStack) -> None:
    """complete_run knows no difference between the store's items and these."""
    execution = execute(stack, machine(stack), {"customer": "C-1", "amounts": list(range(20))})
    assert (execution.status, execution.output) == ("SUCCEEDED", {"total": 190})
    assert stack.items(execution.arn) == []


def test_a_counter_beyond_one_item_is_left_to_the_function(stack: LocalStack) -> None:
    """Where the condition is false the Lambda function counts and reads, so that nothing is lost."""
    machine_arn, name = machine(stack, complete=False), uuid.uuid4().hex
    store = store_of(stack, execution_arn(machine_arn, name))
    before = used_up(stack, store, "total")
    execution = execute(stack, machine_arn, {"customer": "C-1", "amounts": [10, 20]}, name)
    assert (execution.status, execution.output) == ("SUCCEEDED", {"total": before + 30})
    assert "ReadTotalByLambda" in calls(stack, execution)


def test_without_the_condition_updates_are_lost(stack: LocalStack) -> None:
    """The same run without the condition: DynamoDB adds to an item that no longer counts, and says nothing."""
    machine_arn, name = machine(stack, condition=False, complete=False), uuid.uuid4().hex
    store = store_of(stack, execution_arn(machine_arn, name))
    before = used_up(stack, store, "total")
    execution = execute(stack, machine_arn, {"customer": "C-1", "amounts": [10, 20]}, name)
    assert (execution.status, execution.output) == ("SUCCEEDED", {"total": before})
    assert store.get("total") == before


def test_increments_of_parallel_branches_are_not_lost(dynamodb_local_backend: Backend) -> None:
    """The request that the state machine sends is one atomic step: 16 writers at once lose nothing."""
    table_name, writers, each = dynamodb_local_backend.make_table(), 16, 10
    adding = json.loads(DEFINITION)["States"]["Amounts"]["ItemProcessor"]["States"]["Add"]["Arguments"]
    now = int(time.time())
    values: dict[str, Any] = {":delta": {"N": "1"}, ":now": {"N": str(now)}, ":expires_at": {"N": str(now + 3_600)}}
    client = dynamodb_local_backend.client(max_pool_connections=writers)
    request = adding | {
        "TableName": table_name,
        "Key": {"run_id": {"S": "run"}, "key": {"S": "total"}},
        "ExpressionAttributeValues": adding["ExpressionAttributeValues"] | values,
    }
    with ThreadPoolExecutor(writers) as pool:
        answers = list(pool.map(lambda _: client.update_item(**request), range(writers * each)))
    totals = sorted(int(answer["Attributes"]["number"]["N"]) for answer in answers)
    assert totals == list(range(1, writers * each + 1))
    assert RunStore("run", table_name=table_name, client=client).get("total") == writers * each


def test_an_expired_counter_begins_anew(stack: LocalStack) -> None:
    """An item whose time is over counts for nothing, though DynamoDB has not deleted it yet."""
    machine_arn, name = machine(stack, complete=False), uuid.uuid4().hex
    stale = {"kind": {"S": "number"}, "number": {"N": "1000"}, "expires_at": {"N": "1"}}
    key = {"run_id": {"S": execution_arn(machine_arn, name)}, "key": {"S": "total"}}
    stack.client("dynamodb").put_item(TableName=stack.table_name, Item=key | stale)
    execution = execute(stack, machine_arn, {"customer": "C-1", "amounts": [1, 2]}, name)
    assert (execution.status, execution.output) == ("SUCCEEDED", {"total": 3})


LONG = 4_111_111_111_111_111  # 16 digits: $string of JSONata keeps 15
LONG_NUMBERS = [LONG, 1_234_567.890_123_4567, -LONG]


@pytest.mark.parametrize("amount", LONG_NUMBERS)
def test_a_number_that_jsonata_cannot_write_goes_to_the_function(stack: LocalStack, amount: float) -> None:
    """Its digits all count, and they come back in full."""
    execution = execute(stack, machine(stack, complete=False), {"customer": "C-1", "amounts": [amount]})
    assert execution.status == "SUCCEEDED", execution.cause
    assert {"AddByLambda", "ReadTotalByLambda"} <= calls(stack, execution)
    assert execution.output == {"total": amount}
    assert store_of(stack, execution.arn).get("total") == amount


@pytest.mark.parametrize("customer", [{"card": LONG}, {"a": [{"b": 1, "c": [1_234_567.890_123_4567]}]}])
def test_a_value_with_such_a_number_goes_to_the_function(stack: LocalStack, customer: Any) -> None:
    """Wherever it is inside of the value."""
    execution = execute(stack, machine(stack, complete=False), {"customer": customer, "amounts": []})
    assert execution.status == "SUCCEEDED", execution.cause
    assert "SetCustomerByLambda" in calls(stack, execution)
    assert store_of(stack, execution.arn).get("customer") == customer


def test_only_what_is_safe_to_repeat_is_repeated() -> None:
    """An addition without a token is retried only where DynamoDB certainly did not do it."""
    states = json.loads(DEFINITION)["States"]
    safe = {
        "DynamoDB.ProvisionedThroughputExceededException",
        "DynamoDB.ThrottlingException",
        "DynamoDB.RequestLimitExceededException",
    }
    assert set(states["Amounts"]["ItemProcessor"]["States"]["Add"]["Retry"][0]["ErrorEquals"]) == safe
    for name in ("SetCustomer", "ReadTotal"):
        assert set(states[name]["Retry"][0]["ErrorEquals"]) > safe | {"DynamoDB.AmazonDynamoDBException"}


def test_a_key_of_another_kind_fails_by_the_function_s_own_error(stack: LocalStack) -> None:
    """A list is never counted on: the function says so, and the list is as it was."""
    machine_arn, name = machine(stack, complete=False), uuid.uuid4().hex
    store = store_of(stack, execution_arn(machine_arn, name))
    store.push("total", "not a number")
    execution = execute(stack, machine_arn, {"customer": "C-1", "amounts": [1]}, name)
    assert (execution.status, execution.error) == ("FAILED", "KeyTypeMismatchError")
    assert store.get("total") == ["not a number"]
