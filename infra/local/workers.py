"""Function processes that start warm: forked from a process that has imported boto3 and Powertools.

A function process of ministack is a new interpreter, half a second of processor time; forty branches that start
together are eighty of them. On Linux this module takes the place of `subprocess` in ministack's Lambda runtime.
"""

import io
import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any, Final

PRELOAD: Final = ["boto3", "botocore.handlers", "aws_lambda_powertools", "aws_lambda_powertools.metrics"]
STREAMS: Final = (0, 1, 2)


def fork_from_a_warm_process(lambda_runtime: Any) -> None:
    """Let ministack's Lambda runtime fork its Python processes, where forking after imports is safe."""
    if sys.platform != "linux":
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    forkserver.ensure_running()  # it imports while the stack is being deployed

    def start(command: Sequence[str], **options: Any) -> Any:
        if command[0] != sys.executable:
            return subprocess.Popen(command, **options)
        return ForkedProcess(context, command[1], options["cwd"], options["env"])

    lambda_runtime.subprocess = SimpleNamespace(
        Popen=start, PIPE=subprocess.PIPE, DEVNULL=subprocess.DEVNULL, TimeoutExpired=subprocess.TimeoutExpired
    )


class ForkedProcess:
    """What ministack uses of `subprocess.Popen`, for a forked process that runs a script."""

    def __init__(
        self,
        context: "multiprocessing.context.ForkServerContext",
        script: str,
        folder: str,
        environment: Mapping[str, str],
    ) -> None:
        child_in, own_in = os.pipe()
        own_out, child_out = os.pipe()
        own_error, child_error = os.pipe()
        self.stdin = io.TextIOWrapper(io.BufferedWriter(io.FileIO(own_in, "w")), encoding="utf-8", line_buffering=True)
        self.stdout = os.fdopen(own_out, encoding="utf-8")
        self.stderr = os.fdopen(own_error, encoding="utf-8", errors="replace")
        streams = [
            Connection(child_in, writable=False),
            Connection(child_out, readable=False),
            Connection(child_error, readable=False),
        ]
        self._process = context.Process(
            target=run_script, args=(script, folder, dict(environment), streams), daemon=True
        )
        self._process.start()
        for stream in streams:
            stream.close()

    @property
    def pid(self) -> int | None:
        """The process's id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end and return the exit code."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return self._process.exitcode

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()


def run_script(script: str, folder: str, environment: dict[str, str], streams: list[Connection]) -> None:
    """Become the function's process: its folder, its environment, its standard streams, and nothing else."""
    for descriptor, stream in zip(STREAMS, streams, strict=True):
        os.dup2(stream.fileno(), descriptor)
        stream.close()
    sys.stdin = os.fdopen(0, encoding="utf-8")
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path = [path for path in sys.path if path != ""]  # the folder that the stack was started from
    sys.argv = [script]
    runpy.run_path(script, run_name="__main__")
