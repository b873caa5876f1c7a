"""Append to a list: {runId, key, item, token?} or {runId, key, items, token?} -> {key, length}."""

from runstore import JSON, RunStore
from runstore.aws_lambda.entry_point import entry_point


def push(store: RunStore, key: str, item: JSON, token: str | None = None) -> dict[str, JSON]:
    """Append one element."""
    return {"key": key, "length": store.push(key, item, token=token)}


def push_many(store: RunStore, key: str, items: list[JSON], token: str | None = None) -> dict[str, JSON]:
    """Append several elements in order; give it a token wherever a Retry may run it again."""
    return {"key": key, "length": store.push_many(key, items, token=token)}


handler = entry_point(push, push_many)
