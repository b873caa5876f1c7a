"""Starting the page as a process beside another program: the local stack's, or a test's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from runstore_inspector.problems import InspectorError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

_STOP_SECONDS = 10.0


class StartedPage:
    """A page in a separate process, which listens at `url`. Stop it, or use it as a context manager."""

    def __init__(self, options: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> None:
        """Start `runstore ui` and return once it listens.

        Args:
            options: The command's options, such as `--port 8765`; without a port any free one.
            environment: Environment variables that replace this process's, such as RUNSTORE_TABLE and AWS_ENDPOINT_URL.

        Raises:
            InspectorError: It did not start; the message says why.
        """
        port = [] if "--port" in options else ["--port", "0"]
        command = [sys.executable, "-m", "runstore_inspector", "ui", "--json", "--until-stdin-ends", *port, *options]
        path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 it lives as long as the process
        self._process = subprocess.Popen(  # noqa: S603 the command is this package's own
            command,
            env={**os.environ, "PYTHONPATH": path, **(environment or {})},
            stdin=subprocess.PIPE,  # it ends with this process, however this one ends
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            start_new_session=True,  # Ctrl-C is for the program that started it, which then stops it
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self._process.wait(_STOP_SECONDS)
            self._said.seek(0)
            said = self._said.read().strip().removeprefix("runstore: ")
            self.stop()
            raise InspectorError(f"the page did not start: {said or 'it said nothing'}")
        self.url: str = json.loads(line)["url"]

    def stop(self) -> None:
        """Stop it. Safe to call again."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._said):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        """Return the page itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()
