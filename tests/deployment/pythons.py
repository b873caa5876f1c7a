"""The Pythons of this machine: what is deployed must run on each that the package supports."""

import functools
import shutil
import subprocess
from pathlib import Path

SUPPORTED = ("3.11", "3.12", "3.13")


class MissingToolError(Exception):
    """This machine lacks what a proof needs; the message says what. Tests skip with it."""


@functools.cache
def find_python(version: str) -> Path:
    """Return the interpreter of a minor version ("3.13"): from PATH, else one that pyenv keeps.

    Raises:
        MissingToolError: There is none.
    """
    name = f"python{version}"
    kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}*/bin/{name}"))
    for candidate in (shutil.which(name), *kept):
        if candidate is not None and (prefix := _prefix(Path(candidate), version)) is not None:
            return prefix / "bin" / name
    raise MissingToolError(f"needs Python {version}, and there is no working {name} here")


def _prefix(python: Path, version: str) -> Path | None:
    """Return where an interpreter is installed; None if it does not start, as a shim without its version does."""
    code = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.base_prefix)"
    told = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout.split("\n")
    return Path(told[1]) if told[0] == version else None
