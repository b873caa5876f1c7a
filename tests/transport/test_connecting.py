"""Connecting and sending: names with many addresses or none, IPv6, servers that do not read."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from runstore import clock
from runstore.aws_api.client import JsonClient
from runstore.aws_api.endpoint import DYNAMODB, Endpoint
from runstore.aws_api.errors import ApiError, BrokenAnswerError
from runstore.aws_api.exchange import exchange
from runstore.aws_api.time_limit import time_limit
from tests.transport.answers import OK
from tests.transport.servers import HOST, Server, ipv6, serving, unused_port

ClientOf = Callable[[Server], JsonClient]


def _resolve(monkeypatch: pytest.MonkeyPatch, *answers: list[tuple[str, int]] | OSError) -> None:
    """Let the resolver answer so, in turn."""
    left = iter(answers)

    def getaddrinfo(*_: object, **__: object) -> list[tuple[object, ...]]:
        answer = next(left)
        if isinstance(answer, OSError):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in answer]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def _named() -> JsonClient:
    return JsonClient(DYNAMODB, Endpoint("http", "dynamodb.example", 80, "eu-central-1"))


def test_each_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    """One of several machines behind a name may be out of order."""
    with serving(OK) as server, closing(_named()) as client:
        _resolve(monkeypatch, [(HOST, unused_port()), (HOST, server.port)])
        client.call("UpdateItem", {}, idempotent=False)
        assert len(server.requests) == 1
    assert not pauses


def test_a_name_without_an_address_is_looked_up_again(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    """Nothing was sent, so an increment too is tried again."""
    fails = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    with serving(OK) as server, closing(_named()) as client:
        _resolve(monkeypatch, fails, [], [(HOST, server.port)], *[fails] * 4)
        client.call("UpdateItem", {}, idempotent=False)
        assert len(pauses) == 2
        client.close()
        with pytest.raises(ApiError, match="Temporary failure") as caught:
            client.call("UpdateItem", {}, idempotent=False)
    assert not caught.value.may_have_happened
    assert not caught.value.unusable


def test_addresses_share_the_callers_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many a name has: a second for each, and no longer than the caller has."""
    now, limits = [0.0], []

    class Unreachable(socket.socket):
        def connect(self, _: object) -> None:
            limits.append(self.gettimeout())
            now[0] += self.gettimeout() or 0
            raise TimeoutError("timed out")

    monkeypatch.setattr(clock, "elapsed", lambda: now[0])
    monkeypatch.setattr(socket, "socket", Unreachable)
    _resolve(monkeypatch, [(HOST, 1)] * 3)
    with time_limit(1.5), pytest.raises(ApiError, match="no time left") as caught:
        _named().call("GetItem", {}, idempotent=True)
    assert limits == [1.0, 0.5]
    assert not caught.value.may_have_happened


def test_a_server_that_reads_slowly_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts of a request share its time, too: over TLS each of them could begin it anew."""
    now, sent = [0.0], []

    class Slow:
        def settimeout(self, seconds: float) -> None:
            assert seconds <= 1.0 - now[0]

        def send(self, rest: memoryview) -> int:
            now[0] += 0.4
            sent.append(len(rest))
            return 1_000

    monkeypatch.setattr(clock, "elapsed", lambda: now[0])
    slow: Any = Slow()
    with pytest.raises(BrokenAnswerError, match="in time"):
        exchange(slow, b"x" * 10_000, 1.0)
    assert sent == [10_000, 9_000, 8_000]


def test_a_silent_server_gets_three_seconds() -> None:
    """Each time that it is waited for, however much time the caller has."""
    limits = []

    class Silent:
        def settimeout(self, seconds: float) -> None:
            limits.append(seconds)

        def send(self, rest: memoryview) -> int:
            return len(rest)

        def recv(self, _: int) -> bytes:
            raise TimeoutError

    silent: Any = Silent()
    with pytest.raises(BrokenAnswerError, match="in time"):
        exchange(silent, b"x", clock.elapsed() + 100)
    assert set(limits) == {3.0}


def test_an_address_of_ipv6(client_of: ClientOf) -> None:
    """In brackets, as URLs and the Host header have it."""
    with serving(OK, host=ipv6()) as server:
        client = client_of(server)
        client.call("UpdateItem", {}, idempotent=False)
        assert server.requests[0].headers["host"] == f"[::1]:{server.port}"
