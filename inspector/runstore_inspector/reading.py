"""The keys of a run, cheaply: long lists are skipped, never read whole.

A key's head tells its kind, a short value and the beginning of a list. The chain of a long list lies between its head
and the next key: once a page ends inside a chain, the next one begins behind it. A closed head takes one more request,
for the chain's last segment, which has the length or the counter's value.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from math import ceil
from statistics import mean
from typing import TYPE_CHECKING, Any, Literal

from runstore import clock
from runstore.model.identifiers import check_key, check_prefix
from runstore.model.items import FIRST_USER_KEY, LAST_SEGMENT, from_wire, segment_key, split_segment_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runstore.model.items import Item
    from runstore_inspector.connection import Connection

Wire = dict[str, dict[str, Any]]

MAX_KEYS = 200
MAX_UNITS = 200.0  # read units after which a page of keys ends; the last request may exceed it
UNIT_BYTES = 4_096
UNITS_A_PAGE = 256.0  # a Query's page of 1 MB
_FIRST_PAGE, _AFTER_CHAIN, _MAX_PAGE = 4, 2, 64  # items of a Query
_WORKERS = 8
_BEYOND = "\U0010ffff" * 128  # no key of a prefix sorts after the prefix and this


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a run as far as it was read.

    Attributes:
        name: The key.
        kind: What it holds.
        text: The JSON of a value, or a counter's number; "" for a list.
        first: The JSON of a list's first elements, as many as its head has.
        length: How many elements a list has.
        size: Its bytes in the table; of a long list or counter about as many.
        exact: Whether `size` is exact.
        expires_at: When it expires unless it is written again, in epoch seconds.
        hidden: Whether what the key holds was left out: `text` and `first` are empty.
    """

    name: str
    kind: Literal["list", "number", "value"]
    text: str = ""
    first: tuple[str, ...] = ()
    length: int = 0
    size: int = 0
    exact: bool = True
    expires_at: int = 0
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Keys:
    """A page of keys, sorted by their UTF-8 bytes; `following` is where the next page begins, None at the end."""

    keys: tuple[Key, ...]
    following: str | None = None

    @property
    def size(self) -> int:
        """The bytes of these keys in the table."""
        return sum(key.size for key in self.keys)

    @property
    def expires_at(self) -> int | None:
        """When the first of these keys expires."""
        return min((key.expires_at for key in self.keys), default=None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which keys to read: from the key `start` on, with `prefix`, up to a number of keys and of read units."""

    start: str = ""
    prefix: str = ""
    limit: int = MAX_KEYS
    max_units: float = MAX_UNITS


class _Found:
    """A head, and the sizes of those segments of its chain that were read on the way."""

    def __init__(self, name: str, item: Item, size: int) -> None:
        self.name, self.item, self.size = name, item, size
        self.segments: list[int] = []


def read_keys(connection: Connection, run_id: str, wanted: Wanted | None = None) -> Keys:
    """Return a page of a run's keys; raise InvalidKeyError for a prefix that no key can have."""
    check_prefix(wanted.prefix if wanted else "")
    found, following = _heads(connection, run_id, wanted or Wanted())
    closed = [each for each in found if each.item.closed]
    tails: Iterator[tuple[Item, int] | None] = iter(())
    if closed:
        with ThreadPoolExecutor(min(_WORKERS, len(closed)), "runstore-tails") as workers:
            contexts = [copy_context() for _ in closed]  # so that the threads' requests are counted too
            tails = workers.map(
                lambda each, context: context.run(_tail, connection, run_id, each.name, each.item), closed, contexts
            )
    return Keys(tuple(_key(each, next(tails) if each.item.closed else None) for each in found), following)


def read_key(connection: Connection, run_id: str, name: str) -> Key | None:
    """Return one key, None when it is not set."""
    answer: Any = connection.dynamodb.get_item(
        TableName=connection.table, Key={"run_id": {"S": run_id}, "key": {"S": check_key(name)}}, ConsistentRead=True
    )
    wire = answer.get("Item")
    if wire is None or (item := from_wire(wire)).expired(clock.now()) or item.kind is None:
        return None
    return _key(_Found(name, item, wire_bytes(wire)), _tail(connection, run_id, name, item) if item.closed else None)


def holds_anything(connection: Connection, run_id: str) -> bool:
    """Return whether the table has any item of a run, the workflow engine's records included."""
    return bool(query(connection, run_id, limit=1)["Items"])


def _heads(connection: Connection, run_id: str, wanted: Wanted) -> tuple[list[_Found], str | None]:
    now, page, spent = clock.now(), _FIRST_PAGE, 0.0
    found: list[_Found] = []
    start = max(wanted.start, wanted.prefix, FIRST_USER_KEY)
    last = wanted.prefix + _BEYOND if wanted.prefix else ""
    while True:
        answer = query(connection, run_id, start, last, limit=page)
        wires: list[Wire] = answer["Items"]
        spent += max(1, ceil(sum(map(wire_bytes, wires)) / UNIT_BYTES))
        position = start
        for wire in wires:
            name, chain, n = split_segment_key(wire["key"]["S"])
            if n:
                position = _behind_chain(name)
                if found and (found[-1].name, found[-1].item.chain) == (name, chain):
                    found[-1].segments.append(wire_bytes(wire))
                continue
            item = from_wire(wire)
            if len(found) == wanted.limit:
                return found, name
            position = _behind_chain(name) if item.closed else _next_key(name)
            if not item.expired(now) and item.kind is not None:
                found.append(_Found(name, item, wire_bytes(wire)))
                spent += item.closed  # its tail
        if "LastEvaluatedKey" not in answer or (last and position > last):
            return found, None
        if spent >= wanted.max_units:
            return found, position
        page = _AFTER_CHAIN if _ends_in_chain(wires) else min(page * 2, _MAX_PAGE)
        average = mean(map(wire_bytes, wires)) if wires else 1.0
        page = max(1, min(page, int((wanted.max_units - spent) * UNIT_BYTES / average)))
        start = position


def _ends_in_chain(wires: list[Wire]) -> bool:
    return bool(wires) and (split_segment_key(wires[-1]["key"]["S"])[2] > 0 or from_wire(wires[-1]).closed)


def _behind_chain(name: str) -> str:
    """Return the least key that sorts after every segment of `name`; segments contain U+001F, keys only more."""
    return name + FIRST_USER_KEY


def _next_key(name: str) -> str:
    return name + "\x00"


def _tail(connection: Connection, run_id: str, name: str, head: Item) -> tuple[Item, int] | None:
    first, last = segment_key(name, head.chain, 1), segment_key(name, head.chain, LAST_SEGMENT)
    wires = query(connection, run_id, first, last, limit=1, forward=False)["Items"]
    return (from_wire(wires[0]), wire_bytes(wires[0])) if wires else None


def _key(found: _Found, tail: tuple[Item, int] | None) -> Key:
    head = found.item
    text = head.value if head.kind == "value" else head.number if head.kind == "number" else ""
    key = Key(
        found.name,
        head.kind or "value",
        text=text,
        first=head.items,
        length=head.length,
        size=found.size,
        expires_at=head.expires_at,
    )
    if tail is None or tail[0].sealed:  # a sealed chain is what an earlier value left: see runstore.protocol.read
        return key
    last, size = tail
    segments = [*found.segments, size]
    return replace(
        key,
        text=last.number if head.kind == "number" else "",
        length=last.length,
        size=found.size + round(mean(segments) * last.n),
        exact=len(found.segments) >= last.n,
    )


def query(  # noqa: PLR0913 the parameters of a Query
    connection: Connection,
    run_id: str,
    first: str = "",
    last: str = "",
    *,
    limit: int | None = None,
    forward: bool = True,
    start: Any = None,
) -> Any:
    """Return the answer of one consistent Query over sort keys."""
    condition, values = "#run_id = :run_id", {":run_id": {"S": run_id}}
    names = {"#run_id": "run_id"}
    if first:
        condition += " AND #key BETWEEN :first AND :last" if last else " AND #key >= :first"
        values[":first"], names["#key"] = {"S": first}, "key"
        if last:
            values[":last"] = {"S": last}
    more: dict[str, Any] = {}
    if limit is not None:
        more["Limit"] = limit
    if start is not None:
        more["ExclusiveStartKey"] = start
    return connection.dynamodb.query(
        TableName=connection.table,
        KeyConditionExpression=condition,
        ExpressionAttributeNames=names,
        ExpressionAttributeValues=values,
        ConsistentRead=True,
        ScanIndexForward=forward,
        **more,
    )


def wire_bytes(wire: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the size of an item as DynamoDB counts it, to within some bytes."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in wire.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "N":
        return (len(content) + 1) // 2 + 1
    if kind == "L":
        return 3 + sum(1 + _value_bytes(element) for element in content)
    return len(str(content).encode("utf-8", "surrogatepass")) if kind == "S" else 1
