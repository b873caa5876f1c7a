"""A RunStore without a client uses what was chosen for the process, says so, and heeds what comes later."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

import runstore
from runstore import RunStore, transport_choice
from runstore.aws_lambda.context import limited
from runstore.dynamodb import defaults
from runstore.dynamodb.boto3_transport import Boto3Transport
from runstore.dynamodb.direct import DirectTransport
from runstore.errors import ConfigurationError, UnavailableError
from tests.transport.answers import OK, hangs
from tests.transport.servers import serving
from tests.transport.test_choice import LAMBDA

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _new_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin as a Lambda function's process begins."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in LAMBDA.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RUNSTORE_TABLE", "runs")
    process = defaults.Process()
    monkeypatch.setattr(defaults, "process", process)
    yield
    if isinstance(process.transport, DirectTransport):
        process.transport.close()


def test_inside_lambda_a_store_sends_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """And all stores of the process share the connections."""
    with serving(OK) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
        assert transport_choice().name == "direct"
        assert [RunStore("r").increment("k") for _ in range(2)] == [1, 1]
        assert [request.operation for request in server.requests] == ["UpdateItem", "UpdateItem"]
        assert server.connections == 1


def test_the_choice_is_logged_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, with its reason; and its type is public."""
    monkeypatch.setenv("RUNSTORE_TRANSPORT", "boto3")
    with caplog.at_level(logging.DEBUG, "runstore"):
        choice = transport_choice()
        RunStore("r")
        RunStore("r")
    assert isinstance(choice, runstore.TransportChoice)
    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        ("runstore", "DEBUG", "DynamoDB is reached by the boto3 transport: RUNSTORE_TRANSPORT is boto3")
    ]
    assert isinstance(defaults.default_transport(), Boto3Transport)


def test_a_bad_variable_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the store too, which is then not made."""
    monkeypatch.setenv("RUNSTORE_TRANSPORT", "fast")
    with pytest.raises(ConfigurationError, match="RUNSTORE_TRANSPORT must be boto3 or direct; got 'fast'"):
        RunStore("r")
    with pytest.raises(ConfigurationError):
        transport_choice()


def test_moto_that_starts_later_gets_the_requests() -> None:
    """A test's process may have made a store before; afterwards boto3 stays."""
    assert isinstance(defaults.default_transport(), DirectTransport)
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="runs",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("run_id", "key")],
            KeySchema=[{"AttributeName": "run_id", "KeyType": "HASH"}, {"AttributeName": "key", "KeyType": "RANGE"}],
            BillingMode="PAY_PER_REQUEST",
        )
        RunStore("r").set("k", 1)
        assert client.scan(TableName="runs")["Count"] == 1
        assert "moto" in transport_choice().reason
        client.close()


def test_a_forced_transport_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever starts later: the variable decides."""
    monkeypatch.setenv("RUNSTORE_TRANSPORT", "direct")
    before = defaults.default_transport()
    with mock_aws():
        assert defaults.default_transport() is before


class _Context:
    """What Lambda tells a function about its invocation."""

    def __init__(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        """Return the time that is left."""
        return self.milliseconds


def test_a_request_ends_before_the_function_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the function can still say whether the write may have happened."""
    with serving(hangs()) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
        with limited(_Context(800)), pytest.raises(UnavailableError, match="in time") as caught:
            RunStore("r").set("k", 1)
        assert caught.value.may_have_happened
        assert server.connections == 1
