"""Expiry: what has expired is absent for everybody, also while DynamoDB has not deleted it yet."""

import time

import pytest

from runstore import JSON
from tests.contract.implementations import AnyStore, Implementation, TableImplementation

DAY = 86_400
LONG = "x" * 190


class Clock:
    """The store's clock, which the test moves."""

    def __init__(self) -> None:
        self.ahead = 0

    def now(self) -> int:
        """Return the time, as many seconds ahead as the test wants."""
        return int(time.time()) + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that the test moves."""
    clock = Clock()
    monkeypatch.setattr("runstore.clock.now", clock.now)
    return clock


def _written(store: AnyStore) -> dict[str, JSON]:
    long: list[JSON] = [[number, LONG] for number in range(9)]
    store.set("text", "text")
    store.set("number", 5)
    store.set("list", [1, 2])
    store.set("long list", list(range(600)))
    for element in long:
        store.push("pushed", element, token=f"push {element}"[:50])
    for number in range(40):
        store.increment("counter", token=f"t{number}")
    return {
        "text": "text", "number": 5, "list": [1, 2], "long list": list(range(600)), "pushed": long, "counter": 40,
    }  # fmt: skip


def test_expired_is_absent(table: TableImplementation, run_id: str, clock: Clock) -> None:
    """A day before its time everything is there; from its time on nothing is, for reads of every kind."""
    store = table.store(run_id, ttl_days=2)
    expected = _written(store)
    clock.ahead = DAY
    assert store.snapshot() == expected
    clock.ahead = 2 * DAY + 60
    for reader in (store, table.store(run_id)):
        assert reader.keys() == []
        assert reader.snapshot() == {}
        for key in expected:
            assert reader.find(key) == (False, None)
            assert reader.get_range(key) == []


@pytest.mark.parametrize("key", ["text", "number", "list", "long list", "pushed", "counter"])
@pytest.mark.parametrize("token", [None, "t0"])
def test_an_expired_key_begins_anew(
    table: TableImplementation, run_id: str, clock: Clock, key: str, token: str | None
) -> None:
    """A push or increment on an expired key begins at nothing, its old tokens forgotten, whoever comes first."""
    store, other = table.store(run_id, ttl_days=2), table.store(run_id, ttl_days=2)
    _written(store)
    clock.ahead = 2 * DAY + 60
    assert store.increment(key, 3, token=token) == 3
    assert other.increment(key, 3, token=token) == (3 if token else 6)
    store.delete(key)
    _written(store)
    clock.ahead = 4 * DAY + 120
    assert other.push(key, "a", token=token) == 1
    assert store.push(key, "a", token=token) == (1 if token else 2)
    assert other.get(key) == (["a"] if token else ["a", "a"])


def test_set_and_delete_of_an_expired_key(table: TableImplementation, run_id: str, clock: Clock) -> None:
    """An expired key is set, or deleted, like one that is not there."""
    store = table.store(run_id, ttl_days=2)
    expected = _written(store)
    clock.ahead = 2 * DAY + 60
    for key in expected:
        store.delete(key)
        store.set(key, [1])
        store.push(key, 2)
    assert store.snapshot() == {key: [1, 2] for key in expected}


def test_every_write_puts_the_expiry_off(table: TableImplementation, run_id: str, clock: Clock) -> None:
    """An open key that is written to within its time stays."""
    store = table.store(run_id, ttl_days=2)
    store.push("list", 1)
    store.increment("n")
    clock.ahead = DAY
    store.push("list", 2)
    store.increment("n")
    clock.ahead = 2 * DAY + 60
    assert store.snapshot() == {"list": [1, 2], "n": 2}


def test_completion_removes_expired_items(table: TableImplementation, run_id: str, clock: Clock) -> None:
    """What has expired and is still there goes with the run."""
    store = table.store(run_id, ttl_days=2)
    _written(store)
    clock.ahead = 3 * DAY
    store.complete()
    assert table.items(run_id) == []


@pytest.mark.parametrize("value", ["text", ["x" * 190] * 40], ids=["head", "chain"])
def test_setdefault_of_an_expired_key(implementation: Implementation, run_id: str, clock: Clock, value: JSON) -> None:
    """After its expiry a key is set anew; before it, the expiry is not renewed."""
    store = implementation.store(run_id, ttl_days=1)
    store.set("key", value)
    clock.ahead = DAY - 6_400
    assert store.setdefault("key", "new") == value
    clock.ahead = DAY + 1
    assert implementation.store(run_id, ttl_days=1).setdefault("key", "new") == "new"
    assert store.get("key") == "new"
