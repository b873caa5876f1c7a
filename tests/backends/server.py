"""A server as a child process: on a free port of this machine, ready when it yields, gone when the block ends."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

HOST = "127.0.0.1"
_START_SECONDS = 60
_STOP_SECONDS = 10
_ATTEMPTS = 3


@dataclass(frozen=True)
class Server:
    """A server that accepts connections."""

    url: str
    pid: int


@contextmanager
def running(
    command: Callable[[int], list[str]],
    *,
    environment: Callable[[int], Mapping[str, str]] | None = None,
    folder: Path | None = None,
) -> Iterator[Server]:
    """Start `command(port)` and yield the server once it accepts connections.

    Another process may take the free port before the server does: then it is started again on another.

    Raises:
        RuntimeError: the server ended instead of starting, every time, or did not start in time. Holds its output.
    """
    with tempfile.TemporaryFile("w+") as log:
        process, port = _start(command, environment, folder, log)
        try:
            yield Server(f"http://{HOST}:{port}", process.pid)
        finally:
            _stop(process)


def _start(
    command: Callable[[int], list[str]],
    environment: Callable[[int], Mapping[str, str]] | None,
    folder: Path | None,
    log: IO[str],
) -> tuple["subprocess.Popen[str]", int]:
    for _ in range(_ATTEMPTS):
        port = free_port()
        process = subprocess.Popen(
            [*_dying_with_its_parent(), *command(port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment(port)),
            cwd=folder,
            text=True,
        )
        try:
            if _accepts(process, port):
                return process, port
        except BaseException:
            _stop(process)
            raise
        _stop(process)
    log.seek(0)
    raise RuntimeError(f"{command(0)[0]} did not start:\n{log.read()}")


def _accepts(process: "subprocess.Popen[str]", port: int) -> bool:
    """Wait until the server accepts connections; False when it ended or took too long."""
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return True
        time.sleep(0.02)  # between two looks at a server that is starting
    return False


def _stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port of this machine that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _dying_with_its_parent() -> list[str]:
    """Return the prefix that lets the kernel end the server when the test process is killed, where there is one."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
