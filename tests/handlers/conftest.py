"""The functions against an empty table in memory."""

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from runstore import RunStore, Settings
from runstore.aws_lambda import entry_point as handler
from runstore.dynamodb.defaults import transport_of
from tests.simulation.client import Direct, SimulatedClient
from tests.simulation.database import Database

RUN = "arn:aws:states:eu-central-1:123456789012:execution:orders:7"
OPERATIONS = (
    "get_value",
    "get_values",
    "set_value",
    "push_item",
    "increment_counter",
    "delete_key",
    "apply_operations",
    "complete_run",
)

Call = Callable[..., Any]


@dataclass
class Table:
    """The table behind the functions."""

    database: Database
    client: Any

    def store(self, run_id: str = RUN) -> RunStore:
        """Return a store of a run."""
        return RunStore(run_id, client=self.client, settings=Settings("runs"))

    def items(self) -> dict[str, Any]:
        """Return all that is in the table."""
        return {
            run: {key: dict(item) for key, item in items.items()} for run, items in self.database.partitions.items()
        }


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    """An empty table, the environment of a function, and its client."""
    database = Database()
    network: Any = Direct(database)
    client = SimulatedClient(network)
    monkeypatch.setattr("runstore.dynamodb.defaults.process.transport", transport_of(client))
    monkeypatch.setenv("RUNSTORE_TABLE", "runs")
    return Table(database, client)


@pytest.fixture
def call() -> Call:
    """Call a function by its name with an event: `call("push_item", runId=..., ...)` or `call("push_item", event)`."""

    def call(function: str, event: Any = None, /, *, context: Any = None, **fields: Any) -> Any:
        # As Lambda does: the event comes from JSON, the result goes back as JSON in UTF-8.
        event = json.loads(json.dumps(fields if event is None else event))
        result = importlib.import_module(function).handler(event, context)
        return json.loads(json.dumps(result, ensure_ascii=False).encode())

    return call


@dataclass
class Output:
    """What a function printed."""

    capture: pytest.CaptureFixture[str]

    def text(self) -> str:
        """Return all that was printed since the last look."""
        out, err = self.capture.readouterr()
        return out + err

    def lines(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the log lines and the sets of metrics."""
        printed = [json.loads(line) for line in self.text().splitlines()]
        metrics = [line for line in printed if "_aws" in line]
        return [line for line in printed if "_aws" not in line], metrics


class _Stdout:
    """Whatever stands for stdout at the moment: the logger keeps what it was when the functions were imported."""

    def write(self, text: str) -> None:
        sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Output:
    """What the functions print during the test."""
    monkeypatch.setattr(handler.logger.registered_handler, "stream", _Stdout())
    return Output(capsys)
