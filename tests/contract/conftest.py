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


# What `make test` runs where. `make prove` runs every case on every implementation.
#
# - In process, and on DynamoDB Local over the direct transport: every case. Input that is refused before a request is
#   sent: in process alone.
# - On ministack, and on DynamoDB Local through boto3: the first case of each test of the public contract. They show
#   that the emulator, or the other transport, does what the store needs of it; the store itself is the same.
# - On moto, which answers some twenty requests a second: the same of the parts with few requests.
IN_PROCESS = {"in-memory", "simulation", "simulation-small-segments"}
NOTHING_IS_SENT = {"test_refusals", "test_bad_operations"}
FIRST_CASE_ONLY = {"moto", "ministack", "dynamodb_local"}
PUBLIC_CONTRACT = "test_contract"
ON_MOTO = {"TestValues", "TestCounters", "TestSetdefault"}
FIXTURES = ("implementation", "table", "default_table")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the failures that are known, and leave to `make prove` what is said above."""
    for item in items:
        if not isinstance(item, pytest.Function) or "contract" not in item.path.parts:
            continue
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        implementation = next((str(parameters[name]) for name in FIXTURES if name in parameters), None)
        if implementation is None:
            continue
        if reason := DIFFERENCES.get((implementation, item.originalname)):
            item.add_marker(pytest.mark.xfail(reason=f"{implementation} {reason}", strict=True))
        if _only_in_prove(item, implementation):
            item.add_marker(pytest.mark.prove)


def _only_in_prove(item: pytest.Function, implementation: str) -> bool:
    module = item.path.stem
    if implementation not in IN_PROCESS and module in NOTHING_IS_SENT:
        return True
    if implementation not in FIRST_CASE_ONLY:
        return False
    if module != PUBLIC_CONTRACT or (implementation == "moto" and item.cls.__name__ not in ON_MOTO):
        return True
    return any(index for name, index in item.callspec.indices.items() if name not in FIXTURES)
