"""Whole runs: their keys, their end, and that they never meet."""

import pytest

from runstore import IncompleteCompletionError
from runstore.lifecycle.completion import complete
from runstore.store import table_of
from tests.contract.implementations import AnyStore, Implementation, TableImplementation

LONG = "x" * 190


def _written(store: AnyStore) -> None:
    store.set("text", "text")
    store.set("long", list(range(600)))
    for number in range(9):
        store.push("pushed", [number, LONG], token=f"t{number}")
        store.increment("n", token=f"t{number}")
    store.delete("long")
    store.set("none", None)


def test_runs_never_meet(implementation: Implementation, run_id: str) -> None:
    """Runs whose ids are beginnings of each other share nothing, and the end of one leaves the others."""
    stores = [implementation.store(each) for each in (run_id, f"{run_id}0", f"{run_id} ", run_id[:-1])]
    for number, store in enumerate(stores):
        store.set("key", number)
        _written(store)
    stores[0].complete()
    assert stores[0].keys() == []
    for number, store in enumerate(stores[1:], 1):
        assert store.get("key") == number
        assert store.increment("n", token="t0") == 1
        assert len(store.get_range("pushed")) == 9
        store.complete()


def test_complete_deletes_everything(implementation: Implementation, run_id: str) -> None:
    """Afterwards nothing of the run is left, the number of items is told, and again is safe."""
    store = implementation.store(run_id)
    _written(store)
    count = len(implementation.items(run_id))
    assert implementation.store(run_id).complete() == count
    assert implementation.items(run_id) == []
    assert store.keys() == []
    assert store.complete() == 0


def test_complete_within_the_time_that_is_left(table: TableImplementation, run_id: str) -> None:
    """With enough time it deletes everything."""
    store = table.store(run_id)
    store.set("key", 1)
    assert complete(table_of(store), lambda: 60.0) == 1
    assert table.items(run_id) == []


def test_complete_of_a_run_that_never_was(store: AnyStore) -> None:
    """There is nothing to delete, and no error."""
    assert store.complete() == 0


def test_a_completed_run_can_be_used(implementation: Implementation, run_id: str) -> None:
    """A straggler begins at nothing, whatever it remembers; a second completion removes what it left."""
    store = implementation.store(run_id)
    _written(store)
    implementation.store(run_id).complete()
    assert store.push("pushed", "late") == 1
    assert store.increment("n", token="t0") == 1
    assert store.get("pushed") == ["late"]
    store.complete()
    assert implementation.items(run_id) == []


def test_a_completion_out_of_time_is_resumed(table: TableImplementation, run_id: str) -> None:
    """It says how many items it deleted, those are gone, and the next call deletes the others."""
    store = table.store(run_id)
    for number in range(160):
        store.set(f"key {number}", number)
    left = iter([20.0, 20.0, 20.0, 20.0])  # asked once for the reserve and before each batch of 25
    with pytest.raises(IncompleteCompletionError, match="time ran out after 75 items of the run") as caught:
        complete(table_of(store), lambda: next(left, 0.0))
    assert caught.value.done == 75
    assert len(table.items(run_id)) == 85
    assert complete(table_of(store), lambda: 20.0) == 85
    assert table.items(run_id) == []


@pytest.mark.parametrize("seconds", [0.0, -1.0, 0.5, 3.0])
def test_a_completion_with_little_time(table: TableImplementation, run_id: str, seconds: float) -> None:
    """With a short time that does not run out it works; without any it says so and deletes nothing."""
    store = table.store(run_id)
    store.set("key", 1)
    if seconds > 0:
        assert complete(table_of(store), lambda: seconds) == 1
    else:
        with pytest.raises(IncompleteCompletionError):
            complete(table_of(store), lambda: seconds)
        assert len(table.items(run_id)) == 1
