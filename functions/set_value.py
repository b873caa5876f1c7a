"""Write a key: {runId, key, value, ifAbsent?} -> {key}; with ifAbsent {key, value}: what the key holds now."""

from runstore import JSON, RunStore
from runstore.aws_lambda.entry_point import entry_point
from runstore.aws_lambda.writing import set_if_absent
from runstore.model.values import check_flag


def set_value(store: RunStore, key: str, value: JSON, ifAbsent: bool = False) -> dict[str, JSON]:  # noqa: FBT001, FBT002, N803 a field of the event
    """Replace what the key holds; with `ifAbsent` only if it holds nothing."""
    if check_flag("ifAbsent", ifAbsent):
        return {"key": key, "value": set_if_absent(store, key, value)}
    store.set(key, value)
    return {"key": key}


handler = entry_point(set_value)
