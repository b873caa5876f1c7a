"""A list of ten thousand elements."""

import pytest

from tests.contract.implementations import AnyStore, Implementation

COUNT = 10_000
ELEMENTS = [{"id": number, "status": "done"} for number in range(COUNT)]


def _is_whole(store: AnyStore) -> None:
    assert store.get("list") == ELEMENTS
    for start in (0, 1, 4_999, 9_990, 9_999, 10_000):
        assert store.get_range("list", start, 12) == ELEMENTS[start : start + 12]
    assert store.get_range("list", 2_500, 5_000) == ELEMENTS[2_500:7_500]
    assert store.snapshot() == {"list": ELEMENTS}


def test_ten_thousand_elements_pushed_many_at_once(implementation: Implementation, run_id: str) -> None:
    """They are pushed, repeated, read, ranged over, pushed to and deleted with the run."""
    store = implementation.store(run_id)
    assert store.push_many("list", ELEMENTS, token="t") == COUNT
    _is_whole(store)
    reader = implementation.store(run_id)
    assert reader.push_many("list", ELEMENTS[:10], token="u") == COUNT + 10
    assert store.push("list", "last", token="v") == COUNT + 11
    assert implementation.store(run_id).push("list", "last", token="v") == COUNT + 11
    store.complete()
    assert implementation.items(run_id) == []


def test_ten_thousand_elements_set(implementation: Implementation, run_id: str) -> None:
    """A list of ten thousand is set, where the settings let a value be so large, and replaced."""
    store = implementation.store(run_id, max_value_bytes=350_000)
    elements = list(range(COUNT))
    store.set("list", elements)
    assert store.get("list") == elements
    assert store.push("list", COUNT) == COUNT + 1
    assert implementation.store(run_id).get_range("list", 9_998) == [9_998, 9_999, COUNT]
    store.set("list", [])
    assert store.get("list") == []


@pytest.mark.prove
def test_ten_thousand_elements_pushed_one_by_one(implementation: Implementation, run_id: str) -> None:
    """They are pushed one by one, read and ranged over."""
    store = implementation.store(run_id)
    for number, element in enumerate(ELEMENTS, 1):
        assert store.push("list", element) == number
    _is_whole(store)
