"""Reading for the functions: it stops as soon as the result cannot fit a Step Functions state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstore.aws_lambda.results import MAX_RESULT_BYTES, NARROW_PREFIX, READ_IN_PARTS
from runstore.errors import error_context
from runstore.model import operations
from runstore.model.identifiers import check_key, check_prefix
from runstore.protocol.budget import Budget
from runstore.store import keys_of

if TYPE_CHECKING:
    from runstore import JSON, RunStore


def find(store: RunStore, key: str) -> tuple[bool, JSON]:
    """Return what `RunStore.find` returns."""
    with error_context("get", store.run_id, key):
        return keys_of(store, Budget(MAX_RESULT_BYTES, READ_IN_PARTS)).find_value(check_key(key))


def find_range(
    store: RunStore, key: str, start: int = 0, limit: int | None = None, *, max_bytes: int | None = MAX_RESULT_BYTES
) -> tuple[bool, list[JSON]]:
    """Return whether a key is set, and what `RunStore.get_range` returns."""
    with error_context("get_range", store.run_id, key):
        part = operations.get_range(start, limit)
        found = keys_of(store, Budget(max_bytes, READ_IN_PARTS)).find_part(check_key(key), *part)
        return found is not None, found or []


def snapshot(store: RunStore, prefix: str = "") -> dict[str, JSON]:
    """Return what `RunStore.snapshot` returns."""
    with error_context("snapshot", store.run_id):
        return keys_of(store, Budget(MAX_RESULT_BYTES, NARROW_PREFIX)).values(check_prefix(prefix))
