"""What a server may reply: whole answers, and every way to fail."""

from __future__ import annotations

import json
import socket
import threading
from binascii import crc32
from collections.abc import Callable
from typing import Any

# Replies to a request on its connection; returns whether the connection stays open.
Reply = Callable[[socket.socket, bytes], bool]

ITEM = {"run_id": {"S": "r"}, "key": {"S": "k"}, "kind": {"S": "number"}, "number": {"N": "1"}}


def http(status: int, body: bytes, *extra: str, crc: bool = True) -> bytes:
    """Return an answer as DynamoDB sends it."""
    lines = [f"HTTP/1.1 {status} x", "Content-Type: application/x-amz-json-1.0", f"Content-Length: {len(body)}", *extra]
    if crc:
        lines.append(f"x-amz-crc32: {crc32(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def success(body: Any = None, *extra: str, crc: bool = True) -> bytes:
    """Return the bytes of a success."""
    return http(200, json.dumps({"Attributes": ITEM} if body is None else body).encode(), *extra, crc=crc)


def failure(code: str, status: int = 400, **more: Any) -> bytes:
    """Return the bytes of an error."""
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected", **more}
    return http(status, json.dumps(body).encode())


def says(answer: bytes, *, stays: bool = True) -> Reply:
    """Send these bytes; then close the connection unless it `stays`."""

    def reply(connection: socket.socket, _: bytes) -> bool:
        connection.sendall(answer)
        return stays

    return reply


def resets(answer: bytes = b"") -> Reply:
    """Send these bytes, then reset the connection."""

    def reply(connection: socket.socket, _: bytes) -> bool:
        connection.sendall(answer)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return False

    return reply


def hangs(answer: bytes = b"") -> Reply:
    """Send these bytes, and nothing more until the client gives up."""

    def reply(connection: socket.socket, _: bytes) -> bool:
        connection.sendall(answer)
        connection.recv(1)
        return False

    return reply


def dribbles(answer: bytes, pause: float = 0.02) -> Reply:
    """Send one byte after another, with a pause after each."""

    def reply(connection: socket.socket, _: bytes) -> bool:
        for number in range(len(answer)):
            connection.sendall(answer[number : number + 1])
            threading.Event().wait(pause)
        return True

    return reply


OK = says(success())
