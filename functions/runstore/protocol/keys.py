"""The protocol of one key over a run's table, for requests that have been checked. Satisfies `batch.Backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstore.model import items
from runstore.model.items import Item
from runstore.model.values import decode, decode_list, decode_number
from runstore.protocol import listing, read, replace
from runstore.protocol.append import append
from runstore.protocol.budget import UNLIMITED, Budget

if TYPE_CHECKING:
    from typing import Any

    from runstore.dynamodb.table import Table
    from runstore.model.expressions import Change
    from runstore.model.operations import ListValue
    from runstore.protocol.tails import TailCache
    from runstore.settings import Settings


class Keys:
    """Reads and writes the keys of one run. `budget`: how much the values that it reads may have in all."""

    def __init__(self, table: Table, tails: TailCache, budget: Budget = UNLIMITED) -> None:
        self.table, self.tails, self.budget = table, tails, budget

    @property
    def settings(self) -> Settings:
        """The store's settings."""
        return self.table.settings

    def within(self, budget: Budget) -> Keys:
        """Return the same keys with another budget."""
        return Keys(self.table, self.tails, budget)

    def find_value(self, key: str) -> tuple[bool, Any]:
        """Return whether the key is set, and its value."""
        return read.get(self.table, key, self.budget)

    def find_part(self, key: str, start: int, stop: int | None) -> list[Any] | None:
        """Return part of a list, None if the key is not set."""
        return read.get_range(self.table, key, start, stop, self.budget)

    def values(self, prefix: str) -> dict[str, Any]:
        """Return every key that begins with `prefix`, with its value."""
        return listing.snapshot(self.table, prefix, self.budget)

    def write(self, key: str, value: Item | ListValue) -> None:
        """Replace what the key holds."""
        self._forget_tail(key)
        head = self._head(key, value)
        if head is not None:
            replace.put_head(self.table, key, head)
        else:
            texts, sizes = _elements(value)
            replace.put_list(self.table, key, texts, sizes)

    def write_if_absent(self, key: str, value: Item | ListValue) -> Any:
        """Write the value if the key is not set, and return what it holds then."""
        head = self._head(key, value)
        for _ in range(read.ATTEMPTS):
            if head is not None:
                found: Item | None = replace.put_head_if_absent(self.table, key, head)
            else:
                texts, sizes = _elements(value)
                found = replace.put_list_if_absent(self.table, key, texts, sizes)
            if found is None or found is head:
                return _decoded(value)
            try:
                return read.value_of(self.table, key, found, self.budget)
            except read.ConcurrentChangeError:
                continue
        raise read.still_changing(key)

    def append(self, key: str, change: Change) -> str:
        """Apply a push or an increment and return the running total."""
        return append(self.table, self.tails, key, change)

    def remove(self, key: str) -> None:
        """Remove the key."""
        self._forget_tail(key)
        replace.delete_head(self.table, key)

    def _head(self, key: str, value: Item | ListValue) -> Item | None:
        """Return the head that holds the value, or None for a list that does not fit one."""
        if isinstance(value, Item):
            return value
        settings = self.table.settings
        return items.open_list(self.table.run_id, key, value.texts, value.sizes, settings.segment_bytes)

    def _forget_tail(self, key: str) -> None:
        self.tails.forget(self.table.settings.table_name, self.table.run_id, key)


def _elements(value: Item | ListValue) -> tuple[tuple[str, ...], list[int]]:
    if isinstance(value, Item):
        raise TypeError
    return value.texts, value.sizes


def _decoded(value: Item | ListValue) -> Any:
    if not isinstance(value, Item):
        return decode_list(value.texts)
    return decode_number(value.number) if value.kind == "number" else decode(value.value)
