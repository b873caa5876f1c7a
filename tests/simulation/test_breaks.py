"""The simulation can fail: it finds every break that is made on purpose."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import proofs
from tests.simulation.mutants import MUTANTS, SLOW

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.prove if name in SLOW else ()) for name in MUTANTS]
)
def test_a_break_is_found(name: str) -> None:
    """A store that is broken on purpose gives a history that cannot be explained, and it is shown."""
    search = subprocess.run(
        [sys.executable, "-m", "tests.simulation.mutants", name],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'functions'}", "AWS_EC2_METADATA_DISABLED": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert search.returncode == 1, search.stdout + search.stderr
    assert "found after" in search.stdout, search.stdout + search.stderr
    proofs.record(deliberate_breaks_found=1)
