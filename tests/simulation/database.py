"""DynamoDB in memory: the requests that the run store makes, with DynamoDB's own atomicity and no more.

A single-item request and a transaction are atomic. A Query, a BatchGetItem and a BatchWriteItem are not: they
call `pause` between any two items, and whatever runs then happens in the middle of them. What the store
does not send is not made up: it is a NotImplementedError, here and in `wire`.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tests.simulation import expressions
from tests.simulation.expressions import Item, Parsed, RefusedError, Scope, Value
from tests.simulation.numbers import NotANumberError
from tests.simulation.wire import (
    CONDITIONAL,
    EXPRESSIONS,
    FailedError,
    Request,
    allow,
    canonical,
    condition_of,
    fitting,
    projection_of,
    refused,
    returned,
    scope_of,
    shown,
)

Pause: TypeAlias = Callable[[], None]
Place: TypeAlias = tuple[str, str]
Write: TypeAlias = tuple[Place, Item | None]

PARTITION, SORT = "run_id", "key"
_MAX_WRITES, _MAX_READS = 25, 100


class Database:
    """One table. `perform` is one request; `page` is how many items a page of a Query holds at most."""

    def __init__(self, *, page: int = 1_000_000) -> None:
        self.partitions: dict[str, dict[str, Item]] = {}
        self._order: dict[str, list[str]] = {}
        self.page = page
        self._done: set[str] = set()  # the tokens of transactions that have taken effect
        self.requests = 0

    # ---------------------------------------------------------------- items
    def _place(self, key: Mapping[str, Value]) -> Place:
        if set(key) != {PARTITION, SORT}:
            raise refused("The provided key element does not match the schema")
        partition, sort = key[PARTITION]["S"], key[SORT]["S"]
        for text, limit in ((partition, 2048), (sort, 1024)):
            if not 0 < len(text.encode()) <= limit:
                raise refused("One or more parameter values are not valid: the size of a key")
        return partition, sort

    def read(self, place: Place) -> Item | None:
        """Return the item at a place."""
        return self.partitions.get(place[0], {}).get(place[1])

    def write(self, place: Place, item: Item | None) -> None:
        """Put an item, or take it away."""
        partition = self.partitions.setdefault(place[0], {})
        order = self._order.setdefault(place[0], [])
        if item is not None:
            if place[1] not in partition:
                insort(order, place[1])
            partition[place[1]] = item
        elif place[1] in partition:
            del partition[place[1]]
            del order[bisect_left(order, place[1])]

    # ---------------------------------------------------------------- requests
    def perform(self, operation: str, request: Request, pause: Pause) -> dict[str, Any]:
        """Carry a request out and return its response, or raise ClientError."""
        self.requests += 1
        try:
            return getattr(self, _METHODS[operation])(request, pause)  # type: ignore[no-any-return]
        except FailedError as failure:
            raise failure.as_client_error(operation) from None
        except (RefusedError, NotANumberError) as failure:
            raise refused(str(failure)).as_client_error(operation) from None

    def _get_item(self, request: Request, _: Pause) -> dict[str, Any]:
        allow(request, "Key", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames")
        item = self.read(self._place(request["Key"]))
        projection = projection_of(request)
        scope_of(request, {}, projection)
        return {} if item is None else {"Item": shown(request, projection, item)}

    def _put_item(self, request: Request, _: Pause) -> dict[str, Any]:
        allow(request, "Item", *CONDITIONAL)
        returns = returned(request, "NONE", "ALL_OLD")
        place, new = self._prepare_put(request)
        old = self._replace(place, new)
        return {"Attributes": dict(old)} if returns == "ALL_OLD" and old else {}

    def _delete_item(self, request: Request, _: Pause) -> dict[str, Any]:
        allow(request, "Key", *CONDITIONAL)
        returns = returned(request, "NONE", "ALL_OLD")
        old = self._replace(*self._prepare_delete(request))
        return {"Attributes": dict(old)} if returns == "ALL_OLD" and old else {}

    def _update_item(self, request: Request, _: Pause) -> dict[str, Any]:
        allow(request, "Key", "UpdateExpression", *CONDITIONAL)
        returns = returned(request, "NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW")
        place, new = self._prepare_update(request)
        old = self._replace(place, new) or {}
        item = {} if returns == "NONE" else new if returns.endswith("NEW") and new else old
        if returns.startswith("UPDATED"):
            scope = Scope({}, request.get("ExpressionAttributeNames", {}), {})
            touched = {name(scope) for _, name, _ in expressions.update(request["UpdateExpression"]).actions}
            item = {name: value for name, value in item.items() if name in touched}
        return {"Attributes": dict(item)} if item else {}

    def _replace(self, place: Place, new: Item | None) -> Item | None:
        """Write an item and return what was there."""
        old = self.read(place)
        self.write(place, new)
        return old

    def _prepare(self, kind: str, request: Request) -> Write:
        """Check a Put, Delete, Update or ConditionCheck, and return what it would write."""
        if kind == "Put":
            return self._prepare_put(request)
        if kind == "Update":
            return self._prepare_update(request)
        place, new = self._prepare_delete(request)
        return place, self.read(place) if kind == "ConditionCheck" else new

    def _prepare_put(self, request: Request) -> Write:
        item = {name: canonical(value) for name, value in request["Item"].items()}
        place = self._place({name: item[name] for name in (PARTITION, SORT) if name in item})
        self._check(request, place, condition_of(request))
        return place, fitting(item)

    def _prepare_delete(self, request: Request) -> Write:
        place = self._place(request["Key"])
        self._check(request, place, condition_of(request))
        return place, None

    def _prepare_update(self, request: Request) -> Write:
        place = self._place(request["Key"])
        update = expressions.update(request["UpdateExpression"])
        scope = self._check(request, place, condition_of(request), update)
        key: Item = {PARTITION: {"S": place[0]}, SORT: {"S": place[1]}}
        item = expressions.apply(update, scope._replace(item={**scope.item, **key}))
        if any(item.get(name) != value for name, value in key.items()):
            raise refused("Cannot update an attribute that is part of the key")
        return place, fitting(item)

    def _check(self, request: Request, place: Place, condition: Parsed | None, *more: Parsed) -> Scope:
        """Raise ConditionalCheckFailedException unless the condition holds; return what expressions see."""
        old = self.read(place)
        scope = scope_of(request, old or {}, condition, *more)
        if condition and not condition.condition(scope):
            told = (
                {"Item": dict(old)} if old and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" else {}
            )
            raise FailedError("ConditionalCheckFailedException", "The conditional request failed", **told)
        return scope

    def _transact_write_items(self, request: Request, _: Pause) -> dict[str, Any]:
        allow(request, "TransactItems", "ClientRequestToken", table=False)
        if request.get("ClientRequestToken") in self._done:
            return {}
        writes = [next(iter(action.items())) for action in request["TransactItems"]]
        if not 0 < len(writes) <= _MAX_READS or any(len(action) != 1 for action in request["TransactItems"]):
            raise refused("Member must have length less than or equal to 100, one action each")
        results: list[Write] = []
        reasons: list[dict[str, Any]] = []
        for kind, write in writes:
            allow(
                write,
                *_IN_TRANSACTION[kind],
                "ConditionExpression",
                "ReturnValuesOnConditionCheckFailure",
                *EXPRESSIONS,
            )
            try:
                results.append(self._prepare(kind, write))
                reasons.append({"Code": "None"})
            except FailedError as failure:
                if failure.code != "ConditionalCheckFailedException":
                    raise
                reasons.append({"Code": "ConditionalCheckFailed", "Message": failure.message, **failure.more})
        if len(results) == len(writes):
            if len({place for place, _ in results}) < len(writes):
                raise refused("Transaction request cannot include multiple operations on one item")
            for place, new in results:
                self.write(place, new)
            if "ClientRequestToken" in request:
                self._done.add(request["ClientRequestToken"])
            return {}
        codes = ", ".join(reason["Code"] for reason in reasons)
        raise FailedError(
            "TransactionCanceledException",
            f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
            CancellationReasons=reasons,
        )

    # ---------------------------------------------------------------- more than one item, not atomic
    def _query(self, request: Request, pause: Pause) -> dict[str, Any]:
        allow(request, "KeyConditionExpression", "FilterExpression", "ProjectionExpression", "Limit", "Select",
              "ScanIndexForward", "ConsistentRead", "ExclusiveStartKey", *EXPRESSIONS)  # fmt: skip
        if request.get("Select", "COUNT") != "COUNT":
            raise NotImplementedError(request["Select"])
        wanted = expressions.condition(request["KeyConditionExpression"])
        kept = expressions.condition(request["FilterExpression"]) if "FilterExpression" in request else None
        projection = projection_of(request)
        scope = scope_of(request, {}, wanted, kept, projection)
        partition, limit = _partition(request), min(request.get("Limit", self.page), self.page)
        if limit < 1:
            raise refused("Limit must be at least 1")
        position = request["ExclusiveStartKey"][SORT]["S"] if "ExclusiveStartKey" in request else None
        found, scanned = [], 0
        while scanned < limit:
            item = self._next(partition, position, wanted, scope, forward=request.get("ScanIndexForward", True))
            if item is None:
                break
            scanned, position = scanned + 1, item[SORT]["S"]
            if kept is None or kept.condition(scope._replace(item=item)):
                found.append(shown(request, projection, item))
            if scanned < limit:
                pause()
        response: dict[str, Any] = {"Count": len(found), "ScannedCount": scanned}
        if "Select" not in request:
            response["Items"] = found
        if scanned == limit:
            response["LastEvaluatedKey"] = {PARTITION: {"S": partition}, SORT: {"S": position}}
        return response

    def _next(
        self, partition: str, position: str | None, wanted: Parsed, scope: Scope, *, forward: bool
    ) -> Item | None:
        """Return the next item of a Query behind a position, as it is at this moment."""
        order, items = self._order.get(partition, []), self.partitions.get(partition, {})
        if forward:
            keys = order[0 if position is None else bisect_right(order, position) :]
        else:
            keys = order[: len(order) if position is None else bisect_left(order, position)][::-1]
        matching = (items[key] for key in keys if wanted.condition(scope._replace(item=items[key])))
        return next(matching, None)

    def _batch_get_item(self, request: Request, pause: Pause) -> dict[str, Any]:
        allow(request, "RequestItems", table=False)
        ((table, wanted),) = request["RequestItems"].items()
        allow(wanted, "Keys", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames", table=False)
        places = [self._place(key) for key in wanted["Keys"]]
        if not 0 < len(places) <= _MAX_READS or len(set(places)) < len(places):
            raise refused("Provided list of item keys contains duplicates, or is empty, or too long")
        projection, found = projection_of(wanted), []
        scope_of(wanted, {}, projection)
        for i, place in enumerate(places):
            if i:
                pause()
            item = self.read(place)
            if item is not None:
                found.append(shown(wanted, projection, item))
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def _batch_write_item(self, request: Request, pause: Pause) -> dict[str, Any]:
        allow(request, "RequestItems", table=False)
        ((_, writes),) = request["RequestItems"].items()
        planned = []
        for write in writes:
            ((kind, content),) = write.items()
            allow(content, {"PutRequest": "Item", "DeleteRequest": "Key"}[kind], table=False)
            planned.append(self._prepare(kind.removesuffix("Request"), content))
        if not 0 < len(planned) <= _MAX_WRITES or len({place for place, _ in planned}) < len(planned):
            raise refused("Provided list of item keys contains duplicates, or is empty, or too long")
        for i, (place, new) in enumerate(planned):
            if i:
                pause()
            self.write(place, new)
        return {"UnprocessedItems": {}}


def _partition(request: Request) -> str:
    """Return the partition that a Query is about, which its condition must name first."""
    left, operator, right = request["KeyConditionExpression"].split()[:3]
    name = request.get("ExpressionAttributeNames", {}).get(left, left)
    if name != PARTITION or operator != "=":
        raise refused("Query condition missed key schema element: run_id")
    partition: str = request["ExpressionAttributeValues"][right]["S"]
    return partition


_IN_TRANSACTION = {
    "Put": ("Item",),
    "Delete": ("Key",),
    "Update": ("Key", "UpdateExpression"),
    "ConditionCheck": ("Key",),
}
_METHODS = {
    "GetItem": "_get_item",
    "PutItem": "_put_item",
    "DeleteItem": "_delete_item",
    "UpdateItem": "_update_item",
    "Query": "_query",
    "TransactWriteItems": "_transact_write_items",
    "BatchGetItem": "_batch_get_item",
    "BatchWriteItem": "_batch_write_item",
}
