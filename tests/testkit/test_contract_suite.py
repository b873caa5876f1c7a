"""The contract suite is for others too: a good store passes it, and a broken one does not."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from runstore.testing import contract

SAMPLE = re.findall(r"```python\n(.*?)```", contract.__doc__ or "", re.DOTALL)[0]
GOOD = """
from runstore.testing import InMemoryRunStore

RUNS = {}
TABLE = "ignored"


class MyStore(InMemoryRunStore):
    def __init__(self, run_id, table):
        super().__init__(run_id, runs=RUNS)
"""
BREAKS = {
    "forgets tokens": "def push(self, key, item, *, token=None): return super().push(key, item)",
    "loses the order": "def get(self, key, default=None):\n"
    "        value = super().get(key, default)\n"
    "        return value[::-1] if isinstance(value, list) else value",
    "mixes runs": "def set(self, key, value):\n        self._run_id = 'one'\n        super().set(key, value)",
    "rounds": "def increment(self, key, delta=1, *, token=None):\n"
    "        return float(super().increment(key, delta, token=token))",
    "accepts any key": "def get(self, key, default=None):\n"
    "        return super().get(key, default) if isinstance(key, str) and key else default",
}


def run(folder: Path, store: str) -> subprocess.CompletedProcess[str]:
    """Run the sample of the docstring as a user's test file."""
    (folder / "test_my_store.py").write_text(f"{store}\n\n{SAMPLE}")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "runstore.testing.pytest_plugin", "test_my_store.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_good_store_passes(tmp_path: Path) -> None:
    """The sample of the docstring is a test file that works."""
    done = run(tmp_path, GOOD)
    assert done.returncode == 0, done.stdout
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) > 100


@pytest.mark.parametrize("method", BREAKS.values(), ids=BREAKS.keys())
def test_a_broken_store_fails_and_the_assertion_is_explained(tmp_path: Path, method: str) -> None:
    """The suite finds the break, and pytest shows the values of the assertion that failed."""
    done = run(tmp_path, f"{GOOD}\n    {method}\n")
    assert done.returncode == 1, done.stdout
    assert "1 failed" in done.stdout
    assert re.search(r"^E +(AssertionError: )?assert .*|DID NOT RAISE", done.stdout, re.MULTILINE)
