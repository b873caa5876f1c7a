"""IAM on the local stack: condition keys and resources that ministack does not know."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from ministack.core import iam_actions
from ministack.services import dynamodb

from infra.local.states.callbacks import machine_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LEADING_KEYS: Final = "dynamodb:LeadingKeys"
EQUALITY: Final = re.compile(r"([#\w]+)\s*=\s*(:\w+)")


def install_authorization() -> None:
    """Replace ministack's functions; it offers no hooks."""
    iam_actions.dynamodb_service_context = with_leading_keys(iam_actions.dynamodb_service_context)
    iam_actions.extract_resource_arn = with_task_tokens(iam_actions.extract_resource_arn)


def with_leading_keys(context: Callable[[bytes], dict[str, Any]]) -> Callable[[bytes], dict[str, Any]]:
    """Add dynamodb:LeadingKeys: the partition keys of the items that a request is about."""

    def extended(body: bytes) -> dict[str, Any]:
        try:
            keys = sorted({key for table, part in parts_of(json.loads(body)) for key in leading_keys(table, part)})
        except (AttributeError, IndexError, KeyError, StopIteration, TypeError, ValueError):
            keys = []  # DynamoDB will refuse such a request
        return context(body) | ({LEADING_KEYS: keys} if keys else {})

    return extended


def parts_of(request: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the tables that a request names, each with what it does there."""
    for table, part in request.get("RequestItems", {}).items():
        batch = [{"Key": key} for key in part["Keys"]] if "Keys" in part else [only(each) for each in part]
        yield from ((table, each) for each in batch)
    for each in request.get("TransactItems", []):
        yield only(each)["TableName"], only(each)
    if "TableName" in request:
        yield request["TableName"], request


def leading_keys(table: str, part: Mapping[str, Any]) -> Iterator[str]:
    """Yield the partition key in a part of a request."""
    name = dynamodb._tables[table.rpartition("/")[2]]["pk_name"]
    if item := part.get("Key") or part.get("Item"):
        yield str(only(item[name]))
    for attribute, value in EQUALITY.findall(part.get("KeyConditionExpression", "")):
        if part.get("ExpressionAttributeNames", {}).get(attribute, attribute) == name:
            yield str(only(part["ExpressionAttributeValues"][value]))


def only(mapping: Mapping[str, Any]) -> Any:
    """Return the one value of a mapping."""
    (value,) = mapping.values()
    return value


def with_task_tokens(resource_of: Callable[..., str]) -> Callable[..., str]:
    """Return the state machine that a task token belongs to, which is what IAM asks about for SendTaskSuccess."""

    def resource(service: str, method: str, path: str, headers: dict[str, str], body: bytes, *rest: Any) -> str:
        found = resource_of(service, method, path, headers, body, *rest)
        if service != "states" or ".SendTask" not in headers.get("x-amz-target", ""):
            return found
        *_, region, account = rest
        token = json.loads(body or b"{}").get("taskToken")
        return machine_of(token) or f"arn:aws:states:{region}:{account}:stateMachine:unknown"

    return resource
