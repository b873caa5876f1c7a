"""setdefault: one of many writers wins, and everybody learns which."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from runstore.testing.contract.base import Contract

if TYPE_CHECKING:
    from runstore import Store

VALUES: list[Any] = [None, False, "text", {"a": [1]}, 7, -2.5, 10**40 + 1, [], [1, "a"], ["x" * 190] * 40]


class SetdefaultContract(Contract):
    """setdefault: one of many writers wins, and everybody learns which."""

    @pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
    def test_it_writes_what_set_would_write(self, run_id: str, value: Any) -> None:
        """The first call writes the value and returns it; every later one returns the same."""
        store = self.new_store(run_id)
        assert store.setdefault("key", value) == value
        assert store.get("key") == value
        assert self.new_store(run_id).setdefault("key", "other") == value
        assert store.setdefault("key", list(range(900))) == value
        assert store.find("key") == (True, value)

    def test_what_it_wrote_can_be_added_to(self, store: Store) -> None:
        """A list can be pushed to and a number incremented; it then returns what they have become."""
        store.setdefault("list", ["a"])
        store.setdefault("count", 5)
        assert store.push("list", "b") == 2
        assert store.increment("count", 2) == 7
        assert store.setdefault("list", []) == ["a", "b"]
        assert store.setdefault("count", 0) == 7

    def test_it_returns_a_long_list_and_a_counter_of_many_tokens(self, store: Store) -> None:
        """What a key holds beyond its first item is returned too."""
        elements = [f"element {number}" for number in range(300)]
        store.push_many("list", elements)
        for number in range(60):
            store.increment("count", token=f"token {number}")
        assert store.setdefault("list", "other") == elements
        assert store.setdefault("count", "other") == 60

    def test_one_of_many_wins(self, run_id: str) -> None:
        """Of offers at the same time one is written, and each caller gets that one back."""
        stores = [self.new_store(run_id) for _ in range(4)]
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda number: stores[number].setdefault("leader", f"branch {number}"), range(4)))
        assert len(set(found)) == 1
        assert stores[0].get("leader") == found[0]
