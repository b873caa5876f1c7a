"""keys and snapshot of the keys that begin with a prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstore.testing.contract.base import Contract

if TYPE_CHECKING:
    from runstore import Store

KEYS = [
    "a",
    "b",
    "results",
    "results/1",
    "results/10",
    "results/2",
    "results0",
    "Results/1",
    "ü/1",
    "ü/2",
    "\U0010ffff",
]


class PrefixesContract(Contract):
    """keys and snapshot of the keys that begin with a prefix."""

    @pytest.mark.parametrize("prefix", ["", "r", "results", "results/", "results/1", "ü", "\U0010ffff", "nothing"])
    def test_only_the_keys_with_the_prefix_are_returned(self, store: Store, prefix: str) -> None:
        """Both return exactly the keys that begin with the prefix, in the order of their UTF-8 bytes."""
        for number, key in enumerate(KEYS):
            store.set(key, number)
        expected = {key: number for number, key in enumerate(KEYS) if key.startswith(prefix)}
        assert store.keys(prefix) == sorted(expected, key=str.encode)
        assert store.snapshot(prefix) == expected
        assert list(store.snapshot(prefix=prefix)) == store.keys(prefix=prefix)

    def test_a_prefix_is_not_a_key_of_the_engine_s_own(self, store: Store) -> None:
        """Long lists, tokens and what a deleted list has left show as their keys alone, if they are set."""
        for key in ("list", "list/1", "gone"):
            store.push_many(key, ["x" * 190] * 30)
            store.push(key, "last", token="t")
        store.delete("gone")
        assert store.keys("li") == store.keys() == ["list", "list/1"]
        assert store.keys("list/") == ["list/1"]
        assert store.keys("gone") == []
        assert {key: len(value) for key, value in store.snapshot("li").items()} == {"list": 31, "list/1": 31}

    def test_the_longest_prefix(self, store: Store) -> None:
        """A key of 512 bytes is found by all of it."""
        key = "\U0010ffff" * 128
        store.set(key, 1)
        assert store.keys(key) == [key]
        assert store.snapshot(key[:-1]) == {key: 1}

    def test_keys_among_many(self, run_id: str) -> None:
        """Every key of a run of several pages is found once, whatever lies between."""
        store = self.new_store(run_id)
        expected = []
        for number in range(130):
            key = f"key {number:04d}"
            expected.append(key)
            store.set(key, ["x" * 190] * 20 if number % 13 == 0 else number)
        assert store.keys() == expected
        assert list(store.snapshot("key 00")) == expected[:100]
