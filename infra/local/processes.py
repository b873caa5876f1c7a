"""Starting function processes: forked from a warm process of their interpreter, or started by themselves.

A new interpreter that imports boto3 takes a third of a second of processor time; forty branches that start together
are eighty of them. On Linux one process per interpreter has imported it and forks. Elsewhere forking is not safe.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER: Final = Path(__file__).with_name("lambda_runtime")
CAN_FORK: Final = sys.platform == "linux"
START_SECONDS: Final = 30.0
# Without the environment's site-packages, without PYTHON... variables, in UTF-8 whatever the machine's locale.
ISOLATED: Final = ("-I", "-S", "-X", "utf8")


class Process(Protocol):
    """What the local stack and ministack need of a function's process."""

    channel: socket.socket
    log: BinaryIO

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit status."""

    def kill(self) -> None:
        """End it."""

    def terminate(self) -> None:
        """End it."""


class Interpreter:
    """One interpreter of the machine, with what Lambda's runtime brings."""

    def __init__(self, executable: Path, runtime_packages: Path) -> None:
        """Start its warm process, if it has one. It imports while the caller continues."""
        self._executable = executable
        self._packages = str(runtime_packages)
        self._lock = threading.Lock()
        self._forks = self._start_forking_process() if CAN_FORK else None

    def start(self, environment: Mapping[str, str]) -> Process:
        """Start a function's process."""
        own, theirs = socket.socketpair()
        log_fd, log_end = os.pipe()
        log = os.fdopen(log_fd, "rb", buffering=0)
        try:
            if self._forks:
                report = self._fork(self._forks, environment, theirs.fileno(), log_end)
                return ForkedProcess(own, log, report)
            command = [
                str(self._executable),
                *ISOLATED,
                str(FOLDER / "bootstrap.py"),
                str(theirs.fileno()),
                self._packages,
            ]
            started = subprocess.Popen(
                command,
                env=environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log_end,
                stderr=log_end,
            )
            return SpawnedProcess(started, own, log)
        finally:
            theirs.close()
            os.close(log_end)

    def _start_forking_process(self) -> socket.socket:
        own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [str(self._executable), *ISOLATED, str(FOLDER / "zygote.py"), str(theirs.fileno()), self._packages]
        environment = {"PATH": os.environ["PATH"]}
        with theirs:
            subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        return own

    def _fork(self, forks: socket.socket, environment: Mapping[str, str], channel: int, log: int) -> BinaryIO:
        """Ask the warm process for a child, and return what will report its id and its end."""
        report, report_end = os.pipe()
        try:
            with self._lock:
                socket.send_fds(forks, [json.dumps(environment).encode()], [channel, log, report_end])
        finally:
            os.close(report_end)
        return os.fdopen(report, "rb", buffering=0)


class ForkedProcess:
    """A function's process whose parent is the warm process, which reports its id and its end."""

    def __init__(self, channel: socket.socket, log: BinaryIO, report: BinaryIO) -> None:
        self.channel = channel
        self.log = log
        self._report = report
        self._pid = int(self._read_line(START_SECONDS) or 0)
        self._exit: int | None = None
        if not self._pid:
            raise RuntimeError("The functions' interpreter could not be started.")

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""
        if self._exit is None and (line := self._read_line(0)):
            self._exit = int(line)
        return self._exit

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit status."""
        if self._exit is None:
            if not (line := self._read_line(timeout)):
                raise subprocess.TimeoutExpired("function", timeout or 0)
            self._exit = int(line)
        return self._exit

    def kill(self) -> None:
        """Send SIGKILL."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    terminate = kill

    def _read_line(self, timeout: float | None) -> bytes:
        """Return the next line of the report, nothing if none comes in time."""
        poll = select.poll()  # unlike select.select, it knows descriptors above 1,023
        poll.register(self._report, select.POLLIN)
        ready = poll.poll(None if timeout is None else timeout * 1_000)
        return self._report.readline() if ready else b""


class SpawnedProcess:
    """A function's process that is a separate interpreter."""

    def __init__(self, started: subprocess.Popen[bytes], channel: socket.socket, log: BinaryIO) -> None:
        self.channel = channel
        self.log = log
        self._started = started

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""
        return self._started.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit status."""
        return self._started.wait(timeout)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._started.kill()

    terminate = kill
