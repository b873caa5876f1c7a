"""Time as the store sees it, in one place."""

import time


def now() -> int:
    """Return the time in epoch seconds, as `expires_at` counts it."""
    return int(time.time())


def elapsed() -> float:
    """Return seconds that never run backwards, for ages and backoff; their zero means nothing."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait, as the store does between two tries; here, so that a simulation need not."""
    time.sleep(seconds)
