"""The protocol model runs as a program, finds nothing wrong with the protocol, and detects every deliberate break."""

import subprocess
import sys
from pathlib import Path

import protocol_model
import protocol_search
import pytest

from tests import proofs

ROOT = Path(__file__).parents[2]
# Breaks that `make test` looks for; `make prove` looks for all.
SHORT = {"a reader ignores gaps", "a reset leaves the tail open", "no intent is written", "a late list is begun again"}
assert protocol_search.MUTATIONS.keys() >= SHORT


def test_the_model_runs_as_a_program() -> None:
    """The command of its docstring checks small programs in every order, and random ones."""
    run = subprocess.run(
        [sys.executable, "docs/design/protocol_model.py", "100"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "orders with faults  ok" in run.stdout
    assert "both kinds, with completions, with faults" in run.stdout


@pytest.mark.prove
def test_the_model_finds_nothing_wrong_with_the_protocol() -> None:
    """Every random program of a long search can be explained."""
    runs = 8_000
    lines: list[str] = []
    assert protocol_search.check(protocol_model, runs, lines.append) is None
    proofs.record(random_programs_of_the_protocol_model=runs * sum("random" in line for line in lines))


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in SHORT else pytest.mark.prove) for name in protocol_search.MUTATIONS],
)
def test_a_break_of_the_protocol_is_detected(name: str) -> None:
    """A step of the protocol that is left out gives a history that cannot be explained."""
    assert protocol_search.is_detected(name, 10_000)
    proofs.record(deliberate_breaks_of_the_protocol_model_found=1)
