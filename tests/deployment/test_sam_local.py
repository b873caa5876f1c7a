"""Every function in a container, with the events that the repository ships, on DynamoDB Local."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runstore import RunStore
from runstore.store import table_of
from runstore.workflow.proofs import event_token
from runstore.workflow.records import Records
from runstore.workflow.run_record import Run
from runstore.workflow.waits import WaitRecords
from tests.backends import Backend
from tests.deployment import engine, image, sam
from tests.deployment.pythons import MissingToolError

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

pytestmark = pytest.mark.sam

RUN = json.loads((sam.EVENTS / "complete_run.json").read_text("utf-8"))["runId"]
NAMES = [path.stem for path in sam.EVENTS.glob("*.json")]
FUNCTIONS = {name: "".join(word.capitalize() for word in name.split("_")) for name in NAMES}


@pytest.fixture(scope="module")
def table_name(dynamodb_local_backend: Backend) -> str:
    """A table that the containers and the tests see."""
    return dynamodb_local_backend.make_table()


@pytest.fixture
def store(dynamodb_local_backend: Backend, table_name: str) -> RunStore:
    """The run of the events, empty."""
    store = RunStore(RUN, table_name=table_name, client=dynamodb_local_backend.client())
    store.complete()
    return store


@pytest.fixture(scope="module")
def local(dynamodb_local_backend: Backend, table_name: str) -> Iterator[sam.SamLocal]:
    """The built functions, a Docker engine, and the base image in it."""
    url = dynamodb_local_backend.endpoint_url or ""
    try:
        with engine.running() as docker, sam.scratch() as folder:
            image.provide(docker)
            yield sam.SamLocal(docker, sam.build(folder), table_name, url.rpartition(":")[2])
    except MissingToolError as missing:
        pytest.skip(str(missing))


def test_every_function_has_an_event() -> None:
    """Each entry point can be tried with a file of the repository."""
    entry_points = {path.stem for path in (sam.ROOT / "functions").glob("*.py") if "workflow" not in path.stem}
    assert set(FUNCTIONS) == entry_points


@pytest.mark.parametrize(
    ("name", "expected", "left"),
    [
        ("set_value", {"key": "customerId"}, {"customerId": "C-1024", "results": ["first"], "processedCount": 1}),
        (
            "push_item",
            {"key": "results", "length": 2},
            {"customerId": "old", "results": ["first", {"id": "item-0001", "status": "done"}], "processedCount": 1},
        ),
        (
            "increment_counter",
            {"key": "processedCount", "value": 2},
            {"customerId": "old", "results": ["first"], "processedCount": 2},
        ),
        (
            "get_value",
            {"key": "results", "value": ["first"], "found": True},
            {"customerId": "old", "results": ["first"], "processedCount": 1},
        ),
        ("delete_key", {"key": "customerId"}, {"results": ["first"], "processedCount": 1}),
        (
            "get_values",
            {"values": {"customerId": "old", "results": ["first"], "processedCount": 1}},
            {"customerId": "old", "results": ["first"], "processedCount": 1},
        ),
        (
            "apply_operations",
            {"results": [{"key": "results", "length": 2}, {"key": "processedCount", "value": 2}]},
            {"customerId": "old", "results": ["first", {"id": 7, "status": "done"}], "processedCount": 2},
        ),
        ("complete_run", {"runId": RUN, "deleted": 3}, {}),
        (
            "retire_run",
            {"runId": RUN, "status": "FAILED", "deleted": 0, "retained": 3},
            {"customerId": "old", "results": ["first"], "processedCount": 1},
        ),
    ],
)
def test_sam_local_invoke(
    local: sam.SamLocal, store: RunStore, name: str, expected: dict[str, Any], left: dict[str, Any]
) -> None:
    """`sam local invoke FUNCTION --event tests/events/NAME.json` answers, and the table shows what it did."""
    store.set("customerId", "old")
    store.push("results", "first")
    store.increment("processedCount")
    assert local.invoke(FUNCTIONS[name], sam.EVENTS / f"{name}.json") == expected
    assert store.snapshot() == left


def test_an_event_is_kept_for_the_wait_whose_token_it_has(local: sam.SamLocal, store: RunStore, tmp_path: Path) -> None:
    """`sam local invoke SendEvent` takes a token of a run; the file in tests/events shows its form alone."""
    table = table_of(store)
    Records(table).begin_run(Run(None, time.time() + 3_600, 0, "", "secret", None, -1, clearing=False), "{}")
    event = {"token": event_token("secret", RUN, "1", "decide"), "body": {"approved": True}}
    file = tmp_path / "event.json"
    file.write_text(json.dumps(event), "utf-8")
    assert local.invoke("SendEvent", file) == {"runId": RUN, "accepted": True}
    kept = WaitRecords(table, "1", "decide").event()
    assert kept is not None
    assert kept.body == {"approved": True}


def test_sam_local_start_lambda(local: sam.SamLocal, store: RunStore) -> None:
    """boto3 drives the functions behind `sam local start-lambda`: a run from its first value to its completion."""

    def call(client: "LambdaClient", name: str, **event: Any) -> Any:
        payload = json.dumps({"runId": RUN, **event})
        return json.loads(client.invoke(FunctionName=FUNCTIONS[name], Payload=payload)["Payload"].read())

    with local.lambda_client() as client:
        assert call(client, "set_value", key="customerId", value="Zoë") == {"key": "customerId"}
        for length in (1, 2):
            pushed = call(client, "push_item", key="results", item={"n": length}, token=f"push-{length}")
            assert pushed == {"key": "results", "length": length}
        again = call(client, "push_item", key="results", item={"n": 2}, token="push-2")
        assert again == {"key": "results", "length": 2}
        refused = call(client, "increment_counter", key="results")
        assert refused["errorType"] == "KeyTypeMismatchError"
        assert call(client, "get_value", key="results")["value"] == [{"n": 1}, {"n": 2}]
        assert store.snapshot() == {"customerId": "Zoë", "results": [{"n": 1}, {"n": 2}]}
        assert call(client, "complete_run") == {"runId": RUN, "deleted": 2}
    assert store.snapshot() == {}
