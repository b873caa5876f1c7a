"""Annotations on the trace of an invocation, so that X-Ray finds the traces of a run.

Lambda's own segment takes no annotations from a function, so this sends a subsegment to the X-Ray daemon, one UDP
datagram, as the X-Ray SDK does; the SDK would bring botocore into the bundle. Nothing is sent unless Lambda samples the
invocation.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HEADER = b'{"format": "json", "version": 1}\n'
_MAX_TEXT = 1_000  # characters of an annotation's value that X-Ray indexes


@contextmanager
def annotated(name: str, annotations: Mapping[str, str | int | None]) -> Iterator[None]:
    """Record what runs inside as a subsegment with these annotations; those that are None are left out."""
    trace = dict(part.split("=", 1) for part in os.environ.get("_X_AMZN_TRACE_ID", "").split(";") if "=" in part)
    daemon = os.environ.get("AWS_XRAY_DAEMON_ADDRESS")
    if daemon is None or trace.get("Sampled") != "1" or not {"Root", "Parent"} <= trace.keys():
        yield
        return
    started, fault = time.time(), True
    try:
        yield
        fault = False
    finally:
        document = {
            "type": "subsegment",
            "name": name,
            "id": secrets.token_hex(8),
            "trace_id": trace["Root"],
            "parent_id": trace["Parent"],
            "start_time": started,
            "end_time": time.time(),
            "fault": fault,
            "annotations": {
                key: value[:_MAX_TEXT] if isinstance(value, str) else value
                for key, value in annotations.items()
                if value is not None
            },
        }
        host, _, port = daemon.rpartition(":")
        with suppress(OSError, ValueError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(_HEADER + json.dumps(document).encode(), (host, int(port)))  # lost, if the daemon is gone
