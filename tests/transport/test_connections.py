"""Connections are kept, shared between threads, and left alone when they may be dead."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any

import pytest

from runstore import clock
from runstore.aws_api import connections
from runstore.aws_api.client import JsonClient
from runstore.aws_api.endpoint import DYNAMODB, Endpoint
from runstore.aws_api.errors import ApiError, BrokenAnswerError
from runstore.aws_api.exchange import exchange
from runstore.aws_api.time_limit import time_limit
from tests.transport.answers import OK, failure, hangs, http, resets, says, success
from tests.transport.servers import HOST, Server, ipv6, serving, unused_port

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


def test_threads_share_a_client(client_of: ClientOf) -> None:
    """Each of 16 threads gets the answers to its own requests."""

    def echo(connection: socket.socket, request: bytes) -> bool:
        connection.sendall(http(200, request))
        return True

    with serving(echo) as server:
        client = client_of(server)

        def work(thread: int) -> None:
            for number in range(100):
                assert _send(client, idempotent=False, thread=thread, n=number) == {"thread": thread, "n": number}

        with ThreadPoolExecutor(16) as threads:
            list(threads.map(work, range(16)))
        assert len(server.requests) == 1_600
        assert server.connections <= 16


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_of_fork_opens_its_own_connections(client_of: ClientOf) -> None:
    """Parent and child never get each other's answers, and the child's end leaves the parent's connection open."""
    with serving(OK) as server:
        client = client_of(server)
        _send(client, idempotent=False)
        child = os.fork()
        if child == 0:
            try:
                _send(client, idempotent=False)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        _send(client, idempotent=True)
        assert [request.connection for request in server.requests] == [1, 2, 1]


@pytest.fixture
def on_signal() -> Iterator[Callable[[Callable[[], object]], Callable[[], None]]]:
    """Call something in the main thread, in the middle of what it does, whenever what is returned is called."""
    before, main = signal.getsignal(signal.SIGTERM), threading.main_thread().ident

    def arrange(work: Callable[[], object]) -> Callable[[], None]:
        signal.signal(signal.SIGTERM, lambda *_: work())
        return lambda: signal.pthread_kill(main or 0, signal.SIGTERM)

    yield arrange
    signal.signal(signal.SIGTERM, before)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system sends no signals to threads")
def test_an_interrupted_request_leaves_no_half_read_connection(client_of: ClientOf, on_signal: Any) -> None:
    """Whatever ends a request in the middle, such as Lambda's SIGTERM, its connection is closed."""
    interrupt = on_signal(sys.exit)

    def interrupted(connection: socket.socket, _: bytes) -> bool:
        connection.sendall(success()[:-5])
        interrupt()
        return True

    with serving(interrupted, OK) as server:
        client = client_of(server)
        with pytest.raises(SystemExit):
            _send(client, idempotent=True)
        _send(client, idempotent=True)
        assert server.connections == 2


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system sends no signals to threads")
def test_a_signal_handler_may_send(client_of: ClientOf, on_signal: Any) -> None:
    """In the middle of another request of the same thread, and each gets its own answer."""
    inside: list[object] = []
    done = threading.Event()

    def handle() -> None:
        inside.append(_send(client, idempotent=False, n=2))
        done.set()

    interrupt = on_signal(handle)

    def echo(connection: socket.socket, request: bytes) -> bool:
        connection.sendall(http(200, request))
        return True

    def interrupted(connection: socket.socket, request: bytes) -> bool:
        interrupt()
        done.wait()
        return echo(connection, request)

    with serving(interrupted, echo) as server:
        client = client_of(server)
        assert _send(client, idempotent=False, n=1) == {"n": 1}
        assert inside == [{"n": 2}]
        assert server.connections == 2


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
        _send(client, idempotent=False)
        assert len(server.requests) == 1
    assert not pauses


def test_a_name_without_an_address_is_looked_up_again(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    """Nothing was sent, so an increment too is tried again."""
    fails = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    with serving(OK) as server, closing(_named()) as client:
        _resolve(monkeypatch, fails, [], [(HOST, server.port)], *[fails] * 4)
        _send(client, idempotent=False)
        assert len(pauses) == 2
        client.close()
        with pytest.raises(ApiError, match="Temporary failure") as caught:
            _send(client, idempotent=False)
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
        _send(_named(), idempotent=True)
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


def test_an_address_of_ipv6(client_of: ClientOf) -> None:
    """In brackets, as URLs and the Host header have it."""
    with serving(OK, host=ipv6()) as server:
        client = client_of(server)
        _send(client, idempotent=False)
        assert server.requests[0].headers["host"] == f"[::1]:{server.port}"


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
