"""One HTTP/1.1 answer, read from a socket and accepted only if it is complete.

`http.client` takes headers that end in the middle for complete and restarts its time limit with each byte. It parses
headers with `email`, which takes long to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runstore import clock
from runstore.aws_api.errors import BrokenAnswerError, NotSentError

if TYPE_CHECKING:
    import socket

_READ_BYTES = 65_536
_MAX_HEAD_BYTES = 65_536
_MAX_BODY_BYTES = 64 * 1_024 * 1_024  # DynamoDB's largest answer has 16 MB
_READ_SECONDS = 3.0  # without a byte; DynamoDB answers in milliseconds or not at all
_FIRST_FINAL_STATUS = 200
_FRAMING = {"content-length", "transfer-encoding"}  # what decides where an answer ends


class _Head(NamedTuple):
    version: str
    status: int
    headers: dict[str, str]


class Answer(NamedTuple):
    """A whole answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes | bytearray
    keeps_alive: bool


def exchange(sock: socket.socket, request: bytes, deadline: float) -> Answer:
    """Send a request and return the whole answer.

    Raises:
        NotSentError: The deadline has passed.
        BrokenAnswerError: The answer did not arrive in time, broke off anywhere or makes no sense as HTTP. The request
            may have taken effect.
    """
    reader = _Reader(sock, deadline)
    try:
        reader.limit()
    except TimeoutError as failure:
        raise NotSentError("there was no time left to send the request") from failure
    try:
        _send(sock, request, reader)
        head = _parse_head(reader.until(b"\r\n\r\n"))
        while head.status < _FIRST_FINAL_STATUS:  # a server may send interim answers
            head = _parse_head(reader.until(b"\r\n\r\n"))
        body = _read_body(reader, head.headers)
    except TimeoutError as failure:
        raise BrokenAnswerError("the answer did not arrive in time") from failure
    except OSError as failure:
        raise BrokenAnswerError(f"the connection failed: {failure}") from failure
    closes = "close" in head.headers.get("connection", "").lower() or head.version == "HTTP/1.0" or reader.has_more()
    return Answer(head.status, head.headers, body, keeps_alive=not closes)


def _send(sock: socket.socket, request: bytes, reader: _Reader) -> None:
    rest = memoryview(request)
    while rest:  # sendall of a TLS socket begins its time limit anew with each record
        reader.limit()
        rest = rest[sock.send(rest) :]


def _parse_head(head: bytes) -> _Head:
    status_line, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = status_line.partition(" ")
    code = rest[:3]
    if version not in {"HTTP/1.1", "HTTP/1.0"} or not (code.isascii() and code.isdigit() and rest[3:4] in {"", " "}):
        raise BrokenAnswerError(f"the answer begins with {status_line[:80]!r}, which is not an HTTP status")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name, value = name.lower(), value.strip()
        differs = headers.setdefault(name, value) != value
        # A space before the colon would hide the length from one reader and not from another.
        if not colon or name != name.strip() or not name or (differs and name in _FRAMING):
            raise BrokenAnswerError(f"the answer has the header line {line[:80]!r}, which is malformed")
    return _Head(version, int(code), headers)


def _read_body(reader: _Reader, headers: dict[str, str]) -> bytes | bytearray:
    encoding = headers.get("transfer-encoding")
    if encoding is not None:
        if encoding.lower() != "chunked" or "content-length" in headers:
            raise BrokenAnswerError(f"the answer has the transfer encoding {encoding[:80]!r}")
        return _read_chunks(reader)
    # Without a length the body would end with the connection, however that ends.
    return reader.exactly(_size(headers.get("content-length", ""), 10))


def _read_chunks(reader: _Reader) -> bytearray:
    body = bytearray()
    while size := _size(reader.until(b"\r\n").decode("latin-1").partition(";")[0].strip(), 16):
        body += reader.exactly(size)
        if reader.exactly(2) != b"\r\n" or len(body) > _MAX_BODY_BYTES:
            raise BrokenAnswerError("the answer has a chunk that is too large, or not as long as it declares")
    while reader.until(b"\r\n"):  # trailing headers
        pass
    return body


def _size(text: str, base: int) -> int:
    try:
        size = int(text, base) if text.isalnum() and text.isascii() else -1
    except ValueError:
        size = -1
    if not 0 <= size <= _MAX_BODY_BYTES:
        raise BrokenAnswerError(f"the answer declares the invalid length {text[:80]!r}")
    return size


class _Reader:
    """What arrives on a socket, with an end to waiting for it."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline, self._data = sock, deadline, b""

    def until(self, mark: bytes) -> bytes:
        """Return what comes before `mark`, and skip the mark."""
        while (end := self._data.find(mark)) < 0:
            if len(self._data) > _MAX_HEAD_BYTES:
                raise BrokenAnswerError("the headers of the answer do not end")
            self.limit()
            received = self._sock.recv(_READ_BYTES)
            if not received:
                raise _cut()
            self._data += received
        found, self._data = self._data[:end], self._data[end + len(mark) :]
        return found

    def exactly(self, size: int) -> bytes | bytearray:
        """Return the next `size` bytes."""
        if size <= len(self._data):
            found, self._data = self._data[:size], self._data[size:]
            return found
        body, filled = bytearray(size), len(self._data)
        body[:filled] = self._data
        self._data = b""
        with memoryview(body) as view:
            while filled < size:
                self.limit()
                received = self._sock.recv_into(view[filled:])
                if not received:
                    raise _cut()
                filled += received
        return body

    def has_more(self) -> bool:
        """Return whether more arrived than was read."""
        return bool(self._data)

    def limit(self) -> None:
        """Let the next call of the socket end in time."""
        seconds = min(_READ_SECONDS, self._deadline - clock.elapsed())
        if seconds <= 0:
            raise TimeoutError
        self._sock.settimeout(seconds)


def _cut() -> BrokenAnswerError:
    return BrokenAnswerError("the connection ended before the answer did")
