"""The transport over boto3: broken answers, other users of the client, forks, and what is logged."""

from __future__ import annotations

import logging
import os
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from typing_extensions import override

from runstore import KeyTypeMismatchError, RunStore, Settings, UnavailableError
from runstore.dynamodb.boto3_transport import Boto3Transport
from runstore.dynamodb.transport import RequestError
from tests.simulation.client import Direct, SimulatedClient
from tests.simulation.database import Database
from tests.transport.answers import ITEM, OK, failure, http, says, success
from tests.transport.servers import Server, serving

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

KEY = {"run_id": {"S": "r"}, "key": {"S": "k"}}
INCREMENT = {"TableName": "t", "Key": KEY, "ReturnValues": "ALL_NEW"}
GET = {"TableName": "t", "Key": KEY}
QUERY = {"TableName": "t", "KeyConditionExpression": "a = :a"}


def client_of(server: Server, **config: Any) -> DynamoDBClient:
    """Return a client whose requests go to a server of the test's own."""
    session = boto3.session.Session(region_name="eu-central-1")
    retries: Any = {"mode": "standard", "total_max_attempts": 3}
    client: DynamoDBClient = session.client(
        "dynamodb", endpoint_url=server.url, config=Config(retries=retries, read_timeout=2, **config)
    )
    return client


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runstore.clock.sleep", lambda _: None)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


# ---------------------------------------------------------------------------------------------- broken answers


@pytest.mark.parametrize("crc", [True, False])
def test_an_increment_whose_answer_is_cut_is_ambiguous_and_sent_once(*, crc: bool) -> None:
    """After any byte of status line, headers or body: it may have counted, and is not repeated."""
    whole = success(crc=crc)
    lengths = range(0, len(whole), 3)
    with serving(*(says(whole[:length], stays=False) for length in lengths)) as server:
        transport = Boto3Transport(client_of(server))
        for sent, length in enumerate(lengths, 1):
            with pytest.raises(RequestError) as caught:
                transport.send("UpdateItem", INCREMENT, idempotent=False)
            assert (caught.value.code, caught.value.may_have_happened) == ("", True), f"cut after {length} bytes"
            assert len(server.requests) == sent, f"cut after {length} bytes"


@pytest.mark.parametrize("crc", [True, False])
@pytest.mark.parametrize(
    ("operation", "request_", "answer"),
    [("GetItem", GET, {"Item": ITEM}), ("Query", QUERY, {"Items": [ITEM], "Count": 1}), ("PutItem", GET, {})],
)
def test_a_cut_answer_is_asked_for_again(operation: str, request_: Any, answer: Any, *, crc: bool) -> None:
    """What may be repeated is repeated, until a whole answer comes; "not set" is never made of half an answer."""
    request_ = {"TableName": "t", "Item": KEY} if operation == "PutItem" else request_
    whole = success(answer, crc=crc)
    lengths = range(0, len(whole), 7)
    replies = [reply for length in lengths for reply in (says(whole[:length], stays=False), says(whole))]
    with serving(*replies) as server:
        transport = Boto3Transport(client_of(server))
        for number, length in enumerate(lengths, 1):
            got = transport.send(operation, request_, idempotent=True)
            assert {name: got[name] for name in answer} == answer
            assert len(server.requests) == 2 * number, f"cut after {length} bytes"


@pytest.mark.parametrize(
    "answer", [http(200, b""), http(200, b"[]"), http(200, b'{"Items": 7}', crc=False), http(302, b""), http(400, b"{")]
)
def test_what_is_no_answer_is_a_failure_without_a_code(answer: bytes) -> None:
    """Nothing that DynamoDB does not say passes for a success or for a refusal."""
    with serving(says(answer)) as server:
        with pytest.raises(RequestError) as caught:
            Boto3Transport(client_of(server)).send("Query", QUERY, idempotent=True)
        assert (caught.value.code, caught.value.may_have_happened) == ("", False)
        store = RunStore("r", client=client_of(server), settings=Settings("t"))
        with pytest.raises(UnavailableError, match="no complete answer"):
            store.increment("k")


def test_a_transaction_has_one_token_for_all_its_attempts() -> None:
    """A repetition after a cut answer is recognised by DynamoDB."""
    request = {"TransactItems": [{"Put": {"TableName": "t", "Item": KEY}}]}
    with serving(says(success({})[:20], stays=False), says(success({}))) as server:
        Boto3Transport(client_of(server)).send("TransactWriteItems", request, idempotent=True)
        first, second = (request.body for request in server.requests)
        assert first == second
        assert b"ClientRequestToken" in first


# ---------------------------------------------------------------------------------------------- other users


def test_other_users_get_their_retries_and_answers() -> None:
    """A caller's own requests are retried as always, and binary values come back as bytes."""
    binary = says(success({"Items": [{"b": {"B": "AQI="}, "s": {"SS": ["x"]}}], "Count": 1, "ScannedCount": 1}))
    with serving(says(failure("InternalServerError", 500)), OK, binary) as server:
        client = client_of(server)
        Boto3Transport(client)
        assert client.update_item(**INCREMENT)["Attributes"] == ITEM  # type: ignore[arg-type]
        assert len(server.requests) == 2
        assert client.query(**QUERY)["Items"] == [{"b": {"B": b"\x01\x02"}, "s": {"SS": ["x"]}}]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "answer", [{"Items": [], "Count": 0}, {"Items": [ITEM] * 3, "Count": 3, "LastEvaluatedKey": KEY}]
)
def test_other_users_get_the_answers_that_botocore_parses(answer: dict[str, Any]) -> None:
    """With the transport's handlers, the client's answer is the same as without."""
    with serving(says(success({**answer, "Unknown": 1})), says(success(answer))) as server:
        plain = client_of(server).query(**QUERY)  # type: ignore[arg-type]
        client = client_of(server)
        Boto3Transport(client)
        quick = client.query(**QUERY)  # type: ignore[arg-type]
        assert plain | {"ResponseMetadata": None} == quick | {"ResponseMetadata": None}


def test_hooks_that_come_later_see_the_requests() -> None:
    """Hooks of the caller see what is sent, retried and answered, and can answer themselves."""
    with serving(says(failure("InternalServerError", 500)), OK) as server:
        client = client_of(server)
        store = RunStore("r", client=client, settings=Settings("t"))
        seen: list[str] = []
        for name in ("before-send", "needs-retry", "after-call"):
            client.meta.events.register(f"{name}.dynamodb", lambda name=name, **_: seen.append(name))
        store.increment("k", token="t")
        assert seen == ["before-send", "needs-retry"] * 2 + ["after-call"]


def test_a_stubbed_client_answers() -> None:
    """Botocore's Stubber works, with the parameters it expects compared as usual."""
    client: DynamoDBClient = boto3.client("dynamodb", region_name="eu-central-1")
    store = RunStore("r", client=client, settings=Settings("t"))
    with Stubber(client) as stubber:
        item = {"Item": {**KEY, "kind": {"S": "value"}, "value": {"S": "7"}}}
        stubber.add_response("get_item", item, {"TableName": "t", "Key": KEY, "ConsistentRead": True})
        assert store.get("k") == 7
        stubber.add_response("put_item", {})
        store.set("k", 1)


# ---------------------------------------------------------------------------------------------- forks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_of_fork_opens_its_own_connections() -> None:
    """Parent and child never share a connection, so neither gets the other's answers."""
    with serving(OK) as server:
        transport = Boto3Transport(client_of(server))
        transport.send("UpdateItem", INCREMENT, idempotent=False)
        child = os.fork()
        if child == 0:
            try:
                transport.send("UpdateItem", INCREMENT, idempotent=False)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        transport.send("UpdateItem", INCREMENT, idempotent=False)
        assert [request.connection for request in server.requests] == [1, 2, 1]


# ---------------------------------------------------------------------------------------------- names and logs


class Name(StrEnum):
    """The names of a user's program."""

    RUN = "run"
    LIST = "list"
    COUNT = "count"
    TOKEN = "t"

    @override
    def __str__(self) -> str:
        return f"Name.{self.name}"

    @override
    def __format__(self, _: str) -> str:
        return str(self)


def test_members_of_a_string_enum_are_the_text_that_they_hold() -> None:
    """As run id, key, prefix and token, on lists and counters beyond one item too."""
    database = Database()
    client: Any = SimulatedClient(Direct(database))
    store = RunStore(Name.RUN, client=client, settings=Settings("t"))
    plain = RunStore("run", client=client, settings=Settings("t"))
    for number in range(60):
        store.push(Name.LIST, "x" * 90)
        store.increment(Name.COUNT, token=f"token {number}")
    store.push(Name.LIST, "last", token=Name.TOKEN)
    assert plain.push("list", "last", token="t") == 61
    assert (len(plain.get("list")), plain.get("count")) == (61, 60)
    assert plain.keys(Name.COUNT) == ["count"]
    store.apply([{"do": "push", "key": Name.LIST, "item": Name.LIST}], token=Name.TOKEN)
    assert plain.apply([{"do": "push", "key": "list", "item": "list"}], token="t") == [{"key": "list", "length": 62}]
    assert list(database.partitions) == ["run"]
    store.set(Name.LIST, 1)
    with pytest.raises(KeyTypeMismatchError) as caught:
        store.push(Name.LIST, 1)
    assert (caught.value.key, caught.value.run_id) == ("list", "run")
    assert type(caught.value.key) is str
    assert plain.complete() > 0


def test_a_token_repeated_with_another_item_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The first call counts, and a warning names the key, never the items; an honest repetition logs nothing."""
    client: Any = SimulatedClient(Direct(Database()))
    store = RunStore("run", client=client, settings=Settings("t"))
    for number in range(40):
        for _ in range(2):
            store.push("list", ["secret", number], token=f"t{number}")
    assert caplog.records == []
    for token in ("t0", "t39"):
        store.push("list", "another secret", token=token)
    assert len(store.get("list")) == 40
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert "'list'" in caplog.text
    assert "secret" not in caplog.text


def test_requests_are_logged_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    """Operation, run, outcome and time of each request, never a value; nothing by default."""
    client: Any = SimulatedClient(Direct(Database()))
    store = RunStore("run", client=client, settings=Settings("t"))
    store.set("key", "secret")
    assert caplog.records == []
    with caplog.at_level(logging.DEBUG, "runstore"):
        store.push("list", "secret")
        store.setdefault("key", "secret")
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("UpdateItem of run run: ok in ")
    assert lines[1].startswith("PutItem of run run: ConditionalCheckFailedException in ")
    assert "secret" not in caplog.text
