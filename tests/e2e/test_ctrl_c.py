"""Ctrl-C in a terminal, which sends SIGINT to everything that the command has started: `make local` and `make demo`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from infra.local.project import ROOT
from tests.e2e.test_make_local import LAST_LINE
from tests.e2e.test_programs import children, is_gone
from tests.e2e.waiting import SECONDS, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORKFLOW = "workflow"  # how the line begins that the demo prints when the order is about to run
PROGRAMS = 3  # at the least: the command's Python, the stack, and what starts the functions


def descendants(pid: int) -> Iterator[int]:
    """Yield the ids of a process's children, of their children, and so on."""
    for child in children(pid):
        yield child
        yield from descendants(child)


def make(*arguments: str) -> subprocess.Popen[str]:
    """Start make in a process group of its own, as a shell does, with the Python that runs the tests."""
    environment = sys.prefix
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.Popen(
        # -o: what is installed there is as new as it must be.
        ["make", "-o", f"{environment}/installed", f"VENV={environment}", *arguments],  # noqa: S607 as a user runs it
        cwd=ROOT,
        env=plain,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("target", "until"),
    [("local", LAST_LINE.strip()), ("demo", WORKFLOW)],
)
def test_ctrl_c_ends_everything(tmp_path: Path, target: str, until: str) -> None:
    """Neither make nor the stack, its functions or the page is left, and nobody sees a traceback."""
    order = tmp_path / "order.json"
    lines = [{"id": number} for number in range(3)]
    order.write_text(json.dumps({"customer": {"id": 1}, "line_items": lines, "delaySeconds": 600}), "utf-8")
    arguments = ["demo", f"ORDER={order}"] if target == "demo" else ["local"]
    with make(*arguments) as program:
        try:
            printed = _until(program, until)
            started = eventually(lambda: found if len(found := list(descendants(program.pid))) >= PROGRAMS else [])
            os.killpg(program.pid, signal.SIGINT)
            printed += program.communicate(timeout=SECONDS)[0]
        finally:
            program.kill()
    assert started
    assert eventually(lambda: all(is_gone(each) for each in started))
    assert "Traceback" not in printed
    assert ("Stopped." if target == "local" else "demo: stopped") in printed


def _until(program: subprocess.Popen[str], text: str) -> str:
    """Return what the program prints up to a line with a text."""
    assert program.stdout is not None
    printed = ""
    for line in program.stdout:
        printed += line
        if text in line:
            return printed
    pytest.fail(f"{program.args!r} ended: {printed}")
