"""Connections are kept, shared between threads, and left alone when they may be dead."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from runstore import clock
from runstore.aws_api import connections
from runstore.aws_api.client import JsonClient
from runstore.aws_api.errors import ApiError
from tests.transport.answers import OK, failure, hangs, http, resets, says, success
from tests.transport.servers import Server, serving

if TYPE_CHECKING:
    import socket

ClientOf = Callable[[Server], JsonClient]


def _send(client: JsonClient, *, idempotent: bool, **request: object) -> object:
    return client.call("UpdateItem", request, idempotent=idempotent)


@pytest.mark.parametrize("answer", [success(), failure("ValidationException")], ids=["success", "refusal"])
def test_a_connection_is_used_again(client_of: ClientOf, answer: bytes) -> None:
    """By reads, by writes, after errors: the handshake is paid once."""
    with serving(says(answer)) as server:
        client = client_of(server)
        for idempotent in (True, False, True, False):
            with suppress(ApiError):
                _send(client, idempotent=idempotent)
        assert len(server.requests) == 4
        assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        http(200, b"{}", "Connection: close"),
        http(200, b"{}", "Connection: Keep-Alive, Close"),
        http(200, b"{}").replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
    ids=["close", "one of several", "HTTP/1.0"],
)
def test_a_connection_that_ends_is_not_used_again(client_of: ClientOf, answer: bytes) -> None:
    """The server said that it closes, or may do so."""
    with serving(says(answer)) as server:
        client = client_of(server)
        for _ in range(3):
            _send(client, idempotent=False)
        assert server.connections == 3


def _pool(client: JsonClient) -> connections.Pool:
    pool = client._pool  # noqa: SLF001 what it holds cannot be seen from outside
    assert isinstance(pool, connections.Pool)
    return pool


def _wait_until_readable(client: JsonClient) -> None:
    """Wait until the server's good-bye has arrived, as it has when Lambda thaws a function."""
    (idle,) = _pool(client)._idle  # noqa: SLF001 the test must not race against the kernel
    while not idle.is_readable():
        time.sleep(0.001)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("idempotent", [True, False])
def test_a_closed_connection_is_noticed_before_it_is_used(
    *, client_of: ClientOf, pauses: list[float], reset: bool, idempotent: bool
) -> None:
    """The server closed it while it was idle: even an increment goes through, over a new one, at the first attempt."""
    with serving(OK) as server:
        client = client_of(server)
        for _ in range(3):
            _send(client, idempotent=idempotent)
            server.close_idle(reset=reset)
            _wait_until_readable(client)
        _send(client, idempotent=idempotent)
        assert server.connections == 4
        assert len(server.requests) == 4
    assert not pauses


CLOCKS: dict[str, tuple[float, float]] = {  # how far the monotonic clock and the wall clock advance
    "both": (1.5, 1.5),
    "the monotonic clock alone": (1.5, 0),
    "the wall clock alone": (0, 1.5),
    "the wall clock backwards": (0, -100),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_an_increment_never_uses_a_connection_that_was_idle_for_seconds(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """By either clock: one of them may have stood still while the function was frozen, and the FIN may be missing."""
    monotonic, wall = CLOCKS[name]
    with serving(OK) as server:
        client = client_of(server)
        _send(client, idempotent=False)
        _pass_time(monkeypatch, monotonic, wall)
        _send(client, idempotent=False)
        assert [request.connection for request in server.requests] == [1, 2]


def test_an_answer_that_comes_late_answers_no_other_request(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one whose request was given up, nor one that nobody asked for: each request gets its own answer."""
    given_up = threading.Event()

    def late(connection: socket.socket, request: bytes) -> bool:
        given_up.wait()
        return echo(connection, request)

    def echo(connection: socket.socket, request: bytes) -> bool:
        connection.sendall(http(200, request))
        return True

    def answers_twice(connection: socket.socket, request: bytes) -> bool:
        echo(connection, request)
        threading.Timer(0.05, connection.sendall, [http(408, b"")]).start()
        return True

    with serving(late, answers_twice, echo) as server:
        client = client_of(server)
        with monkeypatch.context() as patch:
            patch.setattr("runstore.aws_api.exchange._READ_SECONDS", 0.1)
            with pytest.raises(ApiError, match="in time"):
                _send(client, idempotent=False, n=1)
        given_up.set()
        assert _send(client, idempotent=False, n=2) == {"n": 2}
        _wait_until_readable(client)
        assert _send(client, idempotent=False, n=3) == {"n": 3}
        assert server.connections == 3


def test_what_can_be_repeated_may_use_it(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read after seconds, also when an increment has opened another one meanwhile; after minutes it does not."""
    with serving(OK) as server:
        client = client_of(server)
        _send(client, idempotent=True)
        _pass_time(monkeypatch, 30, 30)
        _send(client, idempotent=True)
        assert [request.connection for request in server.requests] == [1, 1]
        _pass_time(monkeypatch, 2, 2)
        _send(client, idempotent=False)
        _open(client, server, 2)
        assert sorted(request.connection for request in server.requests) == [1, 1, 1, 2, 2]
        server.replies = [OK]
        _pass_time(monkeypatch, 61, 0)
        _send(client, idempotent=True)
        assert server.requests[-1].connection == 3


def _pass_time(monkeypatch: pytest.MonkeyPatch, monotonic: float, wall: float) -> None:
    elapsed, now = clock.elapsed, time.time
    monkeypatch.setattr(clock, "elapsed", lambda: elapsed() + monotonic)
    monkeypatch.setattr(time, "time", lambda: now() + wall)


def test_a_connection_that_died_unnoticed(client_of: ClientOf) -> None:
    """The request is lost with it: what can be repeated is, over a new connection; an increment is not."""
    with serving(OK, resets(), OK) as server:
        client = client_of(server)
        _send(client, idempotent=True)
        _send(client, idempotent=True)
        assert [request.connection for request in server.requests] == [1, 1, 2]
    with serving(OK, resets(), OK) as server:
        client = client_of(server)
        _send(client, idempotent=False)
        with pytest.raises(ApiError) as caught:
            _send(client, idempotent=False)
        assert caught.value.may_have_happened
        assert len(server.requests) == 2


def test_one_dead_connection_condemns_the_others(client_of: ClientOf, pauses: list[float]) -> None:
    """After a freeze all of them may be dead: the second attempt opens a new one instead of trying them in turn."""
    with serving(OK) as server:
        client = client_of(server)
        _open(client, server, 4)
        server.replies = [resets()] * (len(server.requests) + 1) + [OK]
        before = server.connections
        _send(client, idempotent=True)
        assert server.connections == before + 1
    assert len(pauses) == 1


def _open(client: JsonClient, server: Server, count: int) -> None:
    """Open so many connections at once."""
    together = threading.Barrier(count)

    def reply(connection: socket.socket, request: bytes) -> bool:
        together.wait()
        return OK(connection, request)

    server.replies = [reply]
    with ThreadPoolExecutor(count) as threads:
        list(threads.map(lambda _: _send(client, idempotent=True), range(count)))
    assert server.connections == count


def test_idle_connections_have_a_limit(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20 that were open at once, 16 stay open; a later one takes the place of the oldest."""
    with serving(OK) as server:
        client = client_of(server)
        _open(client, server, 20)
        assert len(_pool(client)._idle) == 16  # noqa: SLF001 nothing else shows it
        server.replies = [OK]
        _pass_time(monkeypatch, 2, 2)
        for _ in range(2):
            _send(client, idempotent=False)
        assert server.connections == 21
        assert len(_pool(client)._idle) == 16  # noqa: SLF001 the same


def test_closing_a_client_closes_its_idle_connections(client_of: ClientOf) -> None:
    """And it can be used again."""
    ended = threading.Event()

    def then_waits_for_the_end(connection: socket.socket, request: bytes) -> bool:
        OK(connection, request)
        if connection.recv(1) == b"":
            ended.set()
        return False

    with serving(then_waits_for_the_end) as server:
        client = client_of(server)
        _send(client, idempotent=True)
        client.close()
        assert ended.wait(30)
        _send(client, idempotent=True)


def test_a_silent_server_is_left_alone(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request without an answer ends by itself, without a limit of the caller's."""
    monkeypatch.setattr("runstore.aws_api.exchange._READ_SECONDS", 0.1)
    with serving(hangs()) as server:
        with pytest.raises(ApiError, match="in time") as caught:
            _send(client_of(server), idempotent=True)
        assert caught.value.may_have_happened
        assert server.connections == 4
