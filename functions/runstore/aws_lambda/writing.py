"""Writing for the functions whose results hold values, which must fit a Step Functions state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstore.aws_lambda.results import MAX_RESULT_BYTES, READ_IN_PARTS, check_result, size_of, too_large
from runstore.errors import error_context
from runstore.model import batch, operations
from runstore.model.identifiers import check_key
from runstore.protocol.budget import Budget
from runstore.store import keys_of

if TYPE_CHECKING:
    from typing import Any

    from runstore import JSON, RunStore


def set_if_absent(store: RunStore, key: str, value: JSON) -> JSON:
    """Do what `RunStore.setdefault` does. Nothing is written if the result could not hold the value."""
    with error_context("setdefault", store.run_id, key):
        new = operations.set_value(value, keys_of(store).settings)
        check_result({"key": check_key(key), "value": value})
        held: JSON = keys_of(store, Budget(MAX_RESULT_BYTES, READ_IN_PARTS)).write_if_absent(check_key(key), new)
        return held


def apply(store: RunStore, given: Any, token: str | None) -> list[dict[str, Any]]:
    """Do what `RunStore.apply` does. Where the results do not fit, the error has the index of the first too many.

    Nothing is written if a result could not hold the value of a `set` with `ifAbsent`.
    """
    with error_context("apply", store.run_id):
        planned = batch.plan(given, token, keys_of(store).settings)
        for index, each in enumerate(given):
            if each.get("ifAbsent"):
                with batch.at_index(index, each["key"]):
                    check_result({"key": each["key"], "value": each["value"]})
        keys = keys_of(store, Budget(MAX_RESULT_BYTES, READ_IN_PARTS))
        return batch.perform(planned, keys, _Fitting().add)


class _Fitting:
    """Counts the bytes of results as they come, in the form in which the function returns them."""

    def __init__(self) -> None:
        self.size = len('{"results": []}')

    def add(self, result: dict[str, Any]) -> None:
        self.size += size_of(result) + len(", ")
        if self.size > MAX_RESULT_BYTES:
            raise too_large(self.size, result["key"], READ_IN_PARTS)
