"""The implementations that the contract suite runs on, one line each in IMPLEMENTATIONS."""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import pytest

from runstore import RunStore, Settings
from runstore.dynamodb.direct import DirectTransport
from runstore.testing import InMemoryRunStore
from tests.backends import Backend
from tests.simulation.client import Direct, SimulatedClient
from tests.simulation.database import Database

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

RunItems = list[dict[str, Any]]
AnyStore: TypeAlias = RunStore | InMemoryRunStore


class Implementation(Protocol):
    """Where runs are kept."""

    def store(self, run_id: str, **settings: Any) -> AnyStore:
        """Return a store of a writer who remembers nothing of what the test's other stores did."""
        ...

    def items(self, run_id: str) -> RunItems:
        """Return all that is kept of a run."""
        ...


@dataclass
class TableImplementation:
    """A DynamoDB table: every store has a client, and so a memory, of its own."""

    table_name: str
    make_client: "Callable[[int], DynamoDBClient]"
    settings: dict[str, Any] = field(default_factory=dict)
    _made: int = 0

    def client(self) -> "DynamoDBClient":
        """Return a client that no other store of this test uses."""
        self._made += 1
        return self.make_client(self._made)

    def store(self, run_id: str, **settings: Any) -> RunStore:
        """Return a store with a client of its own."""
        return RunStore(
            run_id, client=self.client(), settings=Settings(self.table_name, **{**self.settings, **settings})
        )

    def items(self, run_id: str) -> RunItems:
        """Return the run's items in the order of their sort keys, as DynamoDB has them."""
        pages = (
            self.make_client(0)
            .get_paginator("query")
            .paginate(
                TableName=self.table_name,
                KeyConditionExpression="run_id = :run_id",
                ExpressionAttributeValues={":run_id": {"S": run_id}},
                ConsistentRead=True,
            )
        )
        return [dict(item) for page in pages for item in page["Items"]]


class DirectImplementation(TableImplementation):
    """The same over the direct transport."""

    def __init__(self, table_name: str, backend: Backend) -> None:
        self.backend = backend
        super().__init__(table_name, functools.partial(_client, backend))

    def store(self, run_id: str, **settings: Any) -> RunStore:
        """Return a store with a transport of its own."""
        self._made += 1
        return RunStore(
            run_id, client=_direct(self.backend, self._made), settings=Settings(self.table_name, **settings)
        )


class SimulatedImplementation(TableImplementation):
    """The in-memory DynamoDB of the simulation."""

    def __init__(self, **settings: Any) -> None:
        self.database = Database()
        network: Any = Direct(self.database)
        super().__init__("simulated", lambda _: SimulatedClient(network), settings)  # type: ignore[arg-type,return-value]

    def items(self, run_id: str) -> RunItems:
        """Return the run's items in the order of their sort keys."""
        return [dict(item) for _, item in sorted(self.database.partitions.get(run_id, {}).items())]


# A client takes some milliseconds to make: tests of one backend take turns with the same few. Runs keep them apart.
@functools.cache
def _client(backend: Backend, _number: int) -> "DynamoDBClient":
    return backend.client(retries={"mode": "standard", "total_max_attempts": 5})


@functools.cache
def _direct(backend: Backend, _number: int) -> DirectTransport:
    return backend.direct()


@functools.cache
def _shared_table(backend: Backend) -> str:
    return backend.make_table("contract")


def _of_backend(name: str, *, direct: bool = False) -> Callable[[pytest.FixtureRequest], Implementation]:
    def implementation(request: pytest.FixtureRequest) -> Implementation:
        backend: Backend = request.getfixturevalue(f"{name}_backend")
        # moto, alone without an address, is empty for every test.
        table = _shared_table(backend) if backend.endpoint_url else backend.make_table("contract")
        return (
            DirectImplementation(table, backend)
            if direct
            else TableImplementation(table, functools.partial(_client, backend))
        )

    return implementation


class InMemoryImplementation:
    """The store that ships for users' tests."""

    def __init__(self) -> None:
        self.runs: dict[str, Any] = {}

    def store(self, run_id: str, **settings: Any) -> InMemoryRunStore:
        """Return one of the stores that have their runs in common."""
        return InMemoryRunStore(run_id, runs=self.runs, settings=Settings("in-memory", **settings))

    def items(self, run_id: str) -> RunItems:
        """Return the run's keys, each with all that is kept of it."""
        return [{"key": {"S": key}, **dataclasses.asdict(entry)} for key, entry in self.runs.get(run_id, {}).items()]


IMPLEMENTATIONS: dict[str, Callable[[pytest.FixtureRequest], Implementation]] = {
    "moto": _of_backend("moto"),
    "ministack": _of_backend("ministack"),
    "dynamodb_local": _of_backend("dynamodb_local"),
    "dynamodb_local-direct": _of_backend("dynamodb_local", direct=True),
    "in-memory": lambda _: InMemoryImplementation(),
    "simulation": lambda _: SimulatedImplementation(),
    "simulation-small-segments": lambda _: SimulatedImplementation(segment_bytes=64),
}
# Those that keep items in a DynamoDB or in something like it, and of these the ones at the default settings.
TABLES = ("moto", "ministack", "dynamodb_local", "dynamodb_local-direct", "simulation", "simulation-small-segments")
DEFAULT_TABLES = ("moto", "ministack", "dynamodb_local", "dynamodb_local-direct", "simulation")
