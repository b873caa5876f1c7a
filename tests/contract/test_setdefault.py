"""setdefault: one of many wins, and everybody learns who."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from runstore import InvalidValueError, ValueTooLargeError, clock
from tests.contract.places import AnyStore, Place, TablePlace

VALUES: list[Any] = [None, False, "text", {"a": [1]}, 7, -2.5, 10**40 + 1, [], [1, "a"], ["x" * 190] * 40]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_it_writes_what_set_would_write(place: Place, run_id: str, value: Any) -> None:
    """The first call writes the value and returns it; every later one returns the same."""
    store = place.store(run_id)
    assert store.setdefault("key", value) == value
    assert store.get("key") == value
    assert place.store(run_id).setdefault("key", "other") == value
    assert store.setdefault("key", list(range(900))) == value
    assert store.find("key") == (True, value)


def test_what_it_wrote_can_be_added_to(store: AnyStore) -> None:
    """A list can be pushed to and a number incremented; it then returns what they have become."""
    store.setdefault("list", ["a"])
    store.setdefault("count", 5)
    assert store.push("list", "b") == 2
    assert store.increment("count", 2) == 7
    assert store.setdefault("list", []) == ["a", "b"]
    assert store.setdefault("count", 0) == 7


def test_it_returns_a_long_list_and_a_counter_of_many_tokens(store: AnyStore) -> None:
    """What a key holds beyond its first item is returned too."""
    elements = [f"element {number}" for number in range(300)]
    store.push_many("list", elements)
    for number in range(60):
        store.increment("count", token=f"token {number}")
    assert store.setdefault("list", "other") == elements
    assert store.setdefault("count", "other") == 60


@pytest.mark.parametrize("value", ["text", ["x" * 190] * 40], ids=["head", "chain"])
def test_an_expired_key_is_absent(place: Place, run_id: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its expiry a key is set anew; before it, the expiry is not renewed."""
    store = place.store(run_id, ttl_days=1)
    store.set("key", value)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + 80_000)
    assert store.setdefault("key", "new") == value
    monkeypatch.setattr(clock, "now", lambda: now + 86_401)
    assert place.store(run_id, ttl_days=1).setdefault("key", "new") == "new"
    assert store.get("key") == "new"


def test_one_of_many_wins(place: Place, run_id: str) -> None:
    """Of offers at the same time one is written, and each caller gets that one back."""
    stores = [place.store(run_id) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda number: stores[number].setdefault("leader", f"branch {number}"), range(4)))
    assert len(set(found)) == 1
    assert stores[0].get("leader") == found[0]


def test_what_it_refuses(store: AnyStore) -> None:
    """What set refuses is refused, also where the key is set."""
    for _ in range(2):
        with pytest.raises(InvalidValueError, match=r"^value must be a finite number; got nan"):
            store.setdefault("key", float("nan"))
        with pytest.raises(ValueTooLargeError) as caught:
            store.setdefault("key", "x" * 70_000)
        assert (caught.value.operation, caught.value.key) == ("setdefault", "key")
        store.set("key", 1)


@pytest.mark.parametrize("value", ["text", 7, [1]], ids=repr)
def test_it_costs_one_request(priced: TablePlace, run_id: str, value: Any) -> None:
    """Whether it writes or finds a value, it sends one request."""
    store = priced.store(run_id)
    store.setdefault("key", value)
    assert store.requests == 1
    store.setdefault("key", value)
    assert store.requests == 2
