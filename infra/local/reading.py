"""Reading what a function's process sends during one invocation: its answer, and its log."""

from __future__ import annotations

import enum
import json
import os
import select
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.processes import Process

READ_BYTES: Final = 1 << 16
LAST_WORDS_SECONDS: Final = 0.5  # what a child of an ended process still holds open is not waited for


class Silence(enum.Enum):
    """Why a process gave no answer."""

    TIMED_OUT = enum.auto()
    ENDED = enum.auto()


class Reading:
    """The answer of one invocation on the channel, and its log up to the marker line."""

    def __init__(self, process: Process, marker: str, write: Callable[[str], None]) -> None:
        """Prepare to read.

        Args:
            process: Who answers.
            marker: The line that ends the log of an invocation.
            write: Called with each line of the log as soon as it is there.
        """
        self._process = process
        self._marker = marker.encode()
        self._write = write
        self._answer = b""
        self._pending = b""
        self._lines: list[str] = []

    @property
    def log(self) -> str:
        """The lines read so far."""
        return "".join(f"{line}\n" for line in self._lines)

    def read(self, seconds: float) -> dict[str, Any] | Silence:
        """Read until answer and log are complete, the time is over, or the process has ended."""
        channel, log = self._process.channel.fileno(), self._process.log.fileno()
        poll = select.poll()  # unlike select.select, it knows descriptors above 1,023
        poll.register(channel, select.POLLIN)
        poll.register(log, select.POLLIN)
        deadline = time.monotonic() + seconds
        has_ended, waiting = False, {channel, log}
        while waiting:
            left = deadline - time.monotonic()
            events = poll.poll(max(0.0, left) * 1_000)
            if not events and left <= 0:
                return Silence.ENDED if has_ended else Silence.TIMED_OUT
            for descriptor, _ in events:
                data = read_some(descriptor)
                if self._take_answer(data) if descriptor == channel else self._take_log(data):
                    waiting.discard(descriptor)
                    poll.unregister(descriptor)
                if descriptor == channel and not data:
                    has_ended = True
                    deadline = min(deadline, time.monotonic() + LAST_WORDS_SECONDS)
        if has_ended:
            return Silence.ENDED
        answer: dict[str, Any] = json.loads(self._answer)
        return answer

    def _take_answer(self, data: bytes) -> bool:
        """Add to the answer; return whether no more will come."""
        self._answer += data
        return not data or data.endswith(b"\n")

    def _take_log(self, data: bytes) -> bool:
        """Add to the log; return whether no more will come."""
        self._pending += data
        *lines, self._pending = self._pending.split(b"\n")
        if not data and self._pending:
            lines.append(self._pending)
        for line in lines:
            text = line.removesuffix(self._marker)  # a function may leave its last line without an end
            if text or not line:
                self._lines.append(text.decode("utf-8", errors="replace"))
                self._write(self._lines[-1])
            if text != line:
                return True
        return not data


def read_some(descriptor: int) -> bytes:
    """Read what is there; nothing once the other side is closed."""
    try:
        return os.read(descriptor, READ_BYTES)
    except ConnectionError:
        return b""
