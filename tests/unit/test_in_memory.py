"""What the store in memory does beyond the contract suite, which it passes as the real one does."""

from typing import TYPE_CHECKING

import pytest

from runstore import InvalidRequestError, InvalidRunIdError, RunStore
from runstore.lifecycle.retirement import StatusChange
from runstore.testing import InMemoryRunStore

if TYPE_CHECKING:
    from runstore.testing.memory import Runs


def test_it_is_a_run_store() -> None:
    """What asks for a RunStore takes it; it sends nothing."""
    store = InMemoryRunStore()
    store.push_many("list", range(1_000))
    assert isinstance(store, RunStore)
    assert (store.run_id, store.requests) == ("run", 0)


def test_it_is_not_retired() -> None:
    """No event of Step Functions is about a run in memory: it says so, and keeps what there is."""
    store = InMemoryRunStore()
    store.set("key", 1)
    with pytest.raises(InvalidRequestError, match="is not retired"):
        store.retire(StatusChange("run", "SUCCEEDED", 0, 1))
    assert store.get("key") == 1


def test_its_run_id_is_checked() -> None:
    """A bad run id is refused when the store is made, by the operation's name."""
    with pytest.raises(InvalidRunIdError) as caught:
        InMemoryRunStore("")
    assert caught.value.operation == "open"


def test_runs_are_had_in_common() -> None:
    """Stores with the same runs see each other's, as with a table; other stores see nothing of it."""
    runs: Runs = {}
    one, other = InMemoryRunStore(runs=runs), InMemoryRunStore(runs=runs)
    one.push("list", 1)
    assert other.push("list", 2) == 2
    assert InMemoryRunStore("other run", runs=runs).keys() == []
    assert InMemoryRunStore().keys() == []
