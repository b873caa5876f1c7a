"""Set and delete: the protocol model's `replace`.

One conditional request replaces an open head. One transaction replaces a closed head and seals its chain's tail, so
that a writer with a cached tail can never append behind the reset. A list that does not fit a head is written segments
first: no reader sees half of it, and heads stay small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstore import clock
from runstore.model import items
from runstore.model.expressions import ABSENT, EXPIRED, NOT_MINE, NOT_SET, OPEN, SAME_CLOSED_HEAD, SEAL, UNSEALED_TAIL
from runstore.model.items import Item, from_wire, segment_key, to_wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runstore.dynamodb.table import Table
    from runstore.model.items import Wire


def put_head(table: Table, key: str, new: Item) -> None:
    """Make `new`, which is open, what the key holds. One request, unless the key holds a closed head."""
    attributes, set_id = to_wire(new), {"set_id": {"S": new.set_id}} if new.set_id else {}
    request = table.put_request(key, attributes, NOT_MINE if set_id else OPEN, **set_id)
    while True:
        done, wire = table.put(request)
        if done:
            return
        old = from_wire(wire or {})
        if new.set_id and old.set_id == new.set_id:
            return  # an earlier attempt of this request took effect; what others added since stays

        def write(condition: str, **values: Any) -> dict[str, Any]:
            return {"Put": table.put_request(key, attributes, condition, **values)}

        if _replace_closed(table, key, old, write):
            return


def put_list(table: Table, key: str, texts: tuple[str, ...], sizes: list[int]) -> None:
    """Make a list that does not fit a head what the key holds: a request per segment, then a transaction.

    The last segment is written in the same transaction as the head. If the request is retried after the key was reset,
    that segment makes its condition false, and the dead chain stays dead.
    """
    head, last_key, last_part = _put_segments(table, key, texts, sizes)

    def write(condition: str, **values: Any) -> dict[str, Any]:
        return {"Put": table.put_request(key, head, condition, **values)}

    while True:
        old = table.get(key)
        if old is not None and old.closed:
            done = _replace_closed(table, key, old, write, last_part)
        else:
            done = table.transact(write(OPEN), last_part)
        if done or table.get_raw(last_key) is not None:
            return


def put_head_if_absent(table: Table, key: str, new: Item) -> Item:
    """Write `new`, which is open, if the key is not set; return the head that it has then. One request."""
    request = table.put_request(key, to_wire(new), NOT_SET, now={"N": str(clock.now())})
    while True:
        done, wire = table.put(request)
        if done:
            return new
        if (head := _head_that_is_set(table, key, wire)) is not None:
            # An earlier attempt of this request may have written it, and others may have pushed to it since.
            return new if new.set_id and head.set_id == new.set_id else head


def put_list_if_absent(table: Table, key: str, texts: tuple[str, ...], sizes: list[int]) -> Item | None:
    """Do the same for a list that does not fit a head; return the head that was there, or None if the list was written.

    One request if the key is set; otherwise that, a request per segment and a transaction.
    """
    while (old := table.get_raw(key)) is not None:
        if (head := _head_that_is_set(table, key, old)) is not None:
            return head
    head_wire, last_key, last_part = _put_segments(table, key, texts, sizes)
    while True:
        now = {"now": {"N": str(clock.now())}}
        write = {"Put": table.put_request(key, head_wire, NOT_SET, **now)}
        if table.transact(write, last_part) or table.get_raw(last_key) is not None:
            return None
        if (head := _head_that_is_set(table, key, table.get_raw(key))) is not None:
            return head


def _head_that_is_set(table: Table, key: str, wire: Wire | None) -> Item | None:
    """Return the head that was found, or None if it is gone or has expired. An expired head is removed."""
    if wire is None:
        return None
    head = from_wire(wire)
    if not head.expired(clock.now()):
        return head
    remove_expired(table, key, head)
    return None


def _put_segments(
    table: Table, key: str, texts: tuple[str, ...], sizes: list[int]
) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Write all segments of a list but the last; return the head, and the last one's sort key and write."""
    chain, segments = items.new_chain(), []
    for n, (part, weight) in enumerate(items.split(sizes, table.settings.segment_bytes), 1):
        segments.append((segment_key(key, chain, n), _closed(chain, weight, texts[part], part.stop)))
    *before, (last_key, last) = segments
    for sort_key, segment in before:
        table.put(table.put_request(sort_key, to_wire(segment)))
    return to_wire(_closed(chain, 1, (), 0)), last_key, {"Put": table.put_request(last_key, to_wire(last), ABSENT)}


def delete_head(table: Table, key: str) -> None:
    """Remove the key. One request, unless it holds a closed head."""
    while True:
        done, wire = table.delete(table.delete_request(key, OPEN))
        if done or _replace_closed(table, key, from_wire(wire or {}), _deletion(table, key)):
            return


def remove_expired(table: Table, key: str, head: Item) -> None:
    """Remove an expired head, unless another writer replaced or renewed it meanwhile."""
    now = {"now": {"N": str(clock.now())}}
    if head.closed:
        _replace_closed(table, key, head, _deletion(table, key, EXPIRED, **now))
    else:
        table.delete(table.delete_request(key, f"{OPEN} AND {EXPIRED}", **now))


def _deletion(table: Table, key: str, also: str = "", **more: Any) -> Callable[..., dict[str, Any]]:
    def write(condition: str, **values: Any) -> dict[str, Any]:
        condition = f"{condition} AND {also}" if also else condition
        return {"Delete": table.delete_request(key, condition, **values, **more)}

    return write


def _replace_closed(
    table: Table, key: str, old: Item, write: Callable[..., dict[str, Any]], *others: dict[str, Any]
) -> bool:
    """Replace `old`, which is closed, and seal its chain's tail; return False if another writer was faster."""
    head = write(SAME_CLOSED_HEAD, chain={"S": old.chain})
    tail = table.tail(key, old.chain)
    if tail is not None and tail.sealed:
        # Another writer has just replaced this head, and the condition will be false; or this is a resurrected head
        # (see `append`), whose chain needs no second seal.
        return table.transact(head, *others)
    if tail is None or tail.closed:  # put a sealed stub where the next segment would go
        n, condition = tail.n + 1 if tail else 1, ABSENT
    else:
        n, condition = tail.n, UNSEALED_TAIL
    values = {"true": {"BOOL": True}, "expires_at": {"N": str(table.expires_at())}}
    seal = {"Update": table.update_request(segment_key(key, old.chain, n), SEAL, condition, **values)}
    return table.transact(head, seal, *others)


def _closed(chain: str, weight: int, texts: tuple[str, ...], length: int) -> Item:
    return Item(kind="list", items=texts, length=length, chain=chain, weight=weight, capacity=1)
