"""A Docker engine: the one that is there, else one of our own that leaves no trace on the machine.

The own one is Debian's packages unpacked into the repository's ignored cache, not installed. It needs root, cannot
pull images, and changes neither the firewall nor the routes of the machine.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.deployment.pythons import MissingToolError

CACHE = Path(__file__).parents[2] / ".cache"
PACKAGES = ("docker.io", "containerd", "runc")
BRIDGE = "172.30.0.1"
START_SECONDS = 60
STOP_SECONDS = 20


@dataclass(frozen=True)
class Engine:
    """A running Docker engine."""

    own: bool
    environment: Mapping[str, str]
    """What programs that use it need in their environment."""
    host: str
    """How its containers reach this machine."""

    def run(self, *arguments: str, **options: object) -> str:
        """Run `docker` with these arguments and return what it printed.

        Raises:
            subprocess.CalledProcessError: It failed.
        """
        command = [shutil.which("docker", path=self.environment["PATH"]) or "docker", *arguments]
        done: subprocess.CompletedProcess[str] = subprocess.run(  # type: ignore[call-overload]  # options are run's own
            command, env=self.environment, check=True, text=True, stdout=subprocess.PIPE, **options
        )
        return done.stdout


@contextmanager
def running() -> Iterator[Engine]:
    """Yield the machine's engine, or one of our own.

    Raises:
        MissingToolError: There is none, and none can be had here.
    """
    if (engine := _present()) is not None:
        yield engine
        return
    folder = _unpacked()
    with tempfile.TemporaryDirectory(prefix="runstore-docker-", ignore_cleanup_errors=True) as scratch:
        process, engine = _start(folder, Path(scratch))
        try:
            yield engine
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _present() -> Engine | None:
    """Return the engine that the user's `docker` talks to, if it does."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    gateway = "{{(index .IPAM.Config 0).Gateway}}"
    told = subprocess.run(
        [docker, "network", "inspect", "bridge", "--format", gateway], capture_output=True, text=True, check=False
    )
    if told.returncode != 0:
        return None
    ask = [docker, "info", "--format", "{{.OperatingSystem}}"]
    system = subprocess.run(ask, capture_output=True, text=True, check=False)
    host = "host.docker.internal" if "Desktop" in system.stdout else told.stdout.strip()
    return Engine(own=False, environment=dict(os.environ), host=host)


def _unpacked() -> Path:
    """Return the folder with the engine's programs, after fetching them if they are not there yet."""
    missing = [name for name in ("apt-get", "dpkg-deb") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        reason = f"no {missing[0]}" if missing else "no right to start one (root alone has it)"
        raise MissingToolError(f"needs a Docker engine; none answers, and there is {reason} to make one with")
    folder = CACHE / "docker-engine"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "docker-engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                _fetch(Path(scratch))
                (Path(scratch) / "unpacked").rename(folder)  # whole or not at all
    return folder


def _fetch(scratch: Path) -> None:
    scratch.chmod(0o755)  # apt checks the packages' signatures as a user of its own
    download = [shutil.which("apt-get") or "", "download", "-qq", *PACKAGES]
    fetched = subprocess.run(download, cwd=scratch, capture_output=True, text=True, check=False)
    if fetched.returncode != 0:  # a new machine has no lists of packages yet
        subprocess.run([download[0], "update", "-qq"], capture_output=True, check=False)
        fetched = subprocess.run(download, cwd=scratch, capture_output=True, text=True, check=False)
    archives = list(scratch.glob("*.deb"))
    if len(archives) != len(PACKAGES):
        raise MissingToolError(f"needs a Docker engine, and Debian's cannot be fetched: {fetched.stderr.strip()}")
    for archive in archives:
        subprocess.run([shutil.which("dpkg-deb") or "", "--extract", archive, scratch / "unpacked"], check=True)


def _start(folder: Path, scratch: Path) -> tuple["subprocess.Popen[bytes]", Engine]:
    path = os.pathsep.join([str(folder / "usr" / "sbin"), str(folder / "usr" / "bin"), os.environ["PATH"]])
    socket, log = scratch / "docker.sock", scratch / "log"
    engine = Engine(own=True, environment={**os.environ, "PATH": path, "DOCKER_HOST": f"unix://{socket}"}, host=BRIDGE)
    command = [
        *[str(folder / "usr" / "sbin" / "dockerd"), "--host", f"unix://{socket}", "--bip", f"{BRIDGE}/24"],
        *["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"],
        *["--data-root", str(scratch / "data"), "--exec-root", str(scratch / "exec")],
        *["--pidfile", str(scratch / "pid")],
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=engine.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if socket.exists():
            try:
                engine.run("version", stderr=subprocess.DEVNULL)
            except subprocess.CalledProcessError:
                pass
            else:
                return process, engine
        time.sleep(0.1)  # between two looks at an engine that is starting
    process.kill()
    process.wait()
    last = (log.read_text("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]
    raise MissingToolError(f"needs a Docker engine; none answers, and one of our own does not start here: {last}")
