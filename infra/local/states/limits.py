"""What a state may hold, wait and match: sizes, time-outs and names of errors, as AWS documents them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ministack.services import stepfunctions as sfn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_STATE_BYTES: Final = 262_144
TIMEOUT: Final = "States.Timeout"
HEARTBEAT_TIMEOUT: Final = "States.HeartbeatTimeout"
TOO_LARGE: Final = "States.DataLimitExceeded"
RUNTIME: Final = "States.Runtime"


def size_of(document: Any) -> int:
    """Return the bytes of a document as Step Functions counts them."""
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def check_size(document: Any, state: str) -> None:
    """Raise States.DataLimitExceeded if a document is larger than a state may be."""
    if size_of(document) > MAX_STATE_BYTES:
        limit = "a result with a size exceeding the maximum number of bytes service limit"
        raise sfn._ExecutionError(TOO_LARGE, f"The state/task '{state}' returned {limit}.")


def seconds_of(field: str, state: Mapping[str, Any], raw_input: Any, ctx: dict[str, Any]) -> float | None:
    """Return a state's TimeoutSeconds or HeartbeatSeconds, given as a number, a path or an expression."""
    path = state.get(f"{field}Path")
    value = state.get(field)
    if path is not None:
        effective = sfn._apply_input_path(state, raw_input, ctx)
        value = sfn._resolve_path_or_ctx(path, effective, ctx)
    elif isinstance(value, str):
        value = sfn._jsonata_state_field(state, field, "number", raw_input, ctx)
    if value is None and path is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0 or value != int(value):
        referenced = f"The value referenced by {field}Path" if path is not None else field
        raise sfn._ExecutionError(RUNTIME, f"{referenced} must be a positive integer, but was: {json.dumps(value)}")
    return float(value)


def error_matches(error_equals: Sequence[str], error: str) -> bool:
    """Whether a Retry or Catch entry names an error.

    States.Runtime is never caught, States.DataLimitExceeded only under its own name, and States.TaskFailed stands for
    every error but a time-out.
    """
    if error == RUNTIME:
        return False
    if error in error_equals:
        return True
    if error == TOO_LARGE:
        return False
    if error == HEARTBEAT_TIMEOUT and TIMEOUT in error_equals:
        return True
    return "States.ALL" in error_equals or ("States.TaskFailed" in error_equals and error != TIMEOUT)
