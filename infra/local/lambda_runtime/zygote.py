"""A process that has imported boto3 and forks one child for each function process: they start warm.

Arguments: SOCKET_FD RUNTIME_PACKAGES. Each message on the socket is a function's environment as JSON, with three
descriptors: the function's channel, its log, and a pipe that is told the child's process id and, later, how it ended.
When the socket ends, so do all children.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import select
import signal
import socket
import sys
import traceback
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

PRELOAD: Final = ("boto3", "botocore.handlers", "decimal", "http.client", "logging", "ssl", "typing", "uuid")
MESSAGE_BYTES: Final = 1 << 18
LOG_STREAMS: Final = (1, 2)
MAX_DESCRIPTORS: Final = 4_096  # far more than functions run at once


def main(socket_fd: int, runtime_packages: str) -> None:
    """Fork until the parent is gone."""
    sys.path.insert(0, runtime_packages)
    for name in PRELOAD:
        importlib.import_module(name)
    bootstrap = beside("bootstrap")
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # without a handler nothing would be woken
    children: dict[int, int] = {}
    with socket.socket(fileno=socket_fd) as requests:
        while True:
            ready, _, _ = select.select([requests.fileno(), wake_read], [], [])
            if wake_read in ready:
                os.read(wake_read, MESSAGE_BYTES)
                reap(children)
            if requests.fileno() in ready:
                message, descriptors, _, _ = socket.recv_fds(requests, MESSAGE_BYTES, 3)
                if not message:
                    break
                fork(json.loads(message), descriptors, children, bootstrap, runtime_packages)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def beside(name: str) -> Any:
    """Import a module that lies beside this one, without putting this folder on the import path."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")  # noqa: PTH100, PTH118, PTH120
    spec = importlib.util.spec_from_file_location(f"_lambda_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fork(
    environment: dict[str, str], descriptors: list[int], children: dict[int, int], bootstrap: Any, packages: str
) -> None:
    """Start one function process; the parent learns its id at once and its end later."""
    channel, log, status = descriptors
    pid = os.fork()
    if pid == 0:
        os._exit(run_child(environment, channel, log, lambda: bootstrap.serve(channel, packages)))
    children[pid] = status
    with contextlib.suppress(BrokenPipeError):
        os.write(status, f"{pid}\n".encode())
    os.close(channel)
    os.close(log)


def run_child(environment: dict[str, str], channel: int, log: int, serve: Callable[[], None]) -> int:
    """Be a function's process, and return its exit status."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        become(environment, channel, log)
        serve()
    except SystemExit as end:  # a handler may call sys.exit()
        return end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 nothing may reach the code of the forking process
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
    return 0


def become(environment: dict[str, str], channel: int, log: int) -> None:
    """Leave behind everything of this process that a function must not see."""
    for stream in LOG_STREAMS:
        os.dup2(log, stream)
    os.closerange(3, channel)
    os.closerange(channel + 1, MAX_DESCRIPTORS)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    sys.argv = [""]


def reap(children: dict[int, int]) -> None:
    """Report every child that has ended."""
    for pid in list(children):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            report = children.pop(pid)
            with contextlib.suppress(BrokenPipeError):  # the parent may have lost interest
                os.write(report, f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os.close(report)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
