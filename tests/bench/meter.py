"""Counting requests and their read and write units below boto3, without touching who sends them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from types_boto3_dynamodb import DynamoDBClient

_KILOBYTE = 1_024
_READS = {"GetItem", "BatchGetItem", "Query"}
_IN_TRANSACTION = "write units of the transaction's items"
_TRANSACTION = 2  # a write in a transaction costs twice the units


@dataclass(frozen=True)
class Reading:
    """What a meter shows: `written` counts the writes that were done, `refused` those whose condition was false.

    `refused_units` are the write units that the refused ones cost; `write_units` includes them.
    """

    requests: int = 0
    write_units: float = 0.0
    read_units: float = 0.0
    written: int = 0
    refused: int = 0
    refused_units: float = 0.0

    def __add__(self, other: "Reading") -> "Reading":
        return Reading(
            self.requests + other.requests,
            self.write_units + other.write_units,
            self.read_units + other.read_units,
            self.written + other.written,
            self.refused + other.refused,
            self.refused_units + other.refused_units,
        )

    def __sub__(self, earlier: "Reading") -> "Reading":
        return Reading(
            self.requests - earlier.requests,
            self.write_units - earlier.write_units,
            self.read_units - earlier.read_units,
            self.written - earlier.written,
            self.refused - earlier.refused,
            self.refused_units - earlier.refused_units,
        )


class Meter:
    """Adds up what the clients that it is attached to send to a table; safe between threads.

    DynamoDB says what a request consumed (the meter asks for it in every request), but DynamoDB Local says nothing of
    one whose condition was false. AWS charges those by the size of the item that they met, at least one unit, and so
    does the meter. DynamoDB Local also takes every transaction for one write: the meter counts each of its items twice.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._reading = Reading()

    def attach(self, client: "DynamoDBClient") -> None:
        """Count what this client sends from now on."""
        events = client.meta.events
        events.register("before-parameter-build.dynamodb", _ask)
        events.register("after-call.dynamodb", self._count)

    def read(self) -> Reading:
        """Return what has been counted."""
        with self._lock:
            return self._reading

    def _count(self, parsed: dict[str, Any], model: "OperationModel", context: dict[str, Any], **_: object) -> None:
        refused = 0
        consumed = parsed.get("ConsumedCapacity") or []
        units = sum(each["CapacityUnits"] for each in ([consumed] if isinstance(consumed, dict) else consumed))
        if "Error" not in parsed and model.name == "TransactWriteItems":
            units = context[_IN_TRANSACTION]
        match parsed.get("Error", {}).get("Code"):
            case "ConditionalCheckFailedException":
                refused, units = 1, write_units(parsed.get("Item", {}))
            case "TransactionCanceledException":
                reasons = parsed.get("CancellationReasons", [])
                refused, units = 1, sum(_TRANSACTION * write_units(reason.get("Item", {})) for reason in reasons)
        reads = model.name in _READS
        with self._lock:
            now = self._reading
            self._reading = replace(
                now,
                requests=now.requests + 1,
                write_units=now.write_units + (0 if reads else units),
                read_units=now.read_units + (units if reads else 0),
                written=now.written + (not reads and "Error" not in parsed),
                refused=now.refused + refused,
                refused_units=now.refused_units + (units if refused else 0),
            )


def _ask(params: dict[str, Any], model: "OperationModel", context: dict[str, Any], **_: object) -> None:
    shape = model.input_shape
    if shape is not None and "ReturnConsumedCapacity" in shape.members:
        params["ReturnConsumedCapacity"] = "TOTAL"
    if model.name == "TransactWriteItems":  # an update's item is not known: it counts by its key, so as one unit
        writes = [next(iter(write.values())) for write in params["TransactItems"]]
        context[_IN_TRANSACTION] = sum(_TRANSACTION * write_units(write.get("Item", {})) for write in writes)


def write_units(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the write units of an item of this size; one for none."""
    return max(1, ceil(item_bytes(item) / _KILOBYTE))


def item_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Return an item's size as DynamoDB counts it: the names and the values."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    size = 1  # of a truth value or null
    if kind == "S":
        size = len(content.encode())
    elif kind == "N":
        digits = content.lstrip("-").replace(".", "").strip("0")
        size = (len(digits) + 1) // 2 + 1 + content.startswith("-")
    elif kind == "L":
        size = 3 + sum(1 + _value_bytes(member) for member in content)
    elif kind == "M":
        size = 3 + sum(1 + len(name.encode()) + _value_bytes(member) for name, member in content.items())
    return size
