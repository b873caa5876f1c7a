"""`python -m tests.bench.replay PORT UPSTREAM [CERTIFICATE]`: a server that answers at once what DynamoDB has answered.

A request that it has not seen goes to UPSTREAM, and its answer is kept; seen again after a rewind, it is answered at
once. So the time and the processor of the client show, and not those of a database on the same machine. Requests that
are repeated get the recorded answers in their order.
"""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections import defaultdict
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.backends.server import HOST
from tests.transport.certificates import server_context

if TYPE_CHECKING:
    import ssl

REWIND = b"Rewind"  # the operation after which all recorded answers may be had again
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_TARGET = re.compile(rb"(?i)\r\nx-amz-target: *[\w.]*\.(\w+)")
_KEPT = ("content-type", "x-amz-crc32", "x-amzn-requestid")
Key = tuple[bytes, bytes]


def rewind(url: str) -> None:
    """Let a server give all its recorded answers once more."""
    parts = urlsplit(url)
    connection = HTTPConnection(str(parts.hostname), parts.port)
    connection.request("POST", "/", b"", {"X-Amz-Target": f"Bench.{REWIND.decode()}"})
    connection.getresponse().read()
    connection.close()


class Recording:
    """The answers so far, by operation and body, and how many of each have been given since the last rewind."""

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream)
        self._answers: defaultdict[Key, list[bytes]] = defaultdict(list)
        self._given: defaultdict[Key, int] = defaultdict(int)
        self._lock = threading.Lock()

    def answer(self, operation: bytes, head: bytes, body: bytes) -> bytes:
        """Return the next answer to a request."""
        if operation == REWIND:
            with self._lock:
                self._given.clear()
            return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        key = operation, body
        with self._lock:
            number = self._given[key]
            self._given[key] += 1
            if number < len(self._answers[key]):
                return self._answers[key][number]
        answer = self._ask(head, body)
        with self._lock:
            self._answers[key].append(answer)
        return answer

    def _ask(self, head: bytes, body: bytes) -> bytes:
        lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:] if line]
        headers = {name.decode(): value.decode() for name, _, value in lines}
        connection = HTTPConnection(str(self._upstream.hostname), self._upstream.port)
        try:
            connection.request("POST", "/", body, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        kept = [f"{name}: {response.headers[name]}\r\n" for name in _KEPT if name in response.headers]
        line = f"HTTP/1.1 {response.status} x\r\n{''.join(kept)}Content-Length: {len(content)}\r\n\r\n"
        return line.encode() + content


def _serve(connection: socket.socket, recording: Recording, tls: ssl.SSLContext | None) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection if tls is None else tls.wrap_socket(connection, server_side=True) as stream:
            data = b""
            while True:
                while (end := data.find(b"\r\n\r\n")) < 0:
                    received = stream.recv(65_536)
                    if not received:
                        return
                    data += received
                head, data = data[: end + 2], data[end + 4 :]
                found, target = _LENGTH.search(head), _TARGET.search(head)
                size = int(found[1]) if found else 0
                if b"100-continue" in head:
                    stream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                while len(data) < size:
                    data += stream.recv(65_536)
                body, data = data[:size], data[size:]
                stream.sendall(recording.answer(target[1] if target else b"", head, body))


def main(port: int, upstream: str, certificate: str = "") -> None:
    """Serve until killed."""
    sys.setswitchinterval(0.0005)  # many connections, little work for each
    tls = server_context(Path(certificate)) if certificate else None
    recording = Recording(upstream)
    with socket.create_server((HOST, port), backlog=128) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection, recording, tls), daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
