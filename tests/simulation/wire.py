"""What requests and answers of the in-memory DynamoDB are made of: values, parameters, errors."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from botocore.exceptions import ClientError

from tests.simulation import expressions
from tests.simulation.expressions import Item, Name, Parsed, Scope, Value
from tests.simulation.numbers import number, written

Request: TypeAlias = Mapping[str, Any]

MAX_ITEM_BYTES = 409_600
EXPRESSIONS = ("ExpressionAttributeNames", "ExpressionAttributeValues")
CONDITIONAL = ("ConditionExpression", "ReturnValues", "ReturnValuesOnConditionCheckFailure", *EXPRESSIONS)


class FailedError(Exception):
    """A request is answered with an error."""

    def __init__(self, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.code, self.message, self.more = code, message, more

    def as_client_error(self, operation: str) -> ClientError:
        """Return what boto3 raises for it."""
        status = 500 if self.code in {"InternalServerError", "ServiceUnavailable"} else 400
        metadata = {"HTTPStatusCode": status, "RetryAttempts": 0, "HTTPHeaders": {}, "RequestId": "simulated"}
        error = {"Code": self.code, "Message": self.message}
        response: Any = {"Error": error, "ResponseMetadata": metadata, **self.more}
        return ClientError(response, operation)


def refused(message: str) -> FailedError:
    """Return the failure of a request that is wrong in itself."""
    return FailedError("ValidationException", message)


def canonical(value: Value) -> Value:
    """Return an attribute value as DynamoDB stores it; the caller's own lists and maps are copied."""
    ((kind, content),) = value.items()
    if kind == "S":
        content.encode()  # DynamoDB takes no lone surrogates, botocore cannot send them
    elif kind == "N":
        content = written(number(content))
    elif kind == "L":
        content = [canonical(element) for element in content]
    elif kind != "BOOL" or content not in (True, False):
        raise NotImplementedError(f"the run store does not use the type {kind}")
    return {kind: content}


def size_of(item: Item) -> int:
    """Return about how many bytes DynamoDB counts for an item."""

    def content(value: Value) -> int:
        ((kind, inner),) = value.items()
        if kind == "S":
            return len(inner.encode())
        if kind == "L":
            return 3 + sum(1 + content(element) for element in inner)
        return 1 + (len(inner.lstrip("-").replace(".", "").strip("0")) + 1) // 2 if kind == "N" else 1

    return sum(len(name.encode()) + content(value) for name, value in item.items())


def fitting(item: Item) -> Item:
    """Return an item that DynamoDB takes."""
    if size_of(item) > MAX_ITEM_BYTES:
        raise refused("Item size has exceeded the maximum allowed size")
    return item


def allow(request: Request, *known: str, table: bool = True) -> None:
    """Refuse parameters that are not understood here."""
    unknown = set(request) - set(known) - ({"TableName"} if table else set())
    if unknown:
        raise NotImplementedError(f"parameters {sorted(unknown)}")
    if any(request.get(name) == {} for name in EXPRESSIONS):
        raise refused("ExpressionAttributeNames and ExpressionAttributeValues must not be empty")


def returned(request: Request, *known: str) -> str:
    """Return what the request wants to see of the item, if it may ask for it."""
    wanted: str = request.get("ReturnValues", "NONE")
    if wanted not in known:
        raise refused("Return values set to invalid value")
    return wanted


def condition_of(request: Request) -> Parsed | None:
    """Return the request's condition."""
    return expressions.condition(request["ConditionExpression"]) if "ConditionExpression" in request else None


def projection_of(request: Request) -> Parsed | None:
    """Return the request's projection."""
    return expressions.projection(request["ProjectionExpression"]) if "ProjectionExpression" in request else None


def shown(request: Request, projection: Parsed | None, item: Item) -> Item:
    """Return the part of an item that a read asks for."""
    if projection is None:
        return dict(item)
    scope = Scope({}, request.get("ExpressionAttributeNames", {}), {})
    return {name: item[name] for name in chosen(projection.attributes, scope) if name in item}


def chosen(attributes: list[Name], scope: Scope) -> list[str]:
    """Return the attributes' names."""
    return [name(scope) for name in attributes]


def scope_of(request: Request, item: Mapping[str, Value], *parsed: Parsed | None) -> Scope:
    """Return what expressions are evaluated against; every placeholder must be defined, and used."""
    names = request.get("ExpressionAttributeNames", {})
    values = request.get("ExpressionAttributeValues", {})
    used_names = set().union(*(each.names for each in parsed if each))
    used_values = set().union(*(each.values for each in parsed if each))
    if used_names != set(names) or used_values != set(values):
        wrong = used_names.symmetric_difference(names) | used_values.symmetric_difference(values)
        raise refused(f"Placeholders not defined, or unused in expressions: {sorted(wrong)}")
    return Scope(item, names, {name: canonical(value) for name, value in values.items()})
