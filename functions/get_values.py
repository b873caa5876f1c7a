"""Read all keys of a run, or those that begin with a prefix: {runId, prefix?} -> {values}, each key with its value."""

from runstore import JSON, RunStore
from runstore.aws_lambda.entry_point import entry_point
from runstore.aws_lambda.reading import snapshot


def get_values(store: RunStore, prefix: str = "") -> dict[str, JSON]:
    """Read every key that begins with the prefix."""
    return {"values": snapshot(store, prefix)}


handler = entry_point(get_values)
