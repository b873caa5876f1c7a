"""The Python interpreters of this machine, by the name of a Lambda runtime."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN_RUNTIME: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
# Where pyenv and uv keep interpreters that are not on the PATH.
PYENV: Final = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
UV: Final = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", "~/.local/share/uv/python")).expanduser()
PROBE: Final = "import sys; print(f'python{sys.version_info[0]}.{sys.version_info[1]}')"
PROBE_SECONDS: Final = 10.0


@functools.cache
def find_interpreter(runtime: str) -> Path | None:
    """Return the interpreter of a runtime such as `python3.13`, None where this machine has none."""
    if not re.fullmatch(r"python3\.\d+", runtime):
        return None
    return next((found for found in _candidates(runtime) if _is(found, runtime)), None)


def _candidates(runtime: str) -> Iterator[Path]:
    if runtime == OWN_RUNTIME:
        yield Path(sys.executable).resolve()  # not the one of a virtual environment
    on_path = shutil.which(runtime)
    if on_path:
        yield Path(on_path)
    version = runtime.removeprefix("python")
    yield from sorted(PYENV.glob(f"{version}*/bin/{runtime}"), reverse=True)
    yield from sorted(UV.glob(f"cpython-{version}*/bin/{runtime}"), reverse=True)


def _is(candidate: Path, runtime: str) -> bool:
    """Whether a program is that Python; one on the PATH may be a stub of pyenv that runs nothing."""
    try:
        command = [str(candidate), "-I", "-S", "-c", PROBE]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.strip() == runtime
