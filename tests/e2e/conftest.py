"""The local stack that the end-to-end tests share, and how to wait for what happens beside them."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from infra.local import LocalStack

SECONDS = 90.0  # generous: the machine may be busy, and nothing waits longer than it has to


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """template.yaml deployed with its defaults, once for a worker's session."""
    with LocalStack.start() as started:
        yield started


Found = TypeVar("Found")


def eventually(look: Callable[[], Found]) -> Found:
    """Return what `look` finds as soon as it is true, or what it found last."""
    deadline = time.monotonic() + SECONDS
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found
