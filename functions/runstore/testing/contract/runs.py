"""Runs: their keys, their end, and that they are isolated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstore.testing.contract.base import Contract

if TYPE_CHECKING:
    from runstore import Store

LONG = "x" * 190


def _written(store: Store) -> None:
    store.set("text", "text")
    store.set("long", list(range(600)))
    for number in range(9):
        store.push("pushed", [number, LONG], token=f"t{number}")
        store.increment("n", token=f"t{number}")
    store.delete("long")
    store.set("none", None)


class RunsContract(Contract):
    """Runs: their keys, their end, and that they are isolated."""

    def test_keys_are_sorted_and_the_user_s_own(self, store: Store) -> None:
        """Keys come sorted by their UTF-8 bytes; what the store keeps beside them is not among them."""
        _written(store)
        for key in ("ä", "Z", "a", " "):
            store.set(key, 1)
        assert store.keys() == [" ", "Z", "a", "n", "none", "pushed", "text", "ä"]

    def test_a_snapshot_is_every_key_s_value(self, store: Store) -> None:
        """A snapshot has each key as `get` returns it."""
        assert store.snapshot() == {}
        _written(store)
        assert store.snapshot() == {key: store.get(key) for key in ["n", "none", "pushed", "text"]}
        assert store.snapshot()["pushed"] == [[number, LONG] for number in range(9)]

    def test_runs_are_isolated(self, run_id: str) -> None:
        """Runs whose ids are beginnings of each other share nothing."""
        stores = [self.new_store(each) for each in (run_id, f"{run_id}0", f"{run_id} ", run_id[:-1])]
        for number, store in enumerate(stores):
            store.set("key", number)
            _written(store)
        for key in stores[0].keys():  # noqa: SIM118 a store is no dict
            stores[0].delete(key)
        assert stores[0].keys() == []
        for number, store in enumerate(stores[1:], 1):
            assert store.get("key") == number
            assert store.increment("n", token="t0") == 1
            assert len(store.get_range("pushed")) == 9
