"""Which failures are repeated, how often, after which pauses, and never beyond the caller's time."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import botocore.retries.standard
import pytest

from runstore import clock
from runstore.aws_api.client import JsonClient
from runstore.aws_api.endpoint import DYNAMODB, Endpoint
from runstore.aws_api.errors import ApiError
from runstore.aws_api.time_limit import keep_limit, seconds_left, time_limit
from tests.transport.answers import ITEM, OK, failure, http, resets, says, success
from tests.transport.servers import HOST, Server, serving, unused_port

if TYPE_CHECKING:
    import socket

ClientOf = Callable[[Server], JsonClient]
KEY = {"TableName": "t", "Key": {"run_id": {"S": "r"}, "key": {"S": "k"}}}
_THROTTLED = "ProvisionedThroughputExceededException"
THROTTLING = [
    _THROTTLED,
    "RequestLimitExceeded",
    "RequestThrottledException",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TooManyRequestsException",
]
# What botocore repeats for other services, or for those operations of DynamoDB that nothing here sends.
_OF_OTHERS = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "RequestThrottled",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "ThrottledException",
}


def test_no_code_is_new_to_botocore() -> None:
    """A code that a later botocore repeats is looked at: it goes here or among the throttling ones."""
    standard: Any = botocore.retries.standard  # its lists are not public
    theirs = {
        *standard.ThrottledRetryableChecker._THROTTLED_ERROR_CODES,  # noqa: SLF001
        *standard.TransientRetryableChecker._TRANSIENT_ERROR_CODES,  # noqa: SLF001
    }
    assert theirs - {*THROTTLING, "TransactionInProgressException"} == _OF_OTHERS


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("code", THROTTLING)
def test_what_was_throttled_had_no_effect(
    *, client_of: ClientOf, pauses: list[float], code: str, idempotent: bool
) -> None:
    """It is sent again, an increment too."""
    with serving(says(failure(code)), says(failure(code)), OK) as server:
        assert client_of(server).call("UpdateItem", KEY, idempotent=idempotent) == {"Attributes": ITEM}
        assert len(server.requests) == 3
        assert server.connections == 1  # an error is an answer like any other
    assert len(pauses) == 2


def test_throttling_to_the_last_attempt(client_of: ClientOf) -> None:
    """Four attempts; and the error says that nothing happened."""
    with serving(says(failure(_THROTTLED))) as server:
        with pytest.raises(ApiError) as caught:
            client_of(server).call("UpdateItem", KEY, idempotent=False)
        assert (caught.value.code, caught.value.status) == (_THROTTLED, 400)
        assert not caught.value.may_have_happened
        assert len(server.requests) == 4


_REFUSALS = [
    "AccessDeniedException",
    "ConditionalCheckFailedException",
    "ExpiredTokenException",  # a function's credentials change only with its process
    "InvalidSignatureException",  # also for a clock that is wrong: neither does botocore correct it
    "ResourceNotFoundException",
    "ValidationException",
]


@pytest.mark.parametrize("code", _REFUSALS)
def test_a_refusal_is_final(client_of: ClientOf, code: str) -> None:
    """It is not sent again, and the error has the whole answer."""
    with serving(says(failure(code, Item=ITEM))) as server:
        with pytest.raises(ApiError) as caught:
            client_of(server).call("PutItem", KEY, idempotent=True)
        assert (caught.value.code, caught.value.status, caught.value.body["Item"]) == (code, 400, ITEM)
        assert not caught.value.may_have_happened
        assert len(server.requests) == 1


def test_a_refusal_after_a_lost_answer_says_so(client_of: ClientOf) -> None:
    """The first attempt may have taken effect, although the second one was refused."""
    with serving(resets(), says(failure("ConditionalCheckFailedException"))) as server:
        with pytest.raises(ApiError) as caught:
            client_of(server).call("PutItem", KEY, idempotent=True)
        assert caught.value.code == "ConditionalCheckFailedException"
        assert caught.value.may_have_happened
        assert len(server.requests) == 2


def test_credentials_that_vanish_after_a_lost_answer(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second attempt cannot be sent, but the first one may have taken effect: the write is in doubt."""

    def loses_both(connection: socket.socket, request: bytes) -> bool:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        return resets()(connection, request)

    with serving(loses_both) as server:
        with pytest.raises(ApiError, match="AWS_ACCESS_KEY_ID") as caught:
            client_of(server).call("PutItem", KEY, idempotent=True)
        assert caught.value.may_have_happened
        assert not caught.value.unusable


def test_throttling_before_a_lost_answer(client_of: ClientOf) -> None:
    """An increment that was throttled is sent again; one whose answer is lost is not."""
    with serving(says(failure(_THROTTLED)), resets(), OK) as server:
        with pytest.raises(ApiError) as caught:
            client_of(server).call("UpdateItem", KEY, idempotent=False)
        assert caught.value.may_have_happened
        assert len(server.requests) == 2


def test_a_server_that_is_not_there_is_tried_again(pauses: list[float]) -> None:
    """Nothing was sent, so an increment is tried again; in the end nothing happened."""
    client = JsonClient(DYNAMODB, Endpoint("http", HOST, unused_port(), "eu-central-1"))
    with pytest.raises(ApiError) as caught:
        client.call("UpdateItem", KEY, idempotent=False)
    assert not caught.value.may_have_happened
    assert not caught.value.unusable
    assert "cannot connect" in str(caught.value)
    assert len(pauses) == 3


def test_pauses_grow_with_full_jitter(
    client_of: ClientOf, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From no pause at all to a bound that doubles."""
    bounds: list[tuple[float, float]] = []

    def longest(low: float, high: float) -> float:
        bounds.append((low, high))
        return high

    monkeypatch.setattr(random, "uniform", longest)
    with serving(says(failure(_THROTTLED))) as server, pytest.raises(ApiError):
        client_of(server).call("PutItem", KEY, idempotent=True)
    assert bounds == [(0, 0.5), (0, 1.0), (0, 2.0)]
    assert pauses == [0.5, 1.0, 2.0]


def test_no_pause_outlasts_the_caller(
    client_of: ClientOf, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With less time left than the pause takes, the last failure is reported at once."""
    monkeypatch.setattr(random, "uniform", lambda _, high: high)
    with serving(says(failure(_THROTTLED))) as server, time_limit(0.4):
        with pytest.raises(ApiError) as caught:
            client_of(server).call("PutItem", KEY, idempotent=True)
        assert caught.value.code == _THROTTLED
        assert len(server.requests) == 1
    assert not pauses


def test_without_time_nothing_is_sent(client_of: ClientOf) -> None:
    """Neither to a new connection nor to an open one."""
    with serving(OK) as server:
        client = client_of(server)
        for connections in (0, 1):
            with time_limit(0), pytest.raises(ApiError) as caught:
                client.call("UpdateItem", KEY, idempotent=False)
            assert not caught.value.may_have_happened
            assert "no time left" in str(caught.value)
            assert server.connections == connections
            client.call("UpdateItem", KEY, idempotent=False)
        assert len(server.requests) == 2


def test_a_limit_inside_a_limit_only_shortens_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And after it the outer one holds again; outside there is none."""
    monkeypatch.setattr(clock, "elapsed", lambda: 100.0)
    with time_limit(10):
        with time_limit(20):
            assert seconds_left() == 10
        with time_limit(5):
            assert seconds_left() == 5
        assert seconds_left() == 10
        seen: list[float] = []
        for target in (keep_limit(lambda: seen.append(seconds_left())), lambda: seen.append(seconds_left())):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
        assert seen == [10, float("inf")]
    assert seconds_left() == float("inf")


def test_credentials_are_read_for_each_attempt(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change in the environment counts at once; an empty session token is none."""
    with serving(OK) as server:
        client = client_of(server)
        client.call("GetItem", KEY, idempotent=True)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "rotated")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
        client.call("GetItem", KEY, idempotent=True)
        monkeypatch.setenv("AWS_SESSION_TOKEN", "")
        client.call("GetItem", KEY, idempotent=True)
        headers = [request.headers for request in server.requests]
    assert [header.get("x-amz-security-token") for header in headers] == [None, "token", None]
    assert ["Credential=rotated/" in header["authorization"] for header in headers] == [False, True, True]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ACCESS_KEY_ID", None),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_SESSION_TOKEN", "a\r\nx-injected:b"),
        ("AWS_ACCESS_KEY_ID", "with space"),
        ("AWS_SECRET_ACCESS_KEY", "schlüssel"),
    ],
)
def test_unusable_credentials_are_named_and_never_shown(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    """Nothing is sent with them, or without."""
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    with serving(OK) as server:
        with pytest.raises(ApiError, match=name) as caught:
            client_of(server).call("GetItem", KEY, idempotent=True)
        assert caught.value.unusable
        assert not caught.value.may_have_happened
        assert not value or value not in str(caught.value)
        assert server.connections == 0


def test_what_is_no_json_is_refused(client_of: ClientOf) -> None:
    """Before anything is sent."""
    with serving(OK) as server:
        with pytest.raises(ApiError, match="must be JSON") as caught:
            client_of(server).call("PutItem", {"Item": {"a": {"B": b"x"}}}, idempotent=True)
        assert caught.value.unusable
        assert server.connections == 0


def test_a_request_has_what_botocore_sends(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The protocol's headers, and inside Lambda the trace by which it recognises loops."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1;Lineage=a87bd80c:1")
    with serving(says(http(200, b"{}"))) as server:
        client = client_of(server)
        client.call("GetItem", KEY, idempotent=True)
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
        client.call("GetItem", KEY, idempotent=True)
        outside, inside = (request.headers for request in server.requests)
    assert outside["content-type"] == "application/x-amz-json-1.0"
    assert outside["x-amz-target"] == "DynamoDB_20120810.GetItem"
    assert outside["accept-encoding"] == "identity"
    assert outside["user-agent"].startswith("runstore/")
    assert "x-amzn-trace-id" not in outside
    assert inside["x-amzn-trace-id"].startswith("Root=1-5759e988")
    assert "x-amzn-trace-id" not in inside["authorization"]


def test_a_trace_that_could_begin_another_header_is_left_out(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request goes out without it."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    with serving(says(http(200, b"{}"))) as server:
        for trace in ("Root=1\r\nx-injected: b", "Root=ö"):
            monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
            client_of(server).call("GetItem", KEY, idempotent=True)
        for request in server.requests:
            assert not {"x-amzn-trace-id", "x-injected"} & request.headers.keys()


def test_other_than_ascii_arrives(client_of: ClientOf) -> None:
    """Text in any script, both ways."""
    value = {"S": "größer 大きい \U0001f600"}
    with serving(says(success({"Item": {"value": value}}))) as server:
        answer = client_of(server).call("PutItem", {"Item": {"value": value}}, idempotent=True)
        assert answer == {"Item": {"value": value}}
        assert b"\\u00f6" in server.requests[0].body
