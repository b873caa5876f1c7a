"""The time that the caller has left, which no request and no retry outlasts."""

from __future__ import annotations

import math
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from runstore import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_P = ParamSpec("_P")
_T = TypeVar("_T")
_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let every request inside this block end within `seconds`, retries and pauses included.

    A request that runs out of time raises ApiError, which says whether it may have taken effect. A limit inside a
    limit can only shorten it. The limit holds in the current thread: what runs in others needs `keep_limit`.
    """
    token = _deadline.set(min(_deadline.get(), clock.elapsed() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def seconds_left() -> float:
    """Return how many seconds the caller has left; infinity without a limit."""
    return _deadline.get() - clock.elapsed()


def keep_limit(work: Callable[_P, _T]) -> Callable[_P, _T]:
    """Return `work` for another thread, where it has the limit that holds here and now."""
    deadline = _deadline.get()

    def limited(*arguments: _P.args, **named: _P.kwargs) -> _T:
        token = _deadline.set(deadline)
        try:
            return work(*arguments, **named)
        finally:
            _deadline.reset(token)

    return limited
