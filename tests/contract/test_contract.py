"""The contract that ships, on every implementation; the other files of this folder have what is runstore's own."""

from collections.abc import Iterator

import pytest

from runstore.testing import contract
from tests.contract.places import AnyStore, Place


class _OnEveryPlace(contract.Contract):
    place: Place

    @pytest.fixture(autouse=True)
    def _use(self, place: Place) -> Iterator[None]:
        self.place = place
        yield
        del self.place

    def new_store(self, run_id: str) -> AnyStore:
        """Return a store of a writer who has cached nothing."""
        return self.place.store(run_id)


class TestValues(_OnEveryPlace, contract.ValuesContract):
    """What is set comes back equal."""


class TestLists(_OnEveryPlace, contract.ListsContract):
    """Lists."""


class TestCounters(_OnEveryPlace, contract.CountersContract):
    """Counters."""


class TestTokens(_OnEveryPlace, contract.TokensContract):
    """Tokens."""


class TestSetdefault(_OnEveryPlace, contract.SetdefaultContract):
    """setdefault."""


class TestBatches(_OnEveryPlace, contract.BatchesContract):
    """apply."""


class TestPrefixes(_OnEveryPlace, contract.PrefixesContract):
    """Keys that begin with a prefix."""


class TestRefusals(_OnEveryPlace, contract.RefusalsContract):
    """Refusals."""


class TestRuns(_OnEveryPlace, contract.RunsContract):
    """Runs."""


def test_the_parts_are_the_whole() -> None:
    """Nothing of the contract is left out above."""
    parts = {each.__bases__[1] for each in _OnEveryPlace.__subclasses__()}
    assert parts == set(contract.StoreContract.__bases__)
