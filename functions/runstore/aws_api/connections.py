"""Connections to one server: opened, kept alive, and discarded when they may be dead."""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakSet

from runstore import clock
from runstore.aws_api.errors import BrokenAnswerError, NotSentError, UntrustedServerError
from runstore.aws_api.exchange import exchange
from runstore.aws_api.tls import shared_context

if TYPE_CHECKING:
    from runstore.aws_api.endpoint import Endpoint
    from runstore.aws_api.exchange import Answer

_CONNECT_SECONDS = 1.0
_HANDSHAKE_SECONDS = 3.0  # costs the client's processor, of which a small function has little
_MAX_IDLE_CONNECTIONS = 16
_MAX_IDLE_SECONDS = 60.0
# A request that must not be sent twice never goes over a connection that the server may have closed unnoticed.
_MAX_IDLE_SECONDS_UNREPEATABLE = 1.0


class Pool:
    """Idle connections to one server; safe between threads, in signal handlers and in a child of fork.

    Creates the TLS context at once, which takes longest: create a pool while Lambda initialises.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        bundle = os.environ.get("AWS_CA_BUNDLE", "")
        self._context = shared_context(bundle) if endpoint.scheme == "https" else None
        # The one that was used last is at the end. Only `append` and `pop`, which are atomic: a lock that is held when
        # a signal arrives or a process forks would never be released.
        self._idle: list[_Connection] = []
        _pools.add(self)

    def send(self, request: bytes, *, deadline: float, repeatable: bool) -> Answer:
        """Send a request over an idle connection, or a new one, and return the whole answer.

        Args:
            request: The head and the body.
            deadline: When to give up, as `clock.elapsed` counts.
            repeatable: Whether the caller can send the request again if an idle connection turns out to be dead.

        Raises:
            NotSentError: The server could not be reached.
            BrokenAnswerError: The request may have taken effect, but no complete answer came.
        """
        connection = self._take(_MAX_IDLE_SECONDS if repeatable else _MAX_IDLE_SECONDS_UNREPEATABLE)
        reused = connection is not None
        if connection is None:
            connection = _Connection(_connect(self._endpoint, self._context, deadline))
        keep = False
        try:
            answer = exchange(connection.sock, request, deadline)
            keep = answer.keeps_alive
        except BrokenAnswerError:
            if reused:  # the others have been idle for longer
                self.close()
            raise
        finally:
            if keep:
                self._keep(connection)
            else:
                connection.close()
        return answer

    def close(self) -> None:
        """Close the idle connections; the next request opens another."""
        while connection := self._pop():
            connection.close()

    def _take(self, max_idle: float) -> _Connection | None:
        """Return an idle connection that should be alive, if there is one."""
        while connection := self._pop():
            age = connection.idle_seconds()
            if max_idle <= age < _MAX_IDLE_SECONDS:  # the others are older still; they may do for another request
                self._idle.append(connection)
                return None
            if age < max_idle and not connection.is_readable():
                return connection
            connection.close()
        return None

    def _keep(self, connection: _Connection) -> None:
        connection.released()
        self._idle.append(connection)
        while len(self._idle) > _MAX_IDLE_CONNECTIONS and (oldest := self._pop(0)):
            oldest.close()

    def _pop(self, index: int = -1) -> _Connection | None:
        try:
            return self._idle.pop(index)
        except IndexError:
            return None


_pools: WeakSet[Pool] = WeakSet()


def _after_fork() -> None:
    """Forget the parent's connections: two processes on one would get each other's answers."""
    for pool in tuple(_pools):
        pool.close()  # closes the child's copies alone: nothing is sent


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_after_fork)


class _Connection:
    """An open socket, and the time since its last use by each of two clocks.

    While Lambda freezes a process, either clock may stand still.
    """

    __slots__ = ("_monotonic", "_wall", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.released()

    def released(self) -> None:
        """Begin to count how long it is idle."""
        self._monotonic, self._wall = clock.elapsed(), time.time()

    def idle_seconds(self) -> float:
        """Return how long it has been idle by the clock that counted more; infinity if the time was set back."""
        wall = time.time() - self._wall
        return max(clock.elapsed() - self._monotonic, wall if wall >= 0 else float("inf"))

    def is_readable(self) -> bool:
        """Return whether unrequested bytes have arrived: usually the server has closed the connection."""
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True
        try:
            if hasattr(select, "poll"):  # select() takes no file descriptor above 1,023
                poll = select.poll()
                poll.register(self.sock, select.POLLIN)
                return bool(poll.poll(0))
            return bool(select.select([self.sock], [], [], 0)[0])
        except (OSError, ValueError):
            return True

    def close(self) -> None:
        """Close the socket."""
        with suppress(OSError):  # it is discarded in any case
            self.sock.close()


def _connect(endpoint: Endpoint, context: ssl.SSLContext | None, deadline: float) -> socket.socket:
    host = endpoint.host.encode("ascii")  # for text, Python would import its IDNA codec
    sock = _open(host, endpoint, deadline)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is None:
            return sock
        sock.settimeout(_until(deadline, _HANDSHAKE_SECONDS))
        return context.wrap_socket(sock, server_hostname=host)
    except BaseException as failure:
        sock.close()
        if isinstance(failure, ssl.SSLCertVerificationError):
            raise UntrustedServerError(
                f"the certificate of {endpoint.authority} must be valid; {failure.verify_message or failure}"
            ) from failure
        if isinstance(failure, OSError):
            raise NotSentError(f"no TLS connection to {endpoint.authority}: {failure}") from failure
        raise


def _open(host: bytes, endpoint: Endpoint, deadline: float) -> socket.socket:
    """Try the host's addresses in turn: `socket.create_connection` would give each of them the whole time."""
    last: object = "the name has no address"
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, endpoint.port, type=socket.SOCK_STREAM):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(_until(deadline, _CONNECT_SECONDS))
                sock.connect(address)
            except BaseException as failure:
                sock.close()
                if not isinstance(failure, OSError):
                    raise
                last = failure
            else:
                return sock
    except OSError as failure:
        last = failure
    raise NotSentError(f"cannot connect to {endpoint.authority}: {last}")


def _until(deadline: float, longest: float) -> float:
    seconds = min(longest, deadline - clock.elapsed())
    if seconds <= 0:
        raise NotSentError("there was no time left to connect")
    return seconds
