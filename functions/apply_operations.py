"""Do several operations in order: {runId, operations, token?} -> {results}, one for each as its function returns it."""

from typing import Any

from runstore import RunStore
from runstore.aws_lambda.entry_point import entry_point
from runstore.aws_lambda.writing import apply


def apply_operations(store: RunStore, operations: list[dict[str, Any]], token: str | None = None) -> dict[str, Any]:
    """Do them all; repeating the whole under its token finishes what was begun."""
    return {"results": apply(store, operations, token)}


handler = entry_point(apply_operations)
