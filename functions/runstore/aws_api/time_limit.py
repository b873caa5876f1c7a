"""The time that the caller has left, which no request and no retry outlasts."""

from __future__ import annotations

import math
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from runstore import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let every request inside this block end within `seconds`, retries and pauses included.

    A request that runs out of time raises ApiError, which says whether it may have taken effect. A limit inside a
    limit can only shorten it. The limit belongs to the current context: start threads with
    `contextvars.copy_context().run` to have it there too.
    """
    token = _deadline.set(min(_deadline.get(), clock.elapsed() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def seconds_left() -> float:
    """Return how many seconds the caller has left; infinity without a limit."""
    return _deadline.get() - clock.elapsed()
