"""What the functions of workflows count, and how they mark their traces."""

from __future__ import annotations

import json
import socket
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from runstore.aws_lambda.tracing import annotated
from tests.workflow.flaky import Flaky, action_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.workflow.driver import Machine

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8"


def counted(capture: pytest.CaptureFixture[str]) -> Counter[str]:
    """Return what has been counted since the last look; every line has the two sets of dimensions."""
    total: Counter[str] = Counter()
    for line in capture.readouterr().out.splitlines():
        metrics = json.loads(line) if line.startswith('{"_aws"') else None
        if metrics is None:
            continue
        (directive,) = metrics["_aws"]["CloudWatchMetrics"]
        assert sorted(map(sorted, directive["Dimensions"])) == [["service"], ["service", "workflow"]]
        assert (metrics["workflow"], metrics["service"]) == ("Flaky", "runstore")
        total.update({each["Name"]: int(sum(metrics[each["Name"]])) for each in directive["Metrics"]})
    return total


def test_a_run_that_ends_well(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """Two branches of two steps, after the start; one step fails in two attempts."""
    Flaky.faults["a"] = 2
    assert machine.run(["a", "b"]).status == "SUCCEEDED"
    expected = {"Runs": 1, "Attempts": 7, "AttemptFailures": 2, "Steps": 5, "CompletedRuns": 1}
    assert counted(capsys) == expected


def test_a_run_that_fails(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """The step fails after its last attempt, and so does the run, once."""
    Flaky.faults.update(a=9, b=9)
    assert machine.run(["a", "b"]).status == "FAILED"
    found = counted(capsys)
    assert (found["Runs"], found["FailedRuns"], found["CompletedRuns"]) == (1, 1, 0)
    assert found["StepFailures"] >= 1
    assert found["AttemptFailures"] >= 3
    assert found["Steps"] == 1


def test_an_attempt_that_runs_out_of_time(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """Step Functions notices it, and the function counts it when it hears of it."""
    faults = iter(["States.Timeout"])
    machine.inject = lambda event: next(faults, None) if action_of(event) == "work" else None
    assert machine.run(["a"]).status == "SUCCEEDED"
    found = counted(capsys)
    assert (found["StepTimeouts"], found["AttemptFailures"], found["StepFailures"]) == (1, 1, 0)


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """An X-Ray daemon, and an invocation that Lambda samples."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", f"127.0.0.1:{receiver.getsockname()[1]}")
        monkeypatch.setenv("_X_AMZN_TRACE_ID", f"{TRACE};Sampled=1")
        yield receiver


def received(daemon: socket.socket) -> dict[str, Any]:
    """Return the next subsegment."""
    header, _, document = daemon.recv(65_536).partition(b"\n")
    assert json.loads(header) == {"format": "json", "version": 1}
    segment: dict[str, Any] = json.loads(document)
    return segment


def test_a_trace_names_run_step_and_attempt(machine: Machine, daemon: socket.socket) -> None:
    """Every task of the workflow is a subsegment of Lambda's segment, with annotations that X-Ray can search."""
    execution = machine.run(["a"])
    begin, step = received(daemon), received(daemon)
    assert begin["annotations"] == {"run_id": execution.arn, "task": "begin"}
    assert (step["annotations"]["run_id"], step["annotations"]["attempt"]) == (execution.arn, 1)
    assert step["annotations"].keys() == {"run_id", "task", "step_id", "action", "attempt"}
    assert (step["type"], step["name"], step["fault"]) == ("subsegment", "Flaky", False)
    assert (step["trace_id"], step["parent_id"]) == ("1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8")
    assert step["start_time"] <= step["end_time"]
    assert begin["id"] != step["id"]


def test_a_failure_marks_its_subsegment(daemon: socket.socket) -> None:
    """An exception goes on, and the trace shows a fault."""
    with pytest.raises(ValueError, match="broken"), annotated("name", {"run_id": "r", "attempt": None}):
        raise ValueError("broken")
    segment = received(daemon)
    assert (segment["fault"], segment["annotations"]) == (True, {"run_id": "r"})


@pytest.mark.parametrize(
    "trace",
    ["", f"{TRACE};Sampled=0", TRACE, "Root=1;Sampled=1", ";=;"],
)
def test_nothing_is_sent_for_an_invocation_that_is_not_sampled(
    daemon: socket.socket, monkeypatch: pytest.MonkeyPatch, trace: str
) -> None:
    """Neither without a trace."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
    with annotated("name", {"run_id": "r"}):
        pass
    daemon.setblocking(False)  # noqa: FBT003 the standard library's own
    with pytest.raises(BlockingIOError):
        daemon.recv(1)
