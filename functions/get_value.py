"""Read a key: {runId, key, start?, limit?} -> {key, value, found}. With start or limit, part of a list."""

from runstore import JSON, RunStore
from runstore.aws_lambda.entry_point import entry_point
from runstore.aws_lambda.reading import find, find_range


def get(store: RunStore, key: str) -> dict[str, JSON]:
    """Read the whole value."""
    found, value = find(store, key)
    return {"key": key, "value": value, "found": found}


def get_range(store: RunStore, key: str, start: int = 0, limit: int | None = None) -> dict[str, JSON]:
    """Read part of a list."""
    found, part = find_range(store, key, start, limit)
    return {"key": key, "value": part if found else None, "found": found}


handler = entry_point(get, get_range)
