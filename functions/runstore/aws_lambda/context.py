"""What an invocation's context says."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from runstore.aws_api.time_limit import time_limit

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any

_RESERVE = 0.5  # seconds in which a function can still report what happened; a quarter of a shorter time


def time_left(context: Any) -> Callable[[], float] | None:
    """Return a function that says how many seconds the invocation has left; None outside Lambda."""
    remaining: Callable[[], int] | None = getattr(context, "get_remaining_time_in_millis", None)
    return (lambda: remaining() / 1_000) if remaining else None


def limited(context: Any) -> AbstractContextManager[None]:
    """Let requests inside this block end, retries included, before the invocation does; without a limit outside Lambda.

    The direct transport observes it; boto3 has its own time limits.
    """
    remaining = time_left(context)
    if remaining is None:
        return nullcontext()
    seconds = remaining()
    return time_limit(seconds - min(_RESERVE, seconds / 4))
