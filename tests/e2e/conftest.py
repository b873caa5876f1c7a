"""The local stack that the end-to-end tests share."""

from collections.abc import Iterator

import pytest

from infra.local import LocalStack
from tests.e2e.recording import RecordingStates


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """template.yaml deployed with its defaults, once for a worker's session."""
    with LocalStack.start() as started:
        yield started


@pytest.fixture(scope="session")
def states(stack: LocalStack) -> RecordingStates:
    """Machines of the tests' own, whose steps note that they ran."""
    return RecordingStates(stack)
