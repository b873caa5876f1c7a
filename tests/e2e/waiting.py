"""How to wait for what happens beside a test."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

SECONDS: Final = 90.0  # generous: the machine may be busy, and nothing waits longer than it has to
Found = TypeVar("Found")


def eventually(look: Callable[[], Found]) -> Found:
    """Return what `look` finds as soon as it is true, or what it found last."""
    deadline = time.monotonic() + SECONDS
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found
