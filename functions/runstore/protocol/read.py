"""Reading one key: the protocol model's `get`, and parts of lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runstore import clock
from runstore.errors import UnavailableError
from runstore.model.items import Elements, Item, segment_key
from runstore.model.values import decode, decode_list, decode_number
from runstore.protocol.budget import UNLIMITED, Budget
from runstore.protocol.kinds import not_a_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runstore.dynamodb.table import Table
    from runstore.model.values import JSON

ATTEMPTS = 9


class ConcurrentChangeError(Exception):
    """The key was reset, or grew, while it was being read: read it again."""


class _Part(NamedTuple):
    """The elements from index `start` to before `stop` (None: the end), of which the first are in `first`."""

    first: Item
    start: int
    stop: int | None


def get(table: Table, key: str, budget: Budget = UNLIMITED) -> tuple[bool, JSON]:
    """Return whether the key is set, and its value. One request, and for a long list or counter a Query."""
    spent = budget.spent
    for _ in range(ATTEMPTS):
        budget.spent = spent
        head = table.get(key)
        if head is None or head.expired(clock.now()):
            return False, None
        try:
            return True, value_of(table, key, head, budget)
        except ConcurrentChangeError:
            continue
    raise still_changing(key)


def get_range(table: Table, key: str, start: int, stop: int | None, budget: Budget = UNLIMITED) -> list[JSON] | None:
    """Return the elements from index `start` to before `stop` (None: to the end); None if the key is not set."""
    spent = budget.spent
    for _ in range(ATTEMPTS):
        budget.spent = spent
        head = table.get(key)
        if head is None or head.expired(clock.now()):
            return None
        if head.kind != "list":
            raise not_a_list(key, head.kind or "value")
        try:
            first = head if start < head.length or not head.closed else _segment_with(table, key, head, start)
            if first is None:
                return []
            texts = _elements(table, key, head, _Part(first, start, stop), budget)
        except ConcurrentChangeError:
            continue
        skip = start - first.start
        return decode_list(texts[skip : None if stop is None else skip + max(0, stop - start)])
    raise still_changing(key)


def still_changing(key: str) -> UnavailableError:
    """Return the error of a key that no attempt could read whole."""
    return UnavailableError(f"key {key!r} changed during each of {ATTEMPTS} attempts to read it: try again")


# ---------------------------------------------------------------------------------------------- one key


def value_of(table: Table, key: str, head: Item, budget: Budget = UNLIMITED) -> JSON:
    """Return the value of a key whose head has just been read."""
    if head.kind == "list":
        return decode_list(_elements(table, key, head, _Part(head, 0, None), budget))
    if head.kind == "number":
        return decode_number(_last_of_counter(table, key, head).number)
    budget.spend(key, head.value)
    return decode(head.value)


def _last_of_counter(table: Table, key: str, head: Item) -> Item:
    tail = table.tail(key, head.chain) if head.closed else None
    if tail is None:
        return head
    if tail.sealed:
        _confirm_dead_chain(table, key, head)
        return head
    return tail


def _elements(table: Table, key: str, head: Item, part: _Part, budget: Budget) -> list[str]:
    """Return the elements' texts from the segment `first` to the index where `wanted` stops, or the chain's end.

    Where a segment does not start at the end of the one before it, that one was filled while the Query ran. Reading
    continues from there; everything before it is final.
    """
    first, start, stop = part
    account = budget.account(key)
    account.spend(_before(stop, first)[max(0, start - first.start) :])
    texts = list(first.items)
    last: Item | Elements = first
    if not first.closed or (stop is not None and stop <= first.length):
        return texts
    next_n = last.n + 1
    for _ in range(ATTEMPTS):
        for segment in _following(table, key, head, next_n, None if stop is None else (stop - last.length, first)):
            if segment.sealed:
                _confirm_dead_chain(table, key, head)
                return list(head.items[first.start :])
            if segment.n == last.n:
                del texts[last.start - first.start :]
                account.refund(_before(stop, last))
            elif segment.n != last.n + 1 or segment.start != last.length:
                break
            account.spend(_before(stop, segment))
            texts += segment.items
            last = segment
            if stop is not None and last.length >= stop:
                return texts
        else:
            return texts
        if next_n == last.n:  # read again, and it still does not fit
            raise ConcurrentChangeError
        next_n = last.n
    raise ConcurrentChangeError


def _before(stop: int | None, segment: Item | Elements) -> Sequence[str]:
    """Return those of a segment's elements that come before the index `stop`."""
    return segment.items if stop is None else segment.items[: max(0, stop - segment.start)]


def _following(table: Table, key: str, head: Item, n: int, part: tuple[int, Item] | None) -> Iterator[Elements]:
    """Yield the segments from `n` on; for part of a list, in pages as long as one of its segments suggests."""
    page = None if part is None else max(1, part[0]) // max(1, len(part[1].items)) + 1
    return table.elements(key, head.chain, max(n, 1), page=page)


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
            raise ConcurrentChangeError
        if index < segment.start:
            high, end = segment.n - 1, segment.start
        elif index >= segment.length:
            low, start = segment.n + 1, segment.length
        else:
            return segment
        if not (low <= high and start <= index < end):
            raise ConcurrentChangeError
        n = (low + high) // 2 if halve else low + (index - start) * (high - low + 1) // (end - start)
        segment, halve = table.get(segment_key(key, head.chain, n)), not halve


def _confirm_dead_chain(table: Table, key: str, head: Item) -> None:
    """Return if the head still names a chain that was found sealed; raise ConcurrentChangeError otherwise.

    A head that does is a resurrected head (see `append`): what its chain holds beyond it is dead.
    """
    current = table.get(key)
    if current is None or current.chain != head.chain or not current.closed:
        raise ConcurrentChangeError
