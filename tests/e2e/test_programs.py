"""The commands of the local stack as a user runs them: `make demo` and `make local`."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local.project import ROOT
from tests.e2e.waiting import SECONDS, eventually

HOLD = """
import signal
from infra.local import LocalStack
with LocalStack.start() as stack:
    stack.invoke("increment_counter", {"runId": "r", "key": "k"})
    print(stack.pid, flush=True)
    signal.pause()
"""


@contextmanager
def start(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a program whose output can be read; it is killed if the test has not ended it."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as program:
        try:
            yield program
        finally:
            program.kill()


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the demo without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "infra.local.demo", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env=os.environ | {"COLUMNS": "200"},
    )


def is_gone(pid: int) -> bool:
    """Return whether no such process is left."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_the_demo_shows_the_run_from_order_to_empty_table(tmp_path: Path) -> None:
    """The user's own order is run; customer, count, results, requests and what is left are shown; exit code 0."""
    path = tmp_path / "order.json"
    path.write_text(
        json.dumps({"customer": {"id": "C-7"}, "line_items": [{"id": "one"}, {"id": 2}], "delaySeconds": 0}), "utf-8"
    )
    done = demo("--order", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    shown = done.stdout.split()
    assert "C-7" in shown
    assert "2 of 2 processed" in done.stdout
    assert '{"id": "one", "status": "done"}' in done.stdout
    assert '{"id": 2, "status": "done"}' in done.stdout
    assert "0 items of the run in the table" in done.stdout
    (counted,) = [line for line in done.stdout.splitlines() if line.startswith("DynamoDB")]
    # The functions' requests, not the demo's own: a put, two updates a branch, three reads, and the deletion.
    assert all(part in counted for part in ("1 PutItem", "4 UpdateItem", "3 GetItem", "1 BatchWriteItem"))
    assert "25 USD a million that an execution enters, each as much as 40 write units" in done.stdout


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"customer: 1", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "is not an order: it is a list, not an object"),
        (b'{"customer": {}, "line_items": []}', "is not an order: customer.id must be a string or a number"),
        (
            b'{"customer": {"id": 1}, "line_items": []}',
            "is not an order: line_items must be a list of at least one item",
        ),
    ],
)
def test_a_bad_order_gets_one_clear_line(tmp_path: Path, content: bytes | None, fault: str) -> None:
    """A file that is missing, not JSON or not an order is named in one line on stderr, with exit code 2."""
    path = tmp_path / "order.json"
    if content is not None:
        path.write_bytes(content)
    done = demo("--order", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert str(path) in line
    assert fault in line


def test_an_impossible_number_of_items_is_refused() -> None:
    """A number of line items that no execution can take is an order at fault, too."""
    done = demo("--items", "1701")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "demo: ITEMS must be 1 to 1,700, as many as fit one execution; got 1701\n"


def test_a_killed_parent_leaves_no_process() -> None:
    """Ministack and the functions' processes end with the program that started them, however that dies."""
    with start("-c", HOLD) as program:
        assert program.stdout is not None
        child = int(program.stdout.readline())
        functions = children(child)
        program.kill()
        program.communicate(timeout=SECONDS)
    assert functions
    assert eventually(lambda: is_gone(child))
    assert eventually(lambda: all(is_gone(function) for function in functions))


def children(pid: int) -> list[int]:
    """Return the ids of a process's children."""
    command = ["ps", "-o", "pid=", "--ppid", str(pid)]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    return [int(each) for each in listed.stdout.split()]


@pytest.mark.parametrize(
    ("workflow", "shown"),
    [
        ("ApprovalWorkflow", ['{"approved": true, "by": "the demo"}, accepted: true', "paid         800"]),
        ("ImportWorkflow", ["imported     59 of 60 rows", '{"id": 30, "reason": "price must be 0 or more; got -1"}']),
    ],
)
def test_the_demo_runs_the_other_examples_too(workflow: str, shown: list[str]) -> None:
    """It sends the event that an example waits for, and shows what the run came to."""
    done = demo("--workflow", workflow)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(text in done.stdout for text in [*shown, "0 items of the run in the table"])


def test_a_kept_demo_shows_its_run_in_the_browser_until_enter_is_pressed(tmp_path: Path) -> None:
    """The stack and the inspector's page stay up after the run, and nothing is left once Enter is pressed."""
    path = tmp_path / "order.json"
    path.write_text(json.dumps({"customer": {"id": 1}, "line_items": [{"id": "a"}], "delaySeconds": 0}), "utf-8")
    with start("-m", "infra.local.demo", "--keep", "--order", str(path)) as program:
        assert program.stdout is not None
        assert program.stdin is not None
        printed = ""
        while "Press Enter" not in printed:
            line = program.stdout.readline()
            assert line, program.communicate()[1]
            printed += line
        (address,) = re.findall(r"^inspector +(http://127\.0\.0\.1:\S+)$", printed, re.MULTILINE)
        with urllib.request.urlopen(address, timeout=SECONDS) as page:  # noqa: S310 it begins with http
            assert "succeeded" in page.read().decode().lower()
        started = children(program.pid)
        program.stdin.write("\n")
        program.communicate(timeout=SECONDS)
    assert program.returncode == 0
    assert len(started) == 2
    assert all(is_gone(each) for each in started)
