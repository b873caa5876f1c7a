"""Reading for the functions, which must tell "not set" from an empty list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstore.errors import error_context
from runstore.model import operations
from runstore.model.identifiers import check_key
from runstore.protocol import read
from runstore.store import table_of

if TYPE_CHECKING:
    from runstore import JSON, RunStore


def find_range(store: RunStore, key: str, start: int = 0, limit: int | None = None) -> tuple[bool, list[JSON]]:
    """Return whether a key is set, and what `RunStore.get_range` returns."""
    with error_context("get_range", store.run_id, key):
        found = read.get_range(table_of(store), check_key(key), *operations.get_range(start, limit))
        return found is not None, found or []
