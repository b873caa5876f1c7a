"""State machines whose steps note in the table that they ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.e2e.lambdas import Lambdas
from tests.e2e.machines import Machines
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    import pytest
    from botocore.exceptions import ClientError

    from infra.local import LocalStack

RECORD_CALL = """
import boto3, os
table = boto3.client("dynamodb")
def handler(event, context):
    table.update_item(TableName=event["table"], Key={"run_id": {"S": event["run"]}, "key": {"S": event["note"]}},
                      UpdateExpression="ADD times :one", ExpressionAttributeValues={":one": {"N": "1"}})
    if event.get("fail"):
        raise ValueError("as asked for")
    return event.get("answer")
"""
RECORD_TOKEN = """
import boto3
table = boto3.client("dynamodb")
def handler(event, context):
    table.update_item(TableName=event["table"], Key={"run_id": {"S": event["run"]}, "key": {"S": event["token"]}},
                      UpdateExpression="SET times = :one", ExpressionAttributeValues={":one": {"N": "1"}})
"""


class RecordingStates:
    """State machines over a function that notes each call in the table."""

    def __init__(self, stack: LocalStack) -> None:
        self.machines = Machines(stack)
        self.stack = stack
        self.client = self.machines.client
        functions = Lambdas(stack)
        self.function = functions.create(RECORD_CALL)
        self.token_function = functions.create(RECORD_TOKEN)

    def note(self, note: str, **more: Any) -> dict[str, Any]:
        """Return a state that notes that it ran, under the root's execution id that the document holds as `run`."""
        payload = {"table": self.stack.table_name, "note": note, "run.$": "$$.Execution.Id", **more}
        return self.invoke(self.function, payload)

    def invoke(self, function: str, payload: dict[str, Any], suffix: str = "", **fields: Any) -> dict[str, Any]:
        """Return a state that invokes a function."""
        return {
            "Type": "Task",
            "Resource": f"arn:aws:states:::lambda:invoke{suffix}",
            "Parameters": {"FunctionName": function, "Payload": payload},
            "ResultPath": None,
            "End": True,
            **fields,
        }

    def wait_for_token(self, **fields: Any) -> dict[str, Any]:
        """Return a state that notes its task token and waits for the callback."""
        payload = {"table": self.stack.table_name, "run.$": "$$.Execution.Id", "token.$": "$$.Task.Token"}
        return self.invoke(self.token_function, payload, ".waitForTaskToken", **{"ResultPath": "$", **fields})

    def notes(self, run: str) -> dict[str, int]:
        """Return how often each note was made in a run."""
        return {item["key"]["S"]: int(item["times"]["N"]) for item in self.stack.items(run)}

    def token(self, run: str, known: frozenset[str] = frozenset()) -> str:
        """Return the token that a run has noted, other than those already known."""
        (found,) = eventually(lambda: self.notes(run).keys() - known)
        return str(found)


def then(state: dict[str, Any], following: str) -> dict[str, Any]:
    """Return a state that goes on with another one."""
    return {**{key: value for key, value in state.items() if key != "End"}, "Next": following}


def wait(seconds: int, following: str) -> dict[str, Any]:
    """Return a Wait state."""
    return {"Type": "Wait", "Seconds": seconds, "Next": following}


def branches(kind: str, first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return a state that runs two little machines side by side."""
    if kind == "Parallel":
        machines = [{"StartAt": next(iter(each)), "States": each} for each in (first, second)]
        return {"Type": "Parallel", "Branches": machines, "End": True}
    choices = [{"Variable": "$", "NumericEquals": 0, "Next": next(iter(first))}]
    choice = {"Type": "Choice", "Choices": choices, "Default": next(iter(second))}
    processor = {"StartAt": "Which", "States": {"Which": choice, **first, **second}}
    return {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor, "End": True}


def refused(error: pytest.ExceptionInfo[ClientError]) -> str:
    """Return the name of a service's error."""
    return str(error.value.response["Error"]["Code"])
