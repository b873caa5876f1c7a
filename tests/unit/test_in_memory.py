"""What the store in memory does beyond the contract suite, which it passes as the real one does."""

from typing import TYPE_CHECKING

import pytest

from runstore import InvalidRunIdError, RunStore
from runstore.testing import InMemoryRunStore

if TYPE_CHECKING:
    from runstore.testing.memory import Runs


def test_it_is_a_run_store() -> None:
    """It has every public name of the real one, is none, sends nothing, and shows what it is."""
    store = InMemoryRunStore()
    store.push_many("list", range(1_000))
    assert RunStore not in type(store).mro()
    assert {name for name in dir(RunStore) if name[0] != "_"} == {name for name in dir(store) if name[0] != "_"}
    assert (store.run_id, store.requests, repr(store)) == ("run", 0, "InMemoryRunStore('run')")


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


def test_a_token_with_another_delta_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Here what was added is known, so a test notices the mistake that a table cannot show."""
    store = InMemoryRunStore()
    for delta in (2, 2.0, 40):
        assert store.increment("n", delta, token="t") == 2
    assert caplog.messages == ["a token was repeated with another delta on key 'n': it is not added"]
