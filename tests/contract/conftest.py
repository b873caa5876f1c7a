"""Each implementation in turn, and the known differences of emulators as expected failures."""

import uuid

import pytest

from tests.contract.differences import DIFFERENCES
from tests.contract.implementations import (
    DEFAULT_TABLES,
    IMPLEMENTATIONS,
    TABLES,
    AnyStore,
    Implementation,
    TableImplementation,
)


@pytest.fixture(params=list(IMPLEMENTATIONS))
def implementation(request: pytest.FixtureRequest) -> Implementation:
    """Each implementation of the run store."""
    return IMPLEMENTATIONS[request.param](request)


@pytest.fixture(params=DEFAULT_TABLES)
def default_table(request: pytest.FixtureRequest) -> TableImplementation:
    """Each of those at the default settings: what operations cost is promised for them."""
    return _table(request)


@pytest.fixture(params=TABLES)
def table(request: pytest.FixtureRequest) -> TableImplementation:
    """Each implementation that keeps items in a DynamoDB, or in something like it."""
    return _table(request)


def _table(request: pytest.FixtureRequest) -> TableImplementation:
    implementation = IMPLEMENTATIONS[request.param](request)
    assert isinstance(implementation, TableImplementation)
    return implementation


@pytest.fixture
def run_id() -> str:
    """A run that no other test uses."""
    return f"arn:aws:states:eu-central-1:123456789012:execution:contract:{uuid.uuid4()}"


@pytest.fixture
def store(implementation: Implementation, run_id: str) -> AnyStore:
    """A store of an empty run."""
    return implementation.store(run_id)


# Hundreds of requests a test. Some implementations meet those in `make prove` alone: moto, which answers some twenty a
# second, and DynamoDB Local through boto3, since it meets them directly, and ministack through boto3.
LONG = {"test_segments", "test_tokens", "test_long", "test_retirement", "test_expiry", "test_lists"}
LONG |= {"TestLists", "TestTokens"}  # of test_contract
LONG_IN_PROVE = {"moto", "dynamodb_local"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the failures that are known, and leave some implementations out where it takes long."""
    for item in items:
        if not isinstance(item, pytest.Function) or "contract" not in item.path.parts:
            continue
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        implementation = next(
            (parameters[name] for name in ("implementation", "table", "default_table") if name in parameters), None
        )
        if reason := DIFFERENCES.get((str(implementation), item.originalname)):
            item.add_marker(pytest.mark.xfail(reason=f"{implementation} {reason}", strict=True))
        if implementation in LONG_IN_PROVE and LONG & {item.path.stem, getattr(item.cls, "__name__", "")}:
            item.add_marker(pytest.mark.prove)
