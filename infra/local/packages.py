"""Python packages for the functions, installed once for each requirements file.

What Lambda's runtime brings, and what the functions' bundle brings, never come from this repository's environment.
Every package is pure Python, so that one folder serves every interpreter.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from infra.local.project import ROOT, LocalStackError

CACHE: Final = ROOT / ".cache" / "packages"
RUNTIME_LOCK: Final = ROOT / "requirements-lambda.lock"
FUNCTIONS_REQUIREMENTS: Final = ROOT / "functions" / "requirements.txt"
PIP: Final = (
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--no-compile",
    "--root-user-action=ignore",
)


def installed(requirements: Path) -> Path:
    """Return a folder that holds the packages of a requirements file, installed now if it is not there yet.

    Raises:
        LocalStackError: pip cannot install them; says what pip said.
    """
    folder = CACHE / hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    if folder.is_dir():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        made = Path(scratch) / "packages"
        command = [sys.executable, *PIP, "--target", str(made), "--requirement", str(requirements)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LocalStackError(f"{requirements} cannot be installed: {done.stderr.strip()}")
        made.mkdir(exist_ok=True)  # a file that names nothing
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process may have been quicker
                raise
    return folder


def main() -> int:
    """Install what the template's own functions need."""
    try:
        for requirements in (RUNTIME_LOCK, FUNCTIONS_REQUIREMENTS):
            installed(requirements)
    except LocalStackError as error:
        print(f"packages: {error}", file=sys.stderr)
        return 1
    return 0
