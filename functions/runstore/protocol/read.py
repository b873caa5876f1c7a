"""Reading: the protocol model's `get`, parts of lists, and all keys of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstore import clock
from runstore.errors import UnavailableError
from runstore.model.items import FIRST_USER_KEY, UNIT_SEPARATOR, Item, from_wire, segment_key, split_segment_key
from runstore.model.values import decode, decode_list, decode_number
from runstore.protocol.kinds import not_a_list

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstore.dynamodb.table import Table
    from runstore.model.values import JSON

_ATTEMPTS = 9
_ELEMENTS = "#key, #items, #length, #sealed"  # all that reading a chain needs: receipts are left out


class _ConcurrentChangeError(Exception):
    """The key was reset, or grew, while it was being read: read it again."""


def get(table: Table, key: str) -> tuple[bool, JSON]:
    """Return whether the key is set, and its value. One request, and for a long list or counter a Query."""
    for _ in range(_ATTEMPTS):
        head = table.get(key)
        if head is None or head.expired(clock.now()):
            return False, None
        try:
            return True, _value(table, key, head)
        except _ConcurrentChangeError:
            continue
    raise _still_changing(key)


def get_range(table: Table, key: str, start: int, stop: int | None) -> list[JSON] | None:
    """Return the elements from index `start` to before `stop` (None: to the end); None if the key is not set."""
    for _ in range(_ATTEMPTS):
        head = table.get(key)
        if head is None or head.expired(clock.now()):
            return None
        if head.kind != "list":
            raise not_a_list(key, head.kind or "value")
        try:
            first = head if start < head.length or not head.closed else _segment_with(table, key, head, start)
            if first is None:
                return []
            texts = _elements(table, key, head, first, stop)
        except _ConcurrentChangeError:
            continue
        skip = start - first.start
        return decode_list(texts[skip : None if stop is None else skip + max(0, stop - start)])
    raise _still_changing(key)


def keys(table: Table) -> list[str]:
    """Return the keys that are set, sorted by their UTF-8 bytes. Reads every item of the run."""
    now = clock.now()
    found = table.query(FIRST_USER_KEY, projection="#key, #expires_at")
    return [
        wire["key"]["S"]
        for wire in found
        if UNIT_SEPARATOR not in wire["key"]["S"] and not from_wire(wire).expired(now)
    ]


def snapshot(table: Table) -> dict[str, JSON]:
    """Return every key's value. One Query over the run; a key that changed meanwhile is read again by itself."""
    now, values = clock.now(), {}
    heads: dict[str, Item] = {}
    chains: dict[tuple[str, str], list[Item]] = {}
    for wire in table.query(FIRST_USER_KEY):
        key, chain, n = split_segment_key(wire["key"]["S"])
        if n:
            chains.setdefault((key, chain), []).append(from_wire(wire))
        else:
            heads[key] = from_wire(wire)
    for key, head in heads.items():
        if head.expired(now):
            continue
        segments = chains.get((key, head.chain), []) if head.closed else []
        try:
            values[key] = _assembled(head, segments)
        except _ConcurrentChangeError:
            found, value = get(table, key)
            if found:
                values[key] = value
    return values


# ---------------------------------------------------------------------------------------------- one key


def _value(table: Table, key: str, head: Item) -> JSON:
    if head.kind == "list":
        return decode_list(_elements(table, key, head, head, None))
    if head.kind == "number":
        return decode_number(_last_of_counter(table, key, head).number)
    return decode(head.value)


def _last_of_counter(table: Table, key: str, head: Item) -> Item:
    tail = table.tail(key, head.chain) if head.closed else None
    if tail is None:
        return head
    if tail.sealed:
        _confirm_dead_chain(table, key, head)
        return head
    return tail


def _elements(table: Table, key: str, head: Item, first: Item, stop: int | None) -> list[str]:
    """Return the elements' texts from the segment `first` to index `stop` or the chain's end.

    Where a segment does not start at the end of the one before it, that one was filled while the Query ran. Reading
    continues from there; everything before it is final.
    """
    texts, last = list(first.items), first
    if not first.closed or (stop is not None and stop <= first.length):
        return texts
    next_n = last.n + 1
    for _ in range(_ATTEMPTS):
        for segment in _following(table, key, head, next_n, None if stop is None else (stop - last.length, first)):
            if segment.sealed:
                _confirm_dead_chain(table, key, head)
                return list(head.items[first.start :])
            if segment.n == last.n:
                del texts[last.start - first.start :]
            elif segment.n != last.n + 1 or segment.start != last.length:
                break
            texts += segment.items
            last = segment
            if stop is not None and last.length >= stop:
                return texts
        else:
            return texts
        if next_n == last.n:  # read again, and it still does not fit
            raise _ConcurrentChangeError
        next_n = last.n
    raise _ConcurrentChangeError


def _following(table: Table, key: str, head: Item, n: int, part: tuple[int, Item] | None) -> Iterator[Item]:
    """Yield the segments from `n` on; for part of a list, in pages as long as one of its segments suggests."""
    page = None if part is None else max(1, part[0]) // max(1, len(part[1].items)) + 1
    return table.segments(key, head.chain, max(n, 1), page=page, projection=_ELEMENTS)


def _segment_with(table: Table, key: str, head: Item, index: int) -> Item | None:
    """Return the segment beyond the head that holds the element `index`; None if the list ends before it.

    Segment numbers are dense, and each segment says where it starts. The search interpolates and bisects in turn, so
    that lists of both even and uneven elements take few requests.
    """
    last = table.tail(key, head.chain)
    if last is not None and last.sealed:
        _confirm_dead_chain(table, key, head)
        return None
    if last is None or index >= last.length:
        return None
    low, high, start, end, halve = 1, last.n, head.length, last.length, False
    segment: Item | None = last
    while True:
        if segment is None:
            raise _ConcurrentChangeError
        if index < segment.start:
            high, end = segment.n - 1, segment.start
        elif index >= segment.length:
            low, start = segment.n + 1, segment.length
        else:
            return segment
        if not (low <= high and start <= index < end):
            raise _ConcurrentChangeError
        n = (low + high) // 2 if halve else low + (index - start) * (high - low + 1) // (end - start)
        segment, halve = table.get(segment_key(key, head.chain, n)), not halve


def _confirm_dead_chain(table: Table, key: str, head: Item) -> None:
    """Return if the head still names a chain that was found sealed; raise _ConcurrentChangeError otherwise.

    A head that does is a resurrected head (see `append`): what its chain holds beyond it is dead.
    """
    current = table.get(key)
    if current is None or current.chain != head.chain or not current.closed:
        raise _ConcurrentChangeError


def _assembled(head: Item, segments: list[Item]) -> JSON:
    """Return a key's value from its head and segments as one Query found them."""
    if head.kind == "value":
        return decode(head.value)
    last, texts = head, list(head.items)
    for segment in segments:
        if segment.sealed or segment.n != last.n + 1 or (head.kind == "list" and segment.start != last.length):
            raise _ConcurrentChangeError
        texts += segment.items
        last = segment
    return decode_list(texts) if head.kind == "list" else decode_number(last.number)


def _still_changing(key: str) -> UnavailableError:
    return UnavailableError(f"key {key!r} changed during each of {_ATTEMPTS} attempts to read it: try again")
