"""Any event: an answer that Step Functions can take, or a typed error, never anything else."""

import importlib
import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runstore import RunStoreError
from runstore.dynamodb import defaults
from tests import proofs
from tests.properties.test_store import JSON, NAMES, same, store_in
from tests.simulation.client import Direct, SimulatedClient
from tests.simulation.database import Database

OPERATIONS = ["get_value", "set_value", "push_item", "increment_counter", "delete_key", "complete_run"]
FIELDS = ["runId", "key", "value", "item", "items", "delta", "token", "start", "limit", "extra"]
EVENTS = JSON | st.dictionaries(st.sampled_from(FIELDS), JSON | NAMES | st.integers(-3, 9))
LIKELY = st.fixed_dictionaries(
    {"runId": st.just("run"), "key": st.just("key") | NAMES},
    optional={
        "value": JSON,
        "item": JSON,
        "items": JSON | st.lists(JSON, max_size=3),
        "delta": JSON,
        "token": JSON | NAMES,
        "start": JSON | st.integers(-1, 5),
        "limit": JSON | st.integers(-1, 5),
    },
)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    """The database that the handlers use; it stays the same for all events of a test."""
    database = Database()
    monkeypatch.setenv("RUNSTORE_TABLE", "runs")
    monkeypatch.setattr(defaults.process, "transport", defaults.transport_of(SimulatedClient(Direct(database))))
    return database


def call(operation: str, event: Any) -> Any:
    """Hand an event to a function as Lambda does, as JSON, and return its answer in the same way."""
    answer = importlib.import_module(operation).handler(json.loads(json.dumps(event)), None)
    return json.loads(json.dumps(answer, allow_nan=False, ensure_ascii=False).encode())


@pytest.mark.parametrize("operation", OPERATIONS)
@given(event=EVENTS | LIKELY)
@settings(max_examples=proofs.inputs(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_event_is_answered_or_refused_by_a_typed_error(operation: str, event: Any, database: Database) -> None:
    """A function answers any event with an object, or with one of our own errors; what is refused writes nothing."""
    before = {run: dict(items) for run, items in database.partitions.items()}
    try:
        answer = call(operation, event)
    except RunStoreError:
        assert {run: items for run, items in database.partitions.items() if items} == {
            run: items for run, items in before.items() if items
        }
    else:
        assert isinstance(answer, dict)
    proofs.record(events_tried=1)


def sendable(value: Any) -> bool:
    """Return whether Lambda can send a value: UTF-8 has no half surrogate pairs."""
    return not re.search("[\ud800-\udfff]", json.dumps(value, ensure_ascii=False))


@given(value=JSON.filter(sendable))
@settings(max_examples=proofs.inputs(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_value_comes_back_through_the_functions(value: Any, database: Database) -> None:
    """What set_value and push_item take and Lambda can send, get_value returns."""
    store_in(database, "run").complete()
    call("set_value", {"runId": "run", "key": "key", "value": value})
    found = call("get_value", {"runId": "run", "key": "key"})
    assert found["found"]
    assert same(found["value"], json.loads(json.dumps(value)))
    call("push_item", {"runId": "run", "key": "list", "item": value})
    call("push_item", {"runId": "run", "key": "list", "items": [value, value]})
    listed = call("get_value", {"runId": "run", "key": "list", "start": 1, "limit": 1})
    assert same(listed["value"], [json.loads(json.dumps(value))])
