"""Add to a counter: {runId, key, delta?, token?} -> {key, value}, the new value."""

from runstore import JSON, RunStore
from runstore.aws_lambda.entry_point import entry_point


def increment(store: RunStore, key: str, delta: float = 1, token: str | None = None) -> dict[str, JSON]:
    """Add `delta`."""
    return {"key": key, "value": store.increment(key, delta, token=token)}


handler = entry_point(increment)
