"""Reading a whole run, or its keys that begin with a prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstore import clock
from runstore.model.items import FIRST_USER_KEY, UNIT_SEPARATOR, Item, from_wire, split_segment_key
from runstore.model.values import decode, decode_list, decode_number
from runstore.protocol.budget import UNLIMITED, Budget
from runstore.protocol.read import ConcurrentChangeError, get

if TYPE_CHECKING:
    from runstore.dynamodb.table import Table
    from runstore.model.values import JSON

_FIRST_PAGE, _PAGE_AFTER_CHAIN = 100, 10  # items
_HIGHEST = "\U0010ffff" * 128  # with a prefix of 512 bytes as long as a sort key can be; no key sorts after it


def keys(table: Table, prefix: str) -> list[str]:
    """Return the keys that are set and begin with `prefix`, sorted by their UTF-8 bytes.

    The segments of a long chain sort between its key and the next. Where a page ends among them, the next one starts
    behind the chain instead of reading the rest of it.
    """
    now = clock.now()
    found: list[str] = []
    first, last = _range(prefix)
    page = _FIRST_PAGE
    while True:
        wires, more = table.page(first, last, "#key, #expires_at", page)
        for wire in wires:
            sort_key = wire["key"]["S"]
            if UNIT_SEPARATOR not in sort_key and not from_wire(wire).expired(now):
                found.append(sort_key)
        if not more:
            return found
        key, chain, _ = split_segment_key(wires[-1]["key"]["S"])
        # Nothing but the segments of `key` sorts between it and `key` followed by a space.
        first = f"{key} " if chain else f"{key}{UNIT_SEPARATOR}"
        page = _PAGE_AFTER_CHAIN if chain else page * 4


def snapshot(table: Table, prefix: str, budget: Budget = UNLIMITED) -> dict[str, JSON]:
    """Return the value of every key that begins with `prefix`. A key that changed meanwhile is read again alone."""
    now, values = clock.now(), {}
    heads: dict[str, Item] = {}
    chains: dict[str, list[Item]] = {}
    for wire in table.query(*_range(prefix)):
        key, chain, n = split_segment_key(wire["key"]["S"])
        if not n:
            head = from_wire(wire)
            if not head.expired(now):
                heads[key], chains[key] = head, []
                _account(budget, key, head)
        elif key in heads and heads[key].closed and heads[key].chain == chain:  # others are left from earlier values
            chains[key].append(from_wire(wire))
            _account(budget, key, chains[key][-1])
    for key, head in heads.items():
        try:
            values[key] = _assembled(head, chains[key])
        except ConcurrentChangeError:
            for item in (head, *chains[key]):
                budget.account(key).refund(item.items)
            found, value = get(table, key, budget)
            if found:
                values[key] = value
    return values


def _range(prefix: str) -> tuple[str, str]:
    return (prefix, prefix + _HIGHEST) if prefix else (FIRST_USER_KEY, "")


def _account(budget: Budget, key: str, item: Item) -> None:
    account = budget.account(key)
    account.spend(item.items)
    if not item.n:
        account.spend((key, item.value))


def _assembled(head: Item, segments: list[Item]) -> JSON:
    """Return a key's value from its head and segments as one Query found them."""
    if head.kind == "value":
        return decode(head.value)
    last, texts = head, list(head.items)
    for segment in segments:
        if segment.sealed or segment.n != last.n + 1 or (head.kind == "list" and segment.start != last.length):
            raise ConcurrentChangeError
        texts += segment.items
        last = segment
    return decode_list(texts) if head.kind == "list" else decode_number(last.number)
