"""Tokens: an operation that is repeated under its token takes effect once and returns its first result."""

import pytest

from tests.contract.implementations import AnyStore, Implementation

LONG = "x" * 190


def _fill(store: AnyStore, key: str, count: int) -> None:
    """Push enough that the list has outgrown its first item."""
    for number in range(count):
        store.push(key, [number, LONG])


def test_a_repeated_push_is_one_push(implementation: Implementation, run_id: str) -> None:
    """In a short list the repeat, by anybody, returns the first length and writes nothing."""
    store = implementation.store(run_id)
    assert store.push("list", "a", token="t") == 1
    assert store.push("list", "b", token="u") == 2
    before = implementation.items(run_id)
    assert store.push("list", "a", token="t") == 1
    assert implementation.store(run_id).push("list", "b", token="u") == 2
    assert implementation.items(run_id) == before
    assert store.get("list") == ["a", "b"]


def test_a_repeated_increment_is_one_increment(implementation: Implementation, run_id: str) -> None:
    """The repeat, by anybody, returns the first value and writes nothing; other increments go on."""
    store = implementation.store(run_id)
    assert store.increment("n", 2, token="t") == 2
    assert store.increment("n", 3) == 5
    before = implementation.items(run_id)
    assert store.increment("n", 2, token="t") == 2
    assert implementation.store(run_id).increment("n", 2, token="t") == 2
    assert implementation.items(run_id) == before
    assert store.get("n") == 5


@pytest.mark.parametrize("more", [0, 1, 3, 14])
@pytest.mark.parametrize("start", [3, 4, 12])
def test_a_repeated_push_onto_a_long_list(implementation: Implementation, run_id: str, start: int, more: int) -> None:
    """Beyond the first item, however much was pushed since, who remembers and who is new find the first result."""
    store = implementation.store(run_id)
    _fill(store, "list", start)
    assert store.push("list", "mine", token="t") == start + 1
    _fill(store, "list", more)
    before = implementation.items(run_id)
    assert store.push("list", "mine", token="t") == start + 1
    assert implementation.store(run_id).push("list", "mine", token="t") == start + 1
    assert implementation.items(run_id) == before
    assert [index for index, element in enumerate(store.get_range("list")) if element == "mine"] == [start]


def test_every_push_with_a_token_and_every_one_repeated(implementation: Implementation, run_id: str) -> None:
    """Each branch of a fan-out pushes and is retried at once, by another process: one element each, in one order."""
    stores = [implementation.store(run_id), implementation.store(run_id)]
    for number in range(36):
        lengths = [store.push("list", [number, LONG], token=f"branch {number}") for store in stores]
        assert lengths == [number + 1, number + 1]
    assert stores[0].get("list") == [[number, LONG] for number in range(36)]
    before = implementation.items(run_id)
    for number in range(36):
        assert implementation.store(run_id).push("list", [number, LONG], token=f"branch {number}") == number + 1
    assert implementation.items(run_id) == before


def test_every_increment_with_a_token_and_every_one_repeated(implementation: Implementation, run_id: str) -> None:
    """The same for a counter that has used more tokens than one item holds."""
    stores = [implementation.store(run_id), implementation.store(run_id)]
    for number in range(45):
        assert [store.increment("n", token=f"branch {number}") for store in stores] == [number + 1, number + 1]
    before = implementation.items(run_id)
    for number in range(45):
        assert implementation.store(run_id).increment("n", token=f"branch {number}") == number + 1
    assert implementation.items(run_id) == before
    assert stores[0].get("n") == 45


@pytest.mark.parametrize("length", [1, 9])
@pytest.mark.parametrize("reset", ["set", "set long", "delete", "complete"])
def test_a_token_is_forgotten_with_what_it_was_used_on(
    implementation: Implementation, run_id: str, reset: str, length: int
) -> None:
    """After set, delete or complete by another process the same token counts anew, for whoever used it and others."""
    store, other = implementation.store(run_id), implementation.store(run_id)
    _fill(store, "list", length)
    store.push("list", "old", token="t")
    kept: list[int] = []
    if reset == "set":
        other.set("list", [])
    elif reset == "set long":
        kept = list(range(600))
        other.set("list", kept)
    elif reset == "delete":
        other.delete("list")
    else:
        other.complete()
    assert store.push("list", "new", token="t") == len(kept) + 1
    assert other.push("list", "new", token="t") == len(kept) + 1
    assert implementation.store(run_id).push("list", "new", token="t") == len(kept) + 1
    assert store.get("list") == [*kept, "new"]


@pytest.mark.parametrize("length", [0, 9])
def test_the_same_token_with_another_operand(implementation: Implementation, run_id: str, length: int) -> None:
    """The caller's mistake: it returns the first result and changes nothing."""
    store = implementation.store(run_id)
    _fill(store, "list", length)
    store.push("list", "first", token="t")
    store.increment("n", 2, token="t")
    before = implementation.items(run_id)
    for writer in (store, implementation.store(run_id)):
        assert writer.push("list", "other", token="t") == length + 1
        assert writer.increment("n", 40, token="t") == 2
    assert implementation.items(run_id) == before
