"""Errors: what a failed request is turned into, and that errors survive a trip between processes."""

import functools
import io
import pickle
from collections.abc import Callable
from typing import Any, cast

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

import runstore
from runstore import (
    ConfigurationError,
    IncompleteCompletionError,
    InvalidRequestError,
    KeyTypeMismatchError,
    RunStore,
    Settings,
    ThrottledError,
    UnavailableError,
)
from runstore.dynamodb.defaults import new_client
from runstore.errors import error_context
from tests.backends import Backend

OPERATIONS: dict[str, Callable[[RunStore], Any]] = {
    "get": lambda store: store.get("key"),
    "get_range": lambda store: store.get_range("key"),
    "set": lambda store: store.set("key", 1),
    "push": lambda store: store.push("key", 1, token="t"),
    "push_many": lambda store: store.push_many("key", [1]),
    "increment": lambda store: store.increment("key"),
    "delete": lambda store: store.delete("key"),
    "keys": lambda store: store.keys(),
    "snapshot": lambda store: store.snapshot(),
    "complete": lambda store: store.complete(),
}
ERRORS = [getattr(runstore, name) for name in runstore.__all__ if name.endswith("Error")]


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_survives_pickling(error: Any) -> None:
    """Message and details come through a process pool."""
    own: dict[Any, dict[str, Any]] = {KeyTypeMismatchError: {"holds": "list"}, IncompleteCompletionError: {"done": 7}}
    context: dict[str, Any] = {"run_id": "run", "key": "k", "operation": "push", "index": 2}
    carried = {"may_have_happened": True, "appended": 3} | context | own.get(error, {})
    copy = pickle.loads(pickle.dumps(error("what was wrong", **carried)))  # noqa: S301 our own
    assert type(copy) is error
    assert str(copy) == "what was wrong"
    assert vars(copy) == carried


def test_the_innermost_context_stays() -> None:
    """An error says what was being done where it was raised; outer blocks add what it lacks."""
    with (
        pytest.raises(ThrottledError) as caught,
        error_context("apply", "run"),
        error_context("push", key="key"),
    ):
        raise ThrottledError("later", appended=2, index=1)
    failure = caught.value
    assert (failure.operation, failure.run_id, failure.key, failure.index) == ("push", "run", "key", 1)
    replaced = caught.value.replace("another message", may_have_happened=True)
    assert type(replaced) is ThrottledError
    assert vars(replaced) == vars(caught.value) | {"may_have_happened": True}
    assert str(replaced) == "another message"


@functools.cache
def _session() -> boto3.session.Session:
    return boto3.session.Session(region_name="eu-central-1")


def _client(status: int = 200, body: str = "{}") -> Any:
    """Return a boto3 client that gets this answer to whatever it sends; nothing leaves the process."""
    client: Any = _session().client("dynamodb", config=Config(retries={"total_max_attempts": 1}))

    headers: Any = {"content-type": "application/x-amz-json-1.0"}

    def answer(request: Any, **_: Any) -> AWSResponse:
        raw = io.BytesIO(body.encode())
        raw.stream = lambda **_: iter([body.encode()])  # type: ignore[attr-defined]
        return AWSResponse(request.url, status, headers, cast("Any", raw))

    client.meta.events.register_first("before-send.dynamodb", answer)
    return client


def _answering(status: int, code: str, message: str = "the reason that AWS gives") -> RunStore:
    body = f'{{"__type": "com.amazonaws.dynamodb.v20120810#{code}", "message": "{message}"}}'
    return RunStore("run", client=_client(status, body), settings=Settings("runs"))


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
@pytest.mark.parametrize("code", ["AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException"])
def test_a_missing_permission(operation: Callable[[RunStore], Any], code: str) -> None:
    """Whatever is not permitted is an error of the deployment that says what AWS said, and names the table."""
    with pytest.raises(ConfigurationError, match="on table 'runs': not permitted: the reason that AWS gives") as caught:
        operation(_answering(400, code))
    assert caught.value.run_id == "run"
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("operation", OPERATIONS.items(), ids=OPERATIONS.keys())
def test_throttling(operation: tuple[str, Callable[[RunStore], Any]]) -> None:
    """Throttling that outlasts the retries asks to try again and says how to write less at once."""
    name, call = operation
    with pytest.raises(ThrottledError, match=r"wrote nothing\. Try again.*push_many") as caught:
        call(_answering(400, "ProvisionedThroughputExceededException"))
    assert (caught.value.operation, caught.value.run_id) == (name, "run")


@pytest.mark.parametrize("operation", OPERATIONS.items(), ids=OPERATIONS.keys())
@pytest.mark.parametrize("status", [500, 503])
def test_a_failure_of_dynamodb(operation: tuple[str, Callable[[RunStore], Any]], status: int) -> None:
    """A 5xx answer asks to try again, and says for a write that it may have happened."""
    name, call = operation
    with pytest.raises(UnavailableError) as caught:
        call(_answering(status, "InternalServerError"))
    wrote = name in {"set", "push", "push_many", "increment", "delete"}
    assert caught.value.may_have_happened is wrote
    assert ("The write may have happened" in str(caught.value)) is wrote


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_a_missing_table(backend: Backend, operation: Callable[[RunStore], Any]) -> None:
    """A table that is not there is an error of the deployment; the variable that names it is named."""
    store = RunStore("run", table_name="no-such-table", client=backend.client())
    with pytest.raises(ConfigurationError, match=r"'no-such-table': there is no such table\. Check RUNSTORE_TABLE"):
        operation(store)


def test_a_table_of_another_schema(backend: Backend) -> None:
    """A table with other keys is an error of the deployment that says what the keys must be."""
    client = backend.client()
    client.create_table(
        TableName="other-schema",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    store = RunStore("run", table_name="other-schema", client=client)
    try:
        for operation in OPERATIONS.values():
            with pytest.raises(ConfigurationError, match="Does the table have the string keys run_id and key"):
                operation(store)
    finally:
        client.delete_table(TableName="other-schema")


@pytest.fixture
def _no_default_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not made its client yet."""
    monkeypatch.setattr("runstore.dynamodb.defaults.process.transport", None)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)


@pytest.mark.usefixtures("_no_default_client")
def test_a_missing_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a region the error says so, when the store is made."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(ConfigurationError, match="Set AWS_REGION, or pass client=") as caught:
        RunStore("run", table_name="runs")
    assert caught.value.operation == "open"


@pytest.mark.usefixtures("_no_default_client")
def test_the_region_of_aws_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_REGION alone is enough, as for the direct transport and the inspector; botocore's own variable goes first."""
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert new_client().meta.region_name == "eu-central-1"
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert new_client().meta.region_name == "eu-north-1"


def test_what_is_no_dynamodb_client() -> None:
    """The error says what to pass, when the store is made."""
    wrong: list[Any] = [5, "dynamodb", object(), boto3.resource("dynamodb"), boto3.client("s3"), boto3.Session()]
    for client in wrong:
        with pytest.raises(InvalidRequestError, match=r'must be boto3\.client\("dynamodb"\); got an? ') as caught:
            RunStore("run", table_name="runs", client=client)
        assert caught.value.operation == "open"


def test_what_are_no_settings() -> None:
    """A name in the place of the settings is refused when the store is made."""
    settings: Any = "runs"
    with pytest.raises(InvalidRequestError, match=r"settings must be runstore\.Settings; got a str"):
        RunStore("run", settings=settings)


@pytest.mark.usefixtures("_no_default_client")
def test_missing_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials the first request says so; nothing is sent."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store = RunStore("run", table_name="runs")
    for operation in OPERATIONS.values():
        with pytest.raises(ConfigurationError, match="no usable AWS credentials or region"):
            operation(store)


@pytest.mark.usefixtures("_no_default_client")
def test_one_client_serves_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores without a client of their own have one in common; whoever brings one uses that."""
    spare, made = [_client(), _client()], []

    def make(*_: Any, **__: Any) -> Any:
        made.append(spare.pop())
        return made[-1]

    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    monkeypatch.setattr("botocore.session.Session.create_client", make)
    for run in ("a", "b"):
        RunStore(run, table_name="runs")
    assert len(made) == 1
    RunStore("c", table_name="runs", client=spare.pop())
    assert len(made) == 1


def test_table_name_and_settings_exclude_each_other() -> None:
    """Of two names of the table neither wins silently."""
    with pytest.raises(runstore.InvalidRequestError, match="table_name must not be passed together with settings"):
        RunStore("run", table_name="runs", settings=Settings("other"), client=_client())
