"""The DynamoDB requests of one run, one method each."""

from __future__ import annotations

import logging
import os
from threading import Lock
from typing import TYPE_CHECKING

from runstore import clock
from runstore.dynamodb.failures import (
    CONDITION_FALSE,
    INVALID,
    error_codes,
    retry_delay,
    translate_error,
    unprocessed,
)
from runstore.dynamodb.transport import RequestError
from runstore.errors import ConfigurationError
from runstore.model import expressions
from runstore.model.items import (
    ELEMENTS,
    LAST_SEGMENT,
    Elements,
    Item,
    elements_from_wire,
    from_wire,
    segment_key,
)
from runstore.model.values import out_of_range

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from runstore.dynamodb.transport import Transport
    from runstore.model.items import Wire
    from runstore.settings import Settings

    Request = dict[str, Any]

_ATTEMPTS = 9  # of a write in conflict and of an unfinished batch: transports do not repeat these
_FIRST_DELAY = 0.01  # seconds
_MAX_PAGE = 4_096  # items: with more, 1 MB ends a page first, and DynamoDB accepts no number of more than 31 bits

_logger = logging.getLogger("runstore")


_COUNTING = Lock()  # one for all tables: it is held for an addition
if hasattr(os, "register_at_fork"):  # a child finds it free, whichever thread of its parent was counting
    os.register_at_fork(before=_COUNTING.acquire, after_in_parent=_COUNTING.release, after_in_child=_COUNTING.release)


class Table:
    """The items of one run. Every method that sends is one request, unless it says otherwise.

    Conditional writes return whether they were done and the item: as it is after the write, or as it was found when
    the condition was false, so that a failed write explains itself without another read. Reads are strongly
    consistent. `requests` counts what was sent, without the transport's own retries.
    """

    def __init__(self, transport: Transport, settings: Settings, run_id: str) -> None:
        self.transport, self.settings, self.run_id, self.requests = transport, settings, run_id, 0

    # ------------------------------------------------------------------ reading

    def get(self, sort_key: str) -> Item | None:
        """GetItem of a head or segment."""
        wire = self.get_raw(sort_key)
        return None if wire is None else from_wire(wire)

    def get_raw(self, sort_key: str) -> Wire | None:
        """GetItem of any item, in wire form."""
        request = {"TableName": self.settings.table_name, "Key": self._key(sort_key), "ConsistentRead": True}
        wire: Wire | None = self._read("GetItem", request).get("Item")
        return wire

    def get_both(self, one: str, other: str) -> tuple[Wire | None, Wire | None]:
        """BatchGetItem of two items, each consistent in itself; asks again for what DynamoDB leaves out."""
        name = self.settings.table_name
        found: dict[str, Wire] = {}
        wanted: Any = {name: {"Keys": [self._key(one), self._key(other)], "ConsistentRead": True}}
        for attempt in range(_ATTEMPTS):
            answer = self._read("BatchGetItem", {"RequestItems": wanted})
            found |= {wire["key"]["S"]: wire for wires in answer["Responses"].values() for wire in wires}
            wanted = answer.get("UnprocessedKeys")
            if not wanted:
                return found.get(one), found.get(other)
            clock.back_off(attempt, _FIRST_DELAY)
        raise unprocessed("BatchGetItem")

    def segments(self, key: str, chain: str, at_least: int = 1, *, page: int | None = None) -> Iterator[Item]:
        """Query over a chain in order, one request a page. Not a snapshot: items change between being read."""
        first, last = segment_key(key, chain, at_least), segment_key(key, chain, LAST_SEGMENT)
        return map(from_wire, self.query(first, last, page=page))

    def elements(self, key: str, chain: str, at_least: int = 1, *, page: int | None = None) -> Iterator[Elements]:
        """Query as `segments` does, of the elements alone."""
        first, last = segment_key(key, chain, at_least), segment_key(key, chain, LAST_SEGMENT)
        return map(elements_from_wire, self.query(first, last, ELEMENTS, page=page))

    def tail(self, key: str, chain: str, at_least: int = 1) -> Item | None:
        """Query of a chain's last segment: reads one item."""
        first, last = segment_key(key, chain, at_least), segment_key(key, chain, LAST_SEGMENT)
        return next((from_wire(wire) for wire in self.query(first, last, page=1, forward=False)), None)

    def query(
        self, first: str = "", last: str = "", projection: str = "", *, page: int | None = None, forward: bool = True
    ) -> Iterator[Wire]:
        """Query of the sort keys from `first` to `last` ("": no bound), one request a page of 1 MB.

        With `page`, the first page has at most that many items, and each later one four times as many, up to 4,096.
        """
        request = self._query_request(first, last, projection) | {"ScanIndexForward": forward}
        if page:
            request["Limit"] = min(page, _MAX_PAGE)
        while True:
            answer = self._read("Query", request)
            yield from answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
            if page:
                request["Limit"] = min(request["Limit"] * 4, _MAX_PAGE)

    def page(self, first: str, last: str, projection: str, limit: int) -> tuple[list[Wire], bool]:
        """Query of one page of at most `limit` items; return also whether there may be more."""
        request = self._query_request(first, last, projection) | {"Limit": min(limit, _MAX_PAGE)}
        answer = self._read("Query", request)
        return answer["Items"], bool(answer.get("LastEvaluatedKey") and answer["Items"])

    def _query_request(self, first: str, last: str, projection: str) -> Request:
        bounds = " AND #key BETWEEN :first AND :last" if last else " AND #key >= :first" if first else ""
        condition = f"#run_id = :run_id{bounds}"
        values = {":run_id": self.run_id, ":first": first, ":last": last}
        request: Request = {
            "TableName": self.settings.table_name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": expressions.attribute_names(condition, projection),
            "ExpressionAttributeValues": {name: {"S": text} for name, text in values.items() if text},
            "ConsistentRead": True,
        }
        if projection:
            request["ProjectionExpression"] = projection
        return request

    # ------------------------------------------------------------------ writing

    def append(self, change: expressions.Change, target: expressions.Target) -> tuple[bool, Item | None]:
        """UpdateItem of a push or an increment. One without a receipt is never sent again once it may have counted."""
        request = {
            "TableName": self.settings.table_name,
            "Key": self._key(target.sort_key),
            "ReturnValues": "ALL_NEW",  # costs no more than UPDATED_NEW, which moto takes for "changed"
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **expressions.append(change, target, clock.now(), self.expires_at()),
        }
        try:
            done, answer = self._write("UpdateItem", request, idempotent=change.receipt is not None)
        except ConfigurationError as failure:
            cause = failure.__cause__
            if change.kind == "number" and isinstance(cause, RequestError) and error_codes(cause) == INVALID:
                self.get_raw(target.sort_key)  # a table of another schema refuses this too
                raise out_of_range() from cause
            raise
        wire = answer.get("Attributes" if done else "Item")
        return done, None if wire is None else from_wire(wire)

    def close_head(self, key: str, change: expressions.Change, chain: str) -> tuple[bool, Item | None]:
        """UpdateItem that closes an open head of the change's kind."""
        request = {
            "TableName": self.settings.table_name,
            "Key": self._key(key),
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **expressions.close_head(change, chain, clock.now()),
        }
        done, answer = self._write("UpdateItem", request)
        wire = answer.get("Attributes" if done else "Item")
        return done, None if wire is None else from_wire(wire)

    def put(self, request: Request) -> tuple[bool, Wire | None]:
        """PutItem of a `put_request`."""
        done, answer = self._write("PutItem", request)
        return done, answer.get("Item")

    def delete(self, request: Request) -> tuple[bool, Wire | None]:
        """DeleteItem of a `delete_request`."""
        done, answer = self._write("DeleteItem", request)
        return done, answer.get("Item")

    def update(self, request: Request) -> bool:
        """UpdateItem of an `update_request` whose repetition changes nothing."""
        return self._write("UpdateItem", request)[0]

    def transact(self, *writes: Request) -> bool:
        """TransactWriteItems: all or nothing; False when a condition was false. Sent again after a conflict."""
        return self._write("TransactWriteItems", {"TransactItems": list(writes)})[0]

    def batch_delete(self, sort_keys: list[str]) -> None:
        """BatchWriteItem of at most 25 deletions; sends again what DynamoDB leaves out."""
        self._batch([{"DeleteRequest": {"Key": self._key(key)}} for key in sort_keys])

    def batch_put(self, puts: list[Request]) -> None:
        """BatchWriteItem of at most 25 `put_request`s without conditions; sends again what DynamoDB leaves out."""
        self._batch([{"PutRequest": {"Item": put["Item"]}} for put in puts])

    def _batch(self, writes: list[Request]) -> None:
        wanted: Any = {self.settings.table_name: writes}
        for attempt in range(_ATTEMPTS):
            wanted = self._write("BatchWriteItem", {"RequestItems": wanted})[1].get("UnprocessedItems")
            if not wanted:
                return
            clock.back_off(attempt, _FIRST_DELAY)
        raise unprocessed("BatchWriteItem")

    # ------------------------------------------------------------------ requests, also as parts of a transaction

    def put_request(self, sort_key: str, attributes: Wire, condition: str = "", **values: Any) -> Request:
        """Return the parameters that put a whole item, with its expiry."""
        item = {**self._key(sort_key), **attributes, "expires_at": {"N": str(self.expires_at())}}
        return {"TableName": self.settings.table_name, "Item": item, **_conditional(condition, values)}

    def delete_request(self, sort_key: str, condition: str, **values: Any) -> Request:
        """Return the parameters that delete an item."""
        return {"TableName": self.settings.table_name, "Key": self._key(sort_key), **_conditional(condition, values)}

    def update_request(self, sort_key: str, update: str, condition: str, **values: Any) -> Request:
        """Return the parameters that update an item."""
        request = self.delete_request(sort_key, condition, **values)
        request["ExpressionAttributeNames"] = expressions.attribute_names(update, condition)
        return request | {"UpdateExpression": update}

    def expires_at(self) -> int:
        """Return when an item that is written now expires."""
        return clock.now() + self.settings.ttl_days * clock.SECONDS_PER_DAY

    def _key(self, sort_key: str) -> Request:
        return {"run_id": {"S": self.run_id}, "key": {"S": sort_key}}

    # ------------------------------------------------------------------ sending

    def _read(self, operation: str, request: Request) -> Request:
        try:
            return self._send(operation, request, idempotent=True)
        except RequestError as failure:
            raise translate_error(failure, operation, self.settings.table_name) from failure

    def _write(self, operation: str, request: Request, *, idempotent: bool = True) -> tuple[bool, Request]:
        """Return whether the condition held, and the answer, which has the item that made the condition false."""
        may_have_happened = False
        for attempt in range(_ATTEMPTS):
            try:
                return True, self._send(operation, request, idempotent=idempotent)
            except RequestError as failure:
                if error_codes(failure) & CONDITION_FALSE:
                    return False, {"Item": failure.item} if failure.item else {}
                may_have_happened |= failure.may_have_happened
                delay = retry_delay(failure)
                if attempt + 1 == _ATTEMPTS or delay is None or (may_have_happened and not idempotent):
                    table = self.settings.table_name
                    raise translate_error(failure, operation, table, may_have_happened=may_have_happened) from failure
            clock.back_off(attempt, delay)
        raise AssertionError

    def _send(self, operation: str, request: Request, *, idempotent: bool) -> Request:
        with _COUNTING:
            self.requests += 1
        if not _logger.isEnabledFor(logging.DEBUG):
            return self.transport.send(operation, request, idempotent=idempotent)
        started = clock.elapsed()
        outcome = "ok"
        try:
            return self.transport.send(operation, request, idempotent=idempotent)
        except RequestError as failure:
            outcome = failure.code or "no answer"
            raise
        finally:
            milliseconds = (clock.elapsed() - started) * 1_000
            _logger.debug("%s of run %s: %s in %.1f ms", operation, self.run_id, outcome, milliseconds)


def _conditional(condition: str, values: Request) -> Request:
    """Return the parameters of a condition; if it is false, DynamoDB returns the item."""
    if not condition:
        return {}
    request: Request = {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": expressions.attribute_names(condition),
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if values:
        request["ExpressionAttributeValues"] = {f":{name}": value for name, value in values.items()}
    return request
