"""What an invocation's context says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def time_left(context: Any) -> Callable[[], float] | None:
    """Return a function that says how many seconds the invocation has left; None outside Lambda."""
    remaining: Callable[[], int] | None = getattr(context, "get_remaining_time_in_millis", None)
    return (lambda: remaining() / 1_000) if remaining else None
