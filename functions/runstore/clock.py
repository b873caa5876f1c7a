"""Time and pauses, in one place: tests and the simulation replace them."""

from __future__ import annotations

import random
import time

SECONDS_PER_DAY = 86_400


def now() -> int:
    """Return the time in epoch seconds, as `expires_at` counts it."""
    return int(time.time())


def elapsed() -> float:
    """Return seconds of a monotonic clock, for ages and durations."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def back_off(attempt: int, first: float, longest: float = 1.0) -> None:
    """Wait between two tries: a random time up to `first` seconds, doubled after each attempt, at most `longest`.

    Full jitter: writers that were in each other's way do not meet again.
    """
    sleep(random.uniform(0, min(longest, first * 2**attempt)))  # noqa: S311 not for secrecy
