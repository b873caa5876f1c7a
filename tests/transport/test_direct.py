"""The transport itself: DynamoDB's errors, transactions, and what a caller learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runstore import RunStore
from runstore.aws_api.credentials import ACCESS_KEY
from runstore.dynamodb.direct import DirectTransport
from runstore.dynamodb.transport import RequestError, Transport
from runstore.errors import ConfigurationError, ThrottledError
from tests.transport.answers import ITEM, OK, failure, resets, says, success
from tests.transport.servers import serving
from tests.transport.test_retries import THROTTLING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.transport.servers import Server

TransportOf = Any
_REASONS = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": ITEM}, {"Code": "TransactionConflict"}]


@pytest.fixture
def transport_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Server], DirectTransport]]:
    """Make the transport of a process whose environment names a server."""
    made: list[DirectTransport] = []

    def make(server: Server) -> DirectTransport:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
        made.append(DirectTransport())
        return made[-1]

    yield make
    for transport in made:
        transport.close()


def test_it_is_a_transport(transport_of: TransportOf) -> None:
    """And says where it sends to."""
    with serving(OK) as server:
        transport: Transport = transport_of(server)
        assert transport.send("UpdateItem", {"TableName": "t"}, idempotent=False) == {"Attributes": ITEM}
        assert transport_of(server).endpoint_url == server.url


def test_a_false_condition_brings_its_item(transport_of: TransportOf) -> None:
    """So that a failed write explains itself without another read."""
    refusal = failure("ConditionalCheckFailedException", Item=ITEM)
    with serving(says(refusal)) as server, pytest.raises(RequestError) as caught:
        transport_of(server).send("PutItem", {}, idempotent=True)
    assert (caught.value.code, caught.value.status) == ("ConditionalCheckFailedException", 400)
    assert caught.value.item == ITEM
    assert not caught.value.may_have_happened


def test_a_cancelled_transaction_brings_its_reasons(transport_of: TransportOf) -> None:
    """In the order of its writes, without those that were in nobody's way. The transport does not repeat it."""
    with serving(says(failure("TransactionCanceledException", CancellationReasons=_REASONS))) as server:
        with pytest.raises(RequestError) as caught:
            transport_of(server).send("TransactWriteItems", {}, idempotent=True)
        assert len(server.requests) == 1
    assert caught.value.reasons == ("ConditionalCheckFailed", "TransactionConflict")


def test_a_transaction_is_carried_out_once(transport_of: TransportOf) -> None:
    """All attempts have the same token, by which DynamoDB knows them; the next transaction has another one."""
    lost, progress = resets(), says(failure("TransactionInProgressException"))
    with serving(lost, progress, says(success({}))) as server:
        transport = transport_of(server)
        for _ in range(2):
            assert transport.send("TransactWriteItems", {"TransactItems": []}, idempotent=False) == {}
        bodies = [request.body for request in server.requests]
    assert len(bodies) == 4
    assert bodies[0] == bodies[1] == bodies[2] != bodies[3]
    assert b'"ClientRequestToken":"' in bodies[0]


@pytest.mark.parametrize(("operation", "writes"), [("GetItem", False), ("Query", False), ("PutItem", True)])
def test_only_a_write_may_have_happened(transport_of: TransportOf, operation: str, writes: bool) -> None:  # noqa: FBT001 a row
    """A read without an answer has changed nothing."""
    with serving(resets()) as server, pytest.raises(RequestError) as caught:
        transport_of(server).send(operation, {}, idempotent=True)
    assert caught.value.may_have_happened is writes


@pytest.mark.parametrize(
    ("operation", "request_", "answer"),
    [
        ("UpdateItem", {"ReturnValues": "ALL_NEW"}, {}),
        ("Query", {}, {"Count": 0}),
        ("BatchGetItem", {}, {}),
    ],
)
def test_an_answer_that_lacks_what_was_asked_for_is_none(
    transport_of: TransportOf, operation: str, request_: dict[str, Any], answer: dict[str, Any]
) -> None:
    """Some server that says {} to everything is not DynamoDB."""
    with serving(says(success(answer, crc=False))) as server:
        with pytest.raises(RequestError) as caught:
            transport_of(server).send(operation, request_, idempotent=False)
        assert not caught.value.code
        assert caught.value.may_have_happened is (operation == "UpdateItem")
        assert len(server.requests) == 1


@pytest.mark.parametrize("code", THROTTLING)
def test_whatever_the_transport_repeats_was_throttled(transport_of: TransportOf, code: str) -> None:
    """To the last attempt, and then the store says so, and that it wrote nothing."""
    with serving(says(failure(code))) as server, pytest.raises(ThrottledError, match="wrote nothing") as caught:
        RunStore("r", table_name="t", client=transport_of(server)).set("k", 1)
    assert not caught.value.may_have_happened


def test_a_write_that_met_another_regions_is_repeated(transport_of: TransportOf) -> None:
    """In a global table with strong consistency such a write had no effect."""
    with serving(says(failure("ReplicatedWriteConflictException", 409)), OK) as server:
        assert RunStore("r", table_name="t", client=transport_of(server)).increment("k") == 1
        assert len(server.requests) == 2


def test_missing_credentials_are_the_deployments_fault(
    transport_of: TransportOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent."""
    monkeypatch.delenv(ACCESS_KEY)
    with serving(OK) as server:
        with pytest.raises(RequestError, match=ACCESS_KEY) as caught:
            transport_of(server).send("GetItem", {}, idempotent=True)
        assert caught.value.unusable
        assert not server.connections


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_DEFAULT_REGION", ""),
        ("AWS_DEFAULT_REGION", "nowhere"),
        ("AWS_ENDPOINT_URL", "http://host/path"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
    ],
)
def test_what_it_cannot_do_it_refuses(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Also when RUNSTORE_TRANSPORT asks for it: going elsewhere in silence would be worse."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name.replace("DEFAULT_", "")):
        DirectTransport()
