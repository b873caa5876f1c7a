"""An answer that is not whole is never a success, and what may have counted is never sent twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from runstore.aws_api import exchange
from runstore.aws_api.client import JsonClient
from runstore.aws_api.errors import ApiError
from runstore.aws_api.time_limit import time_limit
from tests.transport.answers import ITEM, OK, Reply, dribbles, failure, hangs, http, resets, says, success
from tests.transport.servers import Server, serving

if TYPE_CHECKING:
    import socket

ClientOf = Callable[[Server], JsonClient]
INCREMENT = {"TableName": "t", "Key": {"run_id": {"S": "r"}, "key": {"S": "k"}}, "ReturnValues": "ALL_NEW"}
_WHOLE = success()


def _increment(client: JsonClient, *, idempotent: bool) -> dict[str, object]:
    return client.call("UpdateItem", INCREMENT, idempotent=idempotent)


@pytest.mark.parametrize("ends", [says, resets, hangs], ids=["closed", "reset", "silent"])
def test_an_answer_cut_anywhere_is_no_success(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch, ends: Callable[..., Reply]
) -> None:
    """After any byte of status line, headers or body: the increment may have counted, and is not repeated."""
    if ends is hangs:
        monkeypatch.setattr(exchange, "_READ_SECONDS", 0.3)
    for length in range(0, len(_WHOLE), {says: 1, resets: 7, hangs: 47}[ends]):
        reply = says(_WHOLE[:length], stays=False) if ends is says else ends(_WHOLE[:length])
        with serving(reply, OK) as server:
            with pytest.raises(ApiError) as caught:
                _increment(client_of(server), idempotent=False)
            assert caught.value.may_have_happened, f"cut after {length} bytes"
            assert not caught.value.code
            assert len(server.requests) <= 1, f"cut after {length} bytes"


def _chunked(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x;note=1\r\n%b\r\n" % (len(body), body) + b"0\r\nTrailer: x\r\n\r\n"


def test_a_chunked_answer_is_read_to_its_end(client_of: ClientOf) -> None:
    """Chunks make one body, and the connection is used again."""
    with serving(says(_chunked(b'{"Attributes": {}}'))) as server:
        client = client_of(server)
        for _ in range(2):
            assert _increment(client, idempotent=False) == {"Attributes": {}}
        assert server.connections == 1


def test_a_chunked_answer_cut_anywhere_is_no_success(client_of: ClientOf) -> None:
    """Also without its last chunk, although the JSON is whole."""
    whole = _chunked(b'{"Attributes": {}}')
    for length in range(len(whole)):
        with serving(says(whole[:length], stays=False)) as server:
            with pytest.raises(ApiError) as caught:
                _increment(client_of(server), idempotent=False)
            assert caught.value.may_have_happened, f"cut after {length} bytes"


GARBAGE = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "HTTP/2": b"HTTP/2 200\r\ncontent-length: 2\r\n\r\n{}",
    "a word for a status": b"HTTP/1.1 abc x\r\nContent-Length: 2\r\n\r\n{}",
    "four digits for a status": b"HTTP/1.1 2000 x\r\nContent-Length: 2\r\n\r\n{}",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nbroken\r\n\r\n{}",
    "no length": b"HTTP/1.1 200 OK\r\n\r\n{}",
    "an empty length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n{}",
    "a length with a sign": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\n{}",
    "a body cut behind its JSON": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
    "a length of terabytes": b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999\r\n\r\n{}",
    "a space before a colon": b"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\nContent-Length: 2\r\n\r\n{}",
    "a header on two lines": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx: y\r\n z: a\r\n\r\n{}",
    "a length beside chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\n{}\r\n0\r\n\r\n",
    "an unknown transfer encoding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n",
    "a chunk with a negative size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "headers of 240 kB": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 40_000 + b"Content-Length: 2\r\n\r\n{}",
    "no JSON": http(200, b"<html>It works!</html>"),
    "an empty body that hides a wrong checksum": http(200, b"", "x-amz-crc32: 1", crc=False),
    "a JSON array": http(200, b"[]"),
    "a JSON string": http(200, b'"ok"'),
    "JSON nested without end": http(200, b"[" * 200_000),
    "no UTF-8": http(200, b'{"a": "\xff"}'),
    "compressed": success(None, "Content-Encoding: gzip"),
    "a wrong checksum": http(200, b"{}", "x-amz-crc32: 1", crc=False),
    "a checksum that is no number": http(200, b"{}", "x-amz-crc32: x", crc=False),
    "a redirection": http(301, b"", "Location: http://127.0.0.1:1/"),
    "a success without an answer": b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    "a request that is too large": http(413, b"", crc=False),
    "a request that took too long": http(408, b"", crc=False),
    "a proxy's refusal": http(403, b"<html>Forbidden</html>", crc=False),
    "a refusal without a code": http(400, b'{"message": "no"}', crc=False),
    "a refusal with a wrong checksum": http(400, b'{"__type": "x#ValidationException"}', "x-amz-crc32: 1", crc=False),
    "a failing load balancer": http(502, b"Bad Gateway", crc=False),
    "a failure": failure("InternalServerError", 500),
    "an overload": failure("ThrottlingException", 503),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_no_success(client_of: ClientOf, name: str) -> None:
    """An increment may have counted and is sent once; what can be repeated is, and succeeds."""
    with serving(says(GARBAGE[name], stays=False), OK) as server:
        with pytest.raises(ApiError) as caught:
            _increment(client_of(server), idempotent=False)
        assert caught.value.may_have_happened
        assert not caught.value.unusable
        assert len(server.requests) == 1
    with serving(says(GARBAGE[name], stays=False), OK) as server:
        assert _increment(client_of(server), idempotent=True) == {"Attributes": ITEM}
        assert len(server.requests) == 2


def test_a_slow_answer_ends_with_the_callers_time(client_of: ClientOf) -> None:
    """Each byte comes soon after the one before, and still the caller's limit ends it."""
    with serving(dribbles(_WHOLE)) as server:
        with time_limit(0.4), pytest.raises(ApiError) as caught:
            _increment(client_of(server), idempotent=True)
        assert caught.value.may_have_happened
        assert "in time" in str(caught.value)
        assert len(server.requests) == 1


def test_a_slow_answer_ends_without_a_limit_of_the_callers(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt has a limit of its own."""
    monkeypatch.setattr("runstore.aws_api.client._ATTEMPT_SECONDS", 0.3)
    with serving(dribbles(_WHOLE), OK) as server:
        assert _increment(client_of(server), idempotent=True) == {"Attributes": ITEM}
        assert len(server.requests) == 2


def test_a_server_that_only_begins_is_left_alone(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interim answers without end are no answer."""

    def begins(connection: socket.socket, _: bytes) -> bool:
        with suppress(OSError):
            while True:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000)
        return False

    monkeypatch.setattr("runstore.aws_api.client._ATTEMPT_SECONDS", 0.3)
    with serving(begins, OK) as server:
        assert _increment(client_of(server), idempotent=True) == {"Attributes": ITEM}
        assert len(server.requests) == 2


def test_a_slow_answer_in_time_is_an_answer(client_of: ClientOf) -> None:
    """One byte after another makes the same answer."""
    with serving(dribbles(_WHOLE, 0)) as server:
        assert _increment(client_of(server), idempotent=False) == {"Attributes": ITEM}


def test_an_interim_answer_is_not_the_answer(client_of: ClientOf) -> None:
    """100 Continue and the like come before it."""
    with serving(says(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + _WHOLE)) as server:
        assert _increment(client_of(server), idempotent=False) == {"Attributes": ITEM}


def test_bytes_after_an_answer_are_nobodys_answer(client_of: ClientOf) -> None:
    """A second answer that nobody asked for does not answer the next request."""
    stray = success({"Attributes": {"stray": {"S": "x"}}})
    with serving(says(_WHOLE + stray), OK) as server:
        client = client_of(server)
        assert _increment(client, idempotent=False) == {"Attributes": ITEM}
        assert _increment(client, idempotent=False) == {"Attributes": ITEM}
        assert server.connections == 2


@pytest.mark.parametrize("crc", [True, False], ids=["with a checksum", "without"])
def test_a_large_answer_is_read_whole(*, client_of: ClientOf, crc: bool) -> None:
    """A page of a Query of 1 MB and more, which arrives in many parts."""
    page = {"Items": [{**ITEM, "value": {"S": f"é{'x' * 4_000}"}} for _ in range(300)]}
    with serving(says(success(page, crc=crc))) as server:
        assert client_of(server).call("Query", {}, idempotent=True) == page
