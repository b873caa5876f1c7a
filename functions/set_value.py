"""Write a key: {runId, key, value} -> {key}."""

from runstore import JSON, RunStore
from runstore.aws_lambda.entry_point import entry_point


def set_value(store: RunStore, key: str, value: JSON) -> dict[str, JSON]:
    """Replace what the key holds."""
    store.set(key, value)
    return {"key": key}


handler = entry_point(set_value)
