"""The contract that ships, on every implementation; the other files of this folder have what is runstore's own."""

from collections.abc import Iterator

import pytest

from runstore.testing import contract
from tests.contract.implementations import AnyStore, Implementation


class _OnEveryImplementation(contract.Contract):
    implementation: Implementation

    @pytest.fixture(autouse=True)
    def _use(self, implementation: Implementation) -> Iterator[None]:
        self.implementation = implementation
        yield
        del self.implementation

    def new_store(self, run_id: str) -> AnyStore:
        """Return a store of a writer who has cached nothing."""
        return self.implementation.store(run_id)


class TestValues(_OnEveryImplementation, contract.ValuesContract):
    """What is set comes back equal."""


class TestLists(_OnEveryImplementation, contract.ListsContract):
    """Lists."""


class TestCounters(_OnEveryImplementation, contract.CountersContract):
    """Counters."""


class TestTokens(_OnEveryImplementation, contract.TokensContract):
    """Tokens."""


class TestSetdefault(_OnEveryImplementation, contract.SetdefaultContract):
    """setdefault."""


class TestBatches(_OnEveryImplementation, contract.BatchesContract):
    """apply."""


class TestPrefixes(_OnEveryImplementation, contract.PrefixesContract):
    """Keys that begin with a prefix."""


class TestRefusals(_OnEveryImplementation, contract.RefusalsContract):
    """Refusals."""


class TestRuns(_OnEveryImplementation, contract.RunsContract):
    """Runs."""


def test_the_parts_are_the_whole() -> None:
    """Nothing of the contract is left out above."""
    parts = {each.__bases__[1] for each in _OnEveryImplementation.__subclasses__()}
    assert parts == set(contract.StoreContract.__bases__)
