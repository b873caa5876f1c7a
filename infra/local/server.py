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
# What ministack gets of the caller's environment: how to find programs, and nothing that sets something in it.
INHERITED: Final = ("HOME", "LANG", "PATH", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR")
LAUNCH: Final = "from infra.local.launcher import main; main()"
NEEDS: Final = ("ministack", "hypercorn")  # what the child process imports
REQUEST_LOG: Final = "requests.jsonl"
FUNCTION_LOG: Final = "functions.log"


class Server:
    """ministack in a child process, on 127.0.0.1.

    IAM is enforced: every function runs with exactly the permissions that the template gives its role. Everything
    that the process writes is in one temporary folder, removed by `stop`; its state can be kept in another one.
    """

    def __init__(self, *, port: int = 0, wait_scale: float = 1.0, state: Path | None = None) -> None:
        """Start it and return once it answers.

        Args:
            port: Where it listens; 0 takes a free port.
            wait_scale: Factor on the seconds of Wait states and on the intervals of retries; 0 skips them.
            state: A folder to which it writes its state when it stops, and from which it reads it when it starts.

        Raises:
            LocalStackError: A part is not installed, the port is in use, or the process does not start.
        """
        missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
        if missing:
            raise LocalStackError(
                f"this Python lacks {', '.join(missing)}; `make demo` and `make local` install it in .venv"
            )
        if shutil.which("make") is None:
            raise LocalStackError("make must be on the PATH to build the layer; it is not there")
        runtime_packages = installed(RUNTIME_LOCK)
        self.folder = Path(tempfile.mkdtemp(prefix="runstore-local-"))
        self.request_log = self.folder / REQUEST_LOG
        self.function_log = self.folder / FUNCTION_LOG
        self.log = self.folder / "ministack.log"
        with listen_on(port) as listener:  # handed over open, so that nobody takes the port
            self.port: int = listener.getsockname()[1]
            settings = {"SFN_WAIT_SCALE": str(wait_scale), **state_settings(state)}
            self._process = self._spawn(listener, runtime_packages, settings)
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

    def _spawn(
        self, listener: socket.socket, runtime_packages: Path, settings: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment = inherited | {
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "SFTP_ENABLED": "0",
            "TMPDIR": str(self.folder),
            **settings,
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


def listen_on(port: int) -> socket.socket:
    """Return a socket that listens on a port of this machine.

    Raises:
        LocalStackError: Another program listens there, or the port needs other rights.
    """
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise LocalStackError(f"port {port} of 127.0.0.1 must be free; {os.strerror(error.errno or 0)}") from error


def state_settings(folder: Path | None) -> dict[str, str]:
    """Return ministack's settings for keeping its state in a folder."""
    if folder is None:
        return {}
    kept = folder.resolve()
    return {
        "PERSIST_STATE": "1",
        "STATE_DIR": str(kept / "services"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(kept / "s3"),
    }
