"""Tokens: an operation that is repeated under its token takes effect once and returns its first result."""

import pytest

from tests.contract.implementations import AnyStore, Implementation

LONG = "x" * 190


def _fill(store: AnyStore, key: str, count: int) -> None:
    """Push enough that the list has outgrown its first item."""
    for number in range(count):
        store.push(key, [number, LONG])


def test_a_repetition_writes_nothing(implementation: Implementation, run_id: str) -> None:
    """A repeated push or increment, by the same writer or another, leaves every item as it is."""
    store = implementation.store(run_id)
    store.push("list", "a", token="t")
    store.increment("n", 2, token="t")
    before = implementation.items(run_id)
    for writer in (store, implementation.store(run_id)):
        assert writer.push("list", "a", token="t") == 1
        assert writer.increment("n", 2, token="t") == 2
    assert implementation.items(run_id) == before


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
@pytest.mark.parametrize("reset", ["set long", "complete"])
def test_a_token_is_forgotten_with_what_it_was_used_on(
    implementation: Implementation, run_id: str, reset: str, length: int
) -> None:
    """After a long set or a completion by another process the same token counts anew, for every writer."""
    store, other = implementation.store(run_id), implementation.store(run_id)
    _fill(store, "list", length)
    store.push("list", "old", token="t")
    kept = list(range(600)) if reset == "set long" else []
    if kept:
        other.set("list", kept)
    else:
        other.complete()
    for writer in (store, other, implementation.store(run_id)):
        assert writer.push("list", "new", token="t") == len(kept) + 1
    assert store.get("list") == [*kept, "new"]


@pytest.mark.parametrize("length", [0, 9])
def test_the_same_token_with_another_operand(
    implementation: Implementation, run_id: str, length: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller's mistake: it returns the first result and changes nothing; of a push, the log says so."""
    store = implementation.store(run_id)
    _fill(store, "list", length)
    store.push("list", "first", token="t")
    store.increment("n", 2, token="t")
    before = implementation.items(run_id)
    for writer in (store, implementation.store(run_id)):
        assert writer.push("list", "other", token="t") == length + 1
        assert writer.increment("n", 40, token="t") == 2
        assert writer.push("list", "first", token="t") == length + 1
    assert implementation.items(run_id) == before
    assert caplog.text.count("a token was repeated with other items on key 'list': they are not appended") == 2
