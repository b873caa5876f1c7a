"""Remove a key: {runId, key} -> {key}."""

from runstore import JSON, RunStore
from runstore.aws_lambda.entry_point import entry_point


def delete(store: RunStore, key: str) -> dict[str, JSON]:
    """Remove the key."""
    store.delete(key)
    return {"key": key}


handler = entry_point(delete)
