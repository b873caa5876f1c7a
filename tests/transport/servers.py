"""Servers of the tests' own: raw sockets that answer, or fail to, exactly as a test says."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from tests.transport.answers import Reply

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Request:
    """A request that arrived whole: which connection brought it, its headers (lower case) and its body."""

    connection: int
    headers: dict[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """Return the API's name of the operation."""
        return self.headers["x-amz-target"].partition(".")[2]


@dataclass
class Server:
    """A server of one test. The n-th request gets the n-th reply; the last one repeats.

    `requests` are those that arrived whole; `connections` counts the accepted ones.
    """

    port: int
    scheme: str
    host: str
    replies: list[Reply]
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    _lock: Any = field(default_factory=threading.Lock)
    _open: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Return the endpoint's URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def close_idle(self, *, reset: bool = False) -> None:
        """Close every open connection, as a server does with idle ones; with `reset` in the rude way."""
        with self._lock:
            connections, self._open = self._open, []
        for connection in connections:
            with suppress(OSError):
                if reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                # Its thread, which waits for a request, wakes up and closes it.
                connection.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)

    def serve(self, connection: socket.socket, number: int) -> None:
        """Answer the requests of one connection until a reply ends it."""
        with suppress(OSError), connection:
            while request := _read(connection, number):
                with self._lock:
                    reply = self.replies[min(len(self.requests), len(self.replies) - 1)]
                    self.requests.append(request)
                if not reply(connection, request.body):
                    return

    def accept(self, listener: socket.socket, wrap: Callable[[socket.socket], socket.socket]) -> None:
        """Accept connections until the listener is closed."""
        with suppress(OSError):
            while True:
                accepted, _ = listener.accept()
                threading.Thread(target=self._begin, args=(accepted, wrap), daemon=True).start()

    def _begin(self, accepted: socket.socket, wrap: Callable[[socket.socket], socket.socket]) -> None:
        with self._lock:
            self.connections += 1
            number = self.connections
        try:
            connection = wrap(accepted)
        except OSError:  # a client that refuses the certificate
            accepted.close()
            return
        with self._lock:
            self._open.append(connection)
        self.serve(connection, number)


@contextmanager
def serving(*replies: Reply, tls: ssl.SSLContext | None = None, host: str = HOST) -> Iterator[Server]:
    """Serve `replies`, over TLS with a context."""

    def wrap(accepted: socket.socket) -> socket.socket:
        return accepted if tls is None else tls.wrap_socket(accepted, server_side=True)

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, backlog=128) as listener:
        server = Server(listener.getsockname()[1], "http" if tls is None else "https", host, list(replies))
        thread = threading.Thread(target=server.accept, args=(listener, wrap), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes accept
            thread.join()
            server.close_idle()


def ipv6() -> str:
    """Return this machine's own address of IPv6; skip the test where there is none."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as failure:
        pytest.skip(f"this machine has no IPv6: {failure}")
    return "::1"


def unused_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _read(connection: socket.socket, number: int) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65_536)
        if not received:
            return None
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    _, *lines = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers["content-length"]):
        received = connection.recv(65_536)
        if not received:
            return None
        body += received
    return Request(number, headers, body)
