"""Starting and stopping ministack as a child process on 127.0.0.1."""

import contextlib
import http.client
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from infra.local.packages import RUNTIME_LOCK, installed
from infra.local.project import ROOT, LocalStackError

REGION: Final = "us-east-1"
ACCOUNT: Final = "000000000000"
ACCESS_KEY: Final = "test"  # ministack's root user, whatever the secret
START_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.05
STOP_SECONDS: Final = 10.0
# Nothing of the caller's own settings may reach ministack.
FOREIGN: Final = ("AWS_", "LAMBDA_", "MINISTACK_", "POWERTOOLS_", "RUNSTORE_")
LAUNCH: Final = "from infra.local.launcher import main; main()"
NEEDS: Final = ("ministack", "hypercorn")  # what the child process imports
REQUEST_LOG: Final = "requests.jsonl"
FUNCTION_LOG: Final = "functions.log"


class Server:
    """ministack in a child process, on 127.0.0.1 and a free port.

    IAM is enforced: every function runs with exactly the permissions that the template gives its role. Everything
    that the process writes is in one temporary folder, removed by `stop`.
    """

    def __init__(self, *, wait_scale: float = 1.0) -> None:
        """Start it and return once it answers.

        Args:
            wait_scale: Factor on the seconds of Wait states and on the intervals of retries; 0 skips them.

        Raises:
            LocalStackError: A part is not installed, or the process does not start.
        """
        missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
        if missing:
            raise LocalStackError(
                f"this Python lacks {', '.join(missing)}; `make demo` and `make local` install it in .venv"
            )
        if shutil.which("make") is None:
            raise LocalStackError("the layer is built with make, and there is none on the PATH")
        runtime_packages = installed(RUNTIME_LOCK)
        self.folder = Path(tempfile.mkdtemp(prefix="runstore-local-"))
        self.request_log = self.folder / REQUEST_LOG
        self.function_log = self.folder / FUNCTION_LOG
        self.log = self.folder / "ministack.log"
        with socket.create_server(("127.0.0.1", 0)) as listener:  # handed over open, so that nobody takes the port
            self.port: int = listener.getsockname()[1]
            self._process = self._spawn(listener, runtime_packages, wait_scale)
        try:
            self._wait_until_up()
        except BaseException:
            self.stop()
            raise

    @property
    def endpoint(self) -> str:
        """The URL that every AWS client can be pointed at."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of ministack."""
        return self._process.pid

    def stop(self) -> None:
        """End the process and the functions that it started, and remove its files. Safe to call again."""
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()  # the launcher ends by itself
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _spawn(self, listener: socket.socket, runtime_packages: Path, wait_scale: float) -> subprocess.Popen[bytes]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        environment = own | {
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "SFN_WAIT_SCALE": str(wait_scale),
            "SFTP_ENABLED": "0",
            "TMPDIR": str(self.folder),
        }
        listener.set_inheritable(True)
        command = [sys.executable, "-c", LAUNCH, str(listener.fileno()), str(self.folder), str(runtime_packages)]
        with self.log.open("wb") as log:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                pass_fds=[listener.fileno()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the parent alone, which stops this in order
            )

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
            with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/_ministack/health")
                if connection.getresponse().status == http.client.OK:
                    return
            time.sleep(POLL_SECONDS)
        last = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
        raise LocalStackError("ministack did not start: " + (" / ".join(last) or "it said nothing"))
