"""The tests of the transport can fail: they find every break that is made on purpose."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import proofs
from tests.transport.mutants import MUTANTS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", MUTANTS)
def test_a_break_can_be_made(name: str) -> None:
    """Its text stands exactly once in its module."""
    assert MUTANTS[name].occurrences() == 1


@pytest.mark.prove
@pytest.mark.parametrize("name", MUTANTS)
def test_a_break_is_found(name: str) -> None:
    """A transport that is broken on purpose fails a test of its own."""
    search = subprocess.run(
        [sys.executable, "-m", "tests.transport.mutants", name],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'functions'}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert search.returncode == 1, search.stdout + search.stderr
    proofs.record(deliberate_breaks_of_the_transport_found=1)
