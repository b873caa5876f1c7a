"""Threads, forks and signal handlers share a client, and each request gets its own answer."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from runstore.aws_api.client import JsonClient
from tests.transport.answers import OK, http, success
from tests.transport.servers import Server, serving

if TYPE_CHECKING:
    import socket

ClientOf = Callable[[Server], JsonClient]


def _send(client: JsonClient, *, idempotent: bool, **request: object) -> object:
    return client.call("UpdateItem", request, idempotent=idempotent)


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
