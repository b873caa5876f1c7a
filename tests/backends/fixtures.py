"""The backends as fixtures. Where a backend cannot run here, its tests are skipped and say why.

A server is started once per test process, with the first test that asks for it; tables keep the tests apart.
moto is empty for every test.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.backends import BACKENDS, Backend, BackendUnavailableError


def _running(name: str) -> Iterator[Backend]:
    with ExitStack() as stack:
        try:
            backend = stack.enter_context(BACKENDS[name]())
        except BackendUnavailableError as missing:
            pytest.skip(str(missing))
        yield backend


@pytest.fixture
def moto_backend() -> Iterator[Backend]:
    """An empty moto."""
    yield from _running("moto")


@pytest.fixture(scope="session")
def ministack_backend() -> Iterator[Backend]:
    """This test process's ministack."""
    yield from _running("ministack")


@pytest.fixture(scope="session")
def dynamodb_local_backend() -> Iterator[Backend]:
    """This test process's DynamoDB Local."""
    yield from _running("dynamodb_local")


@pytest.fixture(params=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend in turn."""
    chosen: Backend = request.getfixturevalue(f"{request.param}_backend")
    return chosen
