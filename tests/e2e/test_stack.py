"""What template.yaml gives beside its workflows: permissions, expiry, failures that are not lost."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest

from infra.local import FunctionError, LocalStack
from tests.e2e.waiting import eventually


def role_of(stack: LocalStack, function: str) -> str:
    """Return the name of a function's role."""
    configuration = stack.client("lambda").get_function_configuration(
        FunctionName=stack.outputs[f"{function}FunctionArn"]
    )
    name: str = configuration["Role"].rpartition("/")[2]
    return name


@contextmanager
def denied(stack: LocalStack, function: str, action: str) -> Iterator[None]:
    """Take one permission away from a function."""
    iam, role = stack.client("iam"), role_of(stack, function)
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=document)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="denied")


def test_every_function_answers_as_the_contract_says(stack: LocalStack) -> None:
    """The operations give their documented results when they are invoked one after the other."""
    run = {"runId": "contract"}
    calls: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("set_value", {"key": "a", "value": None}, {"key": "a"}),
        ("get_value", {"key": "a"}, {"key": "a", "value": None, "found": True}),
        ("get_value", {"key": "b"}, {"key": "b", "value": None, "found": False}),
        ("push_item", {"key": "l", "items": [1, 2, 3]}, {"key": "l", "length": 3}),
        ("get_value", {"key": "l", "start": 1, "limit": 1}, {"key": "l", "value": [2], "found": True}),
        ("increment_counter", {"key": "n", "delta": -2}, {"key": "n", "value": -2}),
        ("delete_key", {"key": "n"}, {"key": "n"}),
        ("complete_run", {}, {"runId": "contract", "deleted": 2}),
        ("complete_run", {}, {"runId": "contract", "deleted": 0}),
    ]
    for function, event, expected in calls:
        assert stack.invoke(function, run | event) == expected, function


def test_long_lists_need_no_more_permission_than_the_template_gives(stack: LocalStack) -> None:
    """Tokens, overflow, replacing and deleting a long list all stay within each function's own actions."""
    run = {"runId": "long"}
    for number in range(40):
        event = run | {"key": "l", "item": "x" * 100, "token": f"t{number}"}
        assert stack.invoke("push_item", event)["length"] == number + 1
    assert stack.invoke("push_item", run | {"key": "l", "item": "again", "token": "t7"})["length"] == 8
    for number in range(40):
        event = run | {"key": "n", "token": f"a rather long token, to fill the counter's item sooner: {number}"}
        assert stack.invoke("increment_counter", event)["value"] == number + 1
    assert len(stack.invoke("get_value", run | {"key": "l"})["value"]) == 40
    stack.invoke("set_value", run | {"key": "l", "value": ["short"]})
    stack.invoke("push_item", run | {"key": "l", "items": ["y" * 300] * 10})
    stack.invoke("delete_key", run | {"key": "l"})
    stack.invoke("delete_key", run | {"key": "n"})
    assert stack.invoke("get_value", run | {"key": "l"})["found"] is False
    stack.invoke("complete_run", run)
    assert stack.items("long") == []


def test_a_missing_permission_is_a_configuration_error(stack: LocalStack) -> None:
    """The stack enforces its roles: a function without an action fails, and its error says so."""
    with denied(stack, "DeleteKey", "dynamodb:DeleteItem"), pytest.raises(FunctionError) as raised:
        stack.invoke("delete_key", {"runId": "denied", "key": "k"})
    assert raised.value.name == "ConfigurationError"


def test_a_throttled_function_is_retried_until_it_answers(stack: LocalStack) -> None:
    """A Lambda service error in a branch is retried by its own name, and the run still comes out right."""
    functions, name = stack.client("lambda"), stack.outputs["IncrementCounterFunctionArn"]
    states = stack.client("stepfunctions")
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        arn = stack.start_execution("CounterJsonata", {"amounts": [4]})

        def failures() -> list[Any]:
            events = states.get_execution_history(executionArn=arn)["events"]
            return [event for event in events if event["type"] in {"TaskFailed", "LambdaFunctionFailed"}]

        assert eventually(failures)
    finally:
        functions.delete_function_concurrency(FunctionName=name)
    assert stack.wait(arn).output == {"total": 4}


def test_an_event_that_cannot_be_handled_is_kept(stack: LocalStack) -> None:
    """An event that retire_run fails on three times is in the dead-letter queue with the reason."""
    functions, queue = stack.client("lambda"), stack.client("sqs")
    functions.invoke(
        FunctionName=stack.outputs["RetireRunFunctionArn"], InvocationType="Event", Payload=b'{"no": "event"}'
    )
    url = stack.outputs["DeadLetterQueueUrl"]
    messages = eventually(lambda: queue.receive_message(QueueUrl=url).get("Messages"))
    assert json.loads(messages[0]["Body"])["requestPayload"] == {"no": "event"}


def test_the_table_expires_items(stack: LocalStack) -> None:
    """TTL is on, on the attribute that the store writes."""
    found = stack.client("dynamodb").describe_time_to_live(TableName=stack.table_name)["TimeToLiveDescription"]
    assert found == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}


def test_the_layer_holds_the_package_and_nothing_else(stack: LocalStack) -> None:
    """A step of a user's own gets runstore from the layer, where Lambda looks for it, and no other file."""
    s3 = stack.client("s3")
    (key,) = [item["Key"] for item in s3.list_objects_v2(Bucket="packages", Prefix="infra-layer-")["Contents"]]
    package = s3.get_object(Bucket="packages", Key=key)["Body"].read()

    names = ZipFile(BytesIO(package)).namelist()
    assert "python/runstore/__init__.py" in names
    assert {name.split("/")[1].partition("-")[0] for name in names} == {"runstore"}  # and its metadata
    assert not [name for name in names if name.endswith(".pyc")]
