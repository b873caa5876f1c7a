"""The DynamoDB requests of one run, one method each."""

import random
from collections.abc import Callable, Iterator
from threading import Lock
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from runstore import clock
from runstore.dynamodb.answers import reading, take_as_it_is
from runstore.dynamodb.failures import (
    CONDITION_FALSE,
    FAILURES,
    INVALID,
    Sending,
    codes,
    first_pause,
    meaning,
    sending,
    watch,
)
from runstore.errors import ConfigurationError, ThrottledError
from runstore.model import expressions
from runstore.model.items import LAST_SEGMENT, Item, from_wire, segment_key
from runstore.model.values import out_of_range

if TYPE_CHECKING:
    from typing import Any

    from types_boto3_dynamodb import DynamoDBClient

    from runstore.model.items import Wire
    from runstore.settings import Settings

_DAY = 86_400
_TRIES = 9  # of a transaction that was cancelled or in the way, and of an unfinished batch: clients do not repeat these
_LONGEST_PAGE = 4_096  # items: beyond it 1 MB ends a page, and DynamoDB takes no number of more than 31 bits
_PAUSE, _LONGEST_PAUSE = 0.01, 1.0  # seconds, doubled at each try and jittered


class Table:
    """The items of one run. Every method that sends is one request, unless it says otherwise.

    Conditional writes return whether they were done and the item: as it is after the write, or as it was found when
    the condition was false, so that a failed write explains itself without another read. Reads are strongly
    consistent. `requests` counts what was sent, without the client's own retries.
    """

    def __init__(self, client: "DynamoDBClient", settings: "Settings", run_id: str) -> None:
        self.client, self.settings, self.run_id, self.requests = client, settings, run_id, 0
        self._counting = Lock()
        events = client.meta.events
        events.register_first("needs-retry.dynamodb", watch, unique_id="runstore-retry")
        events.register("before-parse.dynamodb.Query", take_as_it_is, unique_id="runstore-parse")

    # ------------------------------------------------------------------ reading

    def get(self, sort_key: str) -> Item | None:
        """GetItem of a head or segment."""
        wire = self.get_raw(sort_key)
        return None if wire is None else from_wire(wire)

    def get_raw(self, sort_key: str) -> "Wire | None":
        """GetItem of any item, as it is."""
        request = {"TableName": self.settings.table_name, "Key": self._key(sort_key), "ConsistentRead": True}
        wire: Wire | None = self._read("get_item", request).get("Item")
        return wire

    def get_both(self, one: str, other: str) -> "tuple[Wire | None, Wire | None]":
        """BatchGetItem of two items, each consistent in itself; what DynamoDB leaves out is asked for again."""
        name = self.settings.table_name
        found: dict[str, Wire] = {}
        wanted: Any = {name: {"Keys": [self._key(one), self._key(other)], "ConsistentRead": True}}
        for attempt in range(_TRIES):
            answer = self._read("batch_get_item", {"RequestItems": wanted})
            found |= {wire["key"]["S"]: wire for wires in answer["Responses"].values() for wire in wires}
            wanted = answer.get("UnprocessedKeys")
            if not wanted:
                return found.get(one), found.get(other)
            _pause(attempt)
        raise ThrottledError("DynamoDB left part of BatchGetItem unprocessed to the last try: try again")

    def segments(
        self, key: str, chain: str, at_least: int = 1, *, page: int | None = None, projection: str = ""
    ) -> Iterator[Item]:
        """Query over a chain in order, one request a page. Not a snapshot: items change between being read."""
        for wire in self.query(
            segment_key(key, chain, at_least), segment_key(key, chain, LAST_SEGMENT), projection, page=page
        ):
            yield from_wire(wire)

    def tail(self, key: str, chain: str, at_least: int = 1) -> Item | None:
        """Query of a chain's last segment: one item is read."""
        first, last = segment_key(key, chain, at_least), segment_key(key, chain, LAST_SEGMENT)
        return next((from_wire(wire) for wire in self.query(first, last, page=1, forward=False)), None)

    def query(
        self, first: str = "", last: str = "", projection: str = "", *, page: int | None = None, forward: bool = True
    ) -> "Iterator[Wire]":
        """Query of the sort keys from `first` to `last` ("": without a bound), one request a page of 1 MB.

        With `page` the first page has at most so many items, and each later one four times as many, up to 4,096.
        """
        bounds = " AND #key BETWEEN :first AND :last" if last else " AND #key >= :first" if first else ""
        condition = f"#run_id = :run_id{bounds}"
        values = {":run_id": self.run_id, ":first": first, ":last": last}
        request: dict[str, Any] = {
            "TableName": self.settings.table_name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": expressions.names(condition, projection),
            "ExpressionAttributeValues": {name: {"S": text} for name, text in values.items() if text},
            "ConsistentRead": True,
            "ScanIndexForward": forward,
        }
        if projection:
            request["ProjectionExpression"] = projection
        if page:
            request["Limit"] = min(page, _LONGEST_PAGE)
        while True:
            mark = reading.set(True)
            try:
                answer = self._read("query", request)
            finally:
                reading.reset(mark)
            yield from answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
            if page:
                request["Limit"] = min(request["Limit"] * 4, _LONGEST_PAGE)

    # ------------------------------------------------------------------ writing

    def append(self, change: "expressions.Change", target: "expressions.Target") -> tuple[bool, Item | None]:
        """UpdateItem of a push or an increment. One without a receipt is never sent again once it may have counted."""
        request = {
            "TableName": self.settings.table_name,
            "Key": self._key(target.sort_key),
            "ReturnValues": "ALL_NEW",  # costs no more than UPDATED_NEW, which moto takes for "changed"
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **expressions.append(change, target, clock.now(), self.expires_at()),
        }
        try:
            done, answer = self._write("update_item", request, once=change.receipt is None)
        except ConfigurationError as failure:
            if change.kind == "number" and codes(failure.__cause__) == INVALID:
                self.get_raw(target.sort_key)  # which a table of another schema refuses too
                raise out_of_range() from failure.__cause__
            raise
        wire = answer.get("Attributes" if done else "Item")
        return done, None if wire is None else from_wire(wire)

    def put(self, request: "dict[str, Any]") -> "tuple[bool, Wire | None]":
        """PutItem of a `put_request`."""
        done, answer = self._write("put_item", request)
        return done, answer.get("Item")

    def delete(self, request: "dict[str, Any]") -> "tuple[bool, Wire | None]":
        """DeleteItem of a `delete_request`."""
        done, answer = self._write("delete_item", request)
        return done, answer.get("Item")

    def update(self, request: "dict[str, Any]") -> bool:
        """UpdateItem of an `update_request` whose repetition changes nothing."""
        return self._write("update_item", request)[0]

    def transact(self, *writes: "dict[str, Any]") -> bool:
        """TransactWriteItems: all or nothing; False when a condition was false. Sent anew after a conflict."""
        return self._write("transact_write_items", {"TransactItems": list(writes)})[0]

    def batch_delete(self, sort_keys: list[str]) -> None:
        """BatchWriteItem of at most 25 deletions; what DynamoDB leaves out is sent again."""
        self._batch([{"DeleteRequest": {"Key": self._key(key)}} for key in sort_keys])

    def batch_put(self, puts: "list[dict[str, Any]]") -> None:
        """BatchWriteItem of at most 25 `put_request`s without conditions; what DynamoDB leaves out is sent again."""
        self._batch([{"PutRequest": {"Item": put["Item"]}} for put in puts])

    def _batch(self, writes: "list[dict[str, Any]]") -> None:
        wanted: Any = {self.settings.table_name: writes}
        for attempt in range(_TRIES):
            wanted = self._write("batch_write_item", {"RequestItems": wanted})[1].get("UnprocessedItems")
            if not wanted:
                return
            _pause(attempt)
        raise ThrottledError("DynamoDB left part of BatchWriteItem unprocessed to the last try: try again")

    # ------------------------------------------------------------------ requests, also as parts of a transaction

    def put_request(self, sort_key: str, attributes: "Wire", condition: str = "", **values: "Any") -> "dict[str, Any]":
        """Return the parameters that put a whole item, with its expiry."""
        item = {**self._key(sort_key), **attributes, "expires_at": {"N": str(self.expires_at())}}
        return {"TableName": self.settings.table_name, "Item": item, **_conditional(condition, values)}

    def delete_request(self, sort_key: str, condition: str, **values: "Any") -> "dict[str, Any]":
        """Return the parameters that delete an item."""
        return {"TableName": self.settings.table_name, "Key": self._key(sort_key), **_conditional(condition, values)}

    def update_request(self, sort_key: str, update: str, condition: str, **values: "Any") -> "dict[str, Any]":
        """Return the parameters that update an item."""
        request = self.delete_request(sort_key, condition, **values)
        request["ExpressionAttributeNames"] = expressions.names(update, condition)
        return request | {"UpdateExpression": update}

    def expires_at(self) -> int:
        """Return when an item that is written now expires."""
        return clock.now() + self.settings.ttl_days * _DAY

    def _key(self, sort_key: str) -> "dict[str, Any]":
        return {"run_id": {"S": self.run_id}, "key": {"S": sort_key}}

    # ------------------------------------------------------------------ sending

    def _read(self, method: str, request: "dict[str, Any]") -> "dict[str, Any]":
        try:
            return self._send(method, request)
        except FAILURES as failure:
            raise meaning(failure, method, self.settings.table_name) from failure

    def _write(self, method: str, request: "dict[str, Any]", *, once: bool = False) -> "tuple[bool, dict[str, Any]]":
        """Return whether the condition held, and the answer, which has the item in its way if it did not."""
        write = Sending(once)
        mark = sending.set(write)
        try:
            for attempt in range(_TRIES):
                try:
                    return True, self._send(method, request)
                except FAILURES as failure:
                    if isinstance(failure, ClientError) and codes(failure) & CONDITION_FALSE:
                        return False, dict(failure.response)
                    pause = first_pause(failure)
                    if attempt + 1 == _TRIES or pause is None:
                        raise meaning(failure, method, self.settings.table_name, write) from failure
                _pause(attempt, pause)
            raise AssertionError
        finally:
            sending.reset(mark)

    def _send(self, method: str, request: "dict[str, Any]") -> "dict[str, Any]":
        with self._counting:
            self.requests += 1
        send: Callable[..., dict[str, Any]] = getattr(self.client, method)
        return send(**request)


def _conditional(condition: str, values: "dict[str, Any]") -> "dict[str, Any]":
    """Return the parameters of a condition; a false one brings the item that it met."""
    if not condition:
        return {}
    request: dict[str, Any] = {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": expressions.names(condition),
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if values:
        request["ExpressionAttributeValues"] = {f":{name}": value for name, value in values.items()}
    return request


def _pause(attempt: int, first: float = _PAUSE) -> None:
    """Wait for a random time, longer after each attempt, so that writers in conflict do not meet again."""
    clock.sleep(random.uniform(0, min(_LONGEST_PAUSE, first * 2**attempt)))  # noqa: S311 not for secrecy
