"""What the parts of the contract have in common: how a store is made."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from runstore import Store


class Contract:
    """Tests that every store passes. Override `new_store`."""

    def new_store(self, run_id: str) -> Store:
        """Return the store of a run, as another process would make it: it has cached nothing."""
        raise NotImplementedError(f"{type(self).__name__} must define new_store(self, run_id)")

    @pytest.fixture
    def run_id(self) -> str:
        """Return the id of a run that no other test uses."""
        return f"arn:aws:states:eu-central-1:123456789012:execution:contract:{uuid.uuid4()}"

    @pytest.fixture
    def store(self, run_id: str) -> Store:
        """Return a store of an empty run."""
        return self.new_store(run_id)
