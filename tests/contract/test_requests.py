"""What operations cost in requests, and that a repetition writes nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.implementations import AnyStore, TableImplementation

LONG = "x" * 190


@pytest.fixture(autouse=True)
def _no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a writer remembers fresh, however slow this machine is."""
    monkeypatch.setattr("runstore.clock.elapsed", lambda: 0.0)


def _cost(store: AnyStore, operation: Callable[[], Any]) -> int:
    before = store.requests
    operation()
    return store.requests - before


OPERATIONS: dict[str, Callable[[AnyStore], Any]] = {
    "get": lambda store: store.get("key"),
    "find": lambda store: store.find("key"),
    "get_range": lambda store: store.get_range("list", 0, 2),
    "set text": lambda store: store.set("key", "text"),
    "set a number": lambda store: store.set("key", 5),
    "set a list": lambda store: store.set("key", [1, 2, 3]),
    "push": lambda store: store.push("list", {"id": 7, "status": "done"}),
    "push with a token": lambda store: store.push("list", {"id": 7, "status": "done"}, token="t"),
    "push_many": lambda store: store.push_many("list", range(10)),
    "push_many with a token": lambda store: store.push_many("list", range(10), token="t"),
    "increment": lambda store: store.increment("n"),
    "increment with a token": lambda store: store.increment("n", 2, token="t"),
    "delete": lambda store: store.delete("list"),
    "keys": lambda store: store.keys(),
    "snapshot": lambda store: store.snapshot(),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_a_small_key_takes_one_request(
    default_table: TableImplementation, run_id: str, operation: Callable[[AnyStore], Any]
) -> None:
    """On a key that is not set, on one that is, and repeated by another process: one request each."""
    store = default_table.store(run_id)
    assert _cost(store, lambda: operation(store)) == 1
    assert _cost(store, lambda: operation(store)) == 1
    other = default_table.store(run_id)
    assert _cost(other, lambda: operation(other)) == 1


def _fill(store: AnyStore, count: int) -> None:
    for number in range(count):
        store.push("list", [number, LONG])


@pytest.mark.parametrize("length", [9, 50])
def test_a_push_onto_a_long_list(default_table: TableImplementation, run_id: str, length: int) -> None:
    """One request for who remembers, two where a segment begins; a newcomer tries the head and asks for the tail."""
    store = default_table.store(run_id)
    _fill(store, length)
    costs = [_cost(store, lambda: store.push("list", LONG)) for _ in range(9)]
    assert set(costs) == {1, 2}
    assert costs.count(1) >= 6
    other = default_table.store(run_id)
    assert _cost(other, lambda: other.push("list", LONG)) == 3


@pytest.mark.parametrize("length", [9, 50])
def test_a_push_with_a_token_onto_a_long_list(default_table: TableImplementation, run_id: str, length: int) -> None:
    """At most three requests for who remembers, at most five for who does not, the same at any length."""
    store = default_table.store(run_id)
    _fill(store, length)
    warm = [_cost(store, lambda: store.push("list", LONG, token=f"t{number}")) for number in range(9)]  # noqa: B023 at once
    assert max(warm) <= 3
    for number in range(5):
        other = default_table.store(run_id)
        assert _cost(other, lambda: other.push("list", LONG, token=f"u{number}")) <= 5  # noqa: B023 called at once


@pytest.mark.parametrize("later", [0, 30])
def test_a_repeat_on_a_long_list_writes_nothing(default_table: TableImplementation, run_id: str, later: int) -> None:
    """It reads, few requests however much was pushed since, and leaves every item as it is."""
    store = default_table.store(run_id)
    _fill(store, 9)
    assert store.push("list", LONG, token="t") == 10
    _fill(store, later)
    before = default_table.items(run_id)
    assert _cost(store, lambda: store.push("list", LONG, token="t")) <= 3
    other = default_table.store(run_id)
    assert _cost(other, lambda: other.push("list", LONG, token="t")) <= 4
    assert default_table.items(run_id) == before


def test_reading_a_long_list(default_table: TableImplementation, run_id: str) -> None:
    """A list of many items is read by two requests; a part of it by few, wherever it is."""
    store = default_table.store(run_id)
    store.push_many("list", [[number, LONG] for number in range(2_000)])
    assert _cost(store, lambda: store.get("list")) == 2
    for start in (0, 1, 700, 1_000, 1_990):
        assert _cost(store, lambda: store.get_range("list", start, 5)) <= 8  # noqa: B023 called at once


def test_the_beginning_of_a_long_list_is_read_by_one_request(default_table: TableImplementation, run_id: str) -> None:
    """What the list's first item holds takes no more requests than a short list does, nor does nothing at all."""
    store = default_table.store(run_id)
    store.push_many("list", range(3_000))
    assert _cost(store, lambda: store.get_range("list", 0, 0)) == 1
    assert _cost(store, lambda: store.get_range("list", 0, 1)) == 1
    assert _cost(store, lambda: store.get_range("list", 3, 2)) == 1
    assert store.get_range("list", 3, 2) == [3, 4]
    assert _cost(store, lambda: store.get_range("list", 2_999, 1)) == 2
    assert store.get_range("list", 2_999, 1) == [2_999]


def test_replacing_a_long_list(default_table: TableImplementation, run_id: str) -> None:
    """Three requests: the refused one, the tail's, and the transaction."""
    store = default_table.store(run_id)
    for operation in (lambda: store.set("list", "text"), lambda: store.set("list", 5), lambda: store.delete("list")):
        store.delete("list")
        _fill(store, 9)
        assert _cost(store, operation) == 3


def test_completion_deletes_in_batches(default_table: TableImplementation, run_id: str) -> None:
    """25 items a request, and a Query before and after."""
    store = default_table.store(run_id)
    for number in range(60):
        store.set(f"key {number}", number)
    assert _cost(store, store.complete) == 1 + 3 + 1


def test_apply_costs_what_its_operations_cost(default_table: TableImplementation, run_id: str) -> None:
    """A push and an increment are two requests."""
    store = default_table.store(run_id)
    store.apply([{"do": "push", "key": "results", "item": {"id": 7}}, {"do": "increment", "key": "count"}], token="t")
    assert store.requests == 2


@pytest.mark.parametrize("value", ["text", 7, [1]], ids=repr)
def test_setdefault_is_one_request(default_table: TableImplementation, run_id: str, value: Any) -> None:
    """Whether it writes or finds a value, it sends one request."""
    store = default_table.store(run_id)
    store.setdefault("key", value)
    assert store.requests == 1
    store.setdefault("key", value)
    assert store.requests == 2


def test_keys_skip_what_long_lists_hold(default_table: TableImplementation, run_id: str) -> None:
    """What keys costs does not grow with the lists between the keys."""
    store = default_table.store(run_id)
    for name in "abc":
        store.push_many(name, ["x" * 190] * 1_500)
    before = store.requests
    assert default_table.store(run_id).keys() == ["a", "b", "c"]
    assert store.keys() == ["a", "b", "c"]
    assert store.requests - before <= 4
