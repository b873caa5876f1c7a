"""Timelines of histories as AWS writes them: the local stack leaves out what happens inside a Map."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from runstore_inspector.history import Span, timeline
from runstore_inspector.page import rows

START = datetime(2026, 11, 24, 12, tzinfo=UTC)


class History:
    """Events in their order, each a second after the one before, linked as AWS links them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.add("ExecutionStarted", 0)

    def add(self, kind: str, before: int | None = None, **details: Any) -> int:
        """Add an event after the event `before`, by default the last one, and return its number."""
        number = len(self.events) + 1
        if kind.endswith("StateEntered"):
            name = "stateEntered"
        elif kind.endswith("StateExited"):
            name = "stateExited"
        else:
            name = kind[0].lower() + kind[1:]
        event = {
            "id": number,
            "previousEventId": number - 1 if before is None else before,
            "timestamp": START + timedelta(seconds=number),
            "type": kind,
        }
        self.events.append(event | ({f"{name}EventDetails": details} if details else {}))
        return number

    def task(self, name: str, before: int | None = None, failures: int = 0) -> int:
        """Add a task that fails so often before it succeeds."""
        last = self.add("TaskStateEntered", before, name=name)
        for _ in range(failures):
            self.add("TaskScheduled", last)
            last = self.add("TaskFailed", error="Busy", cause=json.dumps({"errorMessage": "not now"}))
        last = self.add("TaskScheduled", last)
        last = self.add("TaskSucceeded", last)
        return self.add("TaskStateExited", last, name=name)


def facts(span: Span) -> tuple[str, str, int, str]:
    """Return what tells a span."""
    return span.name, span.kind, span.depth, span.status


def test_iterations_of_a_map_that_interleave_are_told_apart() -> None:
    """Each task is inside its own iteration, whatever order the events have."""
    history = History()
    entered = history.add("MapStateEntered", name="Items")
    begun = history.add("MapStateStarted", entered, length=2)
    first = history.add("MapIterationStarted", begun, name="Items", index=0)
    second = history.add("MapIterationStarted", begun, name="Items", index=1)
    one = history.add("TaskStateEntered", first, name="Push")
    other = history.add("TaskStateEntered", second, name="Push")
    other = history.add("TaskScheduled", other)
    one = history.add("TaskScheduled", one)
    other = history.add("TaskFailed", other, error="Busy", cause="not now")
    one = history.add("TaskStateExited", history.add("TaskSucceeded", one), name="Push")
    other = history.add("TaskScheduled", other)
    other = history.add("TaskStateExited", history.add("TaskSucceeded", other), name="Push")
    history.add("MapIterationSucceeded", one, name="Items", index=0)
    last = history.add("MapIterationSucceeded", other, name="Items", index=1)
    history.add("MapStateExited", history.add("MapStateSucceeded", last), name="Items")
    history.task("After")
    history.add("ExecutionSucceeded")
    found = timeline(history.events)
    assert [facts(span) for span in found.spans] == [
        ("Items", "Map", 0, "done"),
        ("#0", "Iteration", 1, "done"),
        ("#1", "Iteration", 1, "done"),
        ("Push", "Task", 2, "done"),
        ("Push", "Task", 2, "done"),
        ("After", "Task", 0, "done"),
    ]
    assert [(span.attempts, span.error) for span in found.spans[3:5]] == [(1, ""), (2, "Busy")]
    assert [span.parent and span.parent.name for span in found.spans[3:5]] == ["#0", "#1"]
    assert found.ended is not None


def test_branches_of_a_parallel_are_inside_of_it() -> None:
    """What follows the Parallel is outside again."""
    history = History()
    entered = history.add("ParallelStateEntered", name="Both")
    begun = history.add("ParallelStateStarted", entered)
    history.task("A", begun)
    last = history.task("B", begun)
    history.add("ParallelStateExited", history.add("ParallelStateSucceeded", last), name="Both")
    history.task("After")
    found = timeline(history.events)
    assert [(span.name, span.depth) for span in found.spans] == [("Both", 0), ("A", 1), ("B", 1), ("After", 0)]
    assert [span.status for span in found.spans] == ["done"] * 4
    assert found.ended is None


def test_a_failure_is_where_it_happened() -> None:
    """A task that fails for good fails the execution; an iteration beside it was stopped."""
    history = History()
    history.task("Before", failures=2)
    begun = history.add("MapStateStarted", history.add("MapStateEntered", name="Items"), length=2)
    first = history.add("MapIterationStarted", begun, name="Items", index=0)
    second = history.add("MapIterationStarted", begun, name="Items", index=1)
    history.add("WaitStateEntered", second, name="Wait")
    one = history.add("TaskScheduled", history.add("TaskStateEntered", first, name="Push"))
    one = history.add("TaskFailed", one, error="KeyError", cause=json.dumps({"errorMessage": "'id'"}))
    history.add("ExecutionFailed", one, error="KeyError", cause="{}")
    found = timeline(history.events)
    assert found.failed is not None
    assert (found.failed.name, found.failed.error) == ("Push", "KeyError")
    by_name = {span.name: span for span in found.spans}
    assert (by_name["Before"].attempts, by_name["Before"].status) == (3, "done")
    assert by_name["Wait"].status == "stopped"
    chart = rows.of_timeline(found)
    assert chart.failed is not None
    assert chart.failed.message == "'id'"


def test_a_caught_error_and_a_fail_state_are_told() -> None:
    """The state that the machine left by its Catch is marked, and the Fail state has the error."""
    history = History()
    history.add("TaskStateEntered", name="Risky")
    history.add("TaskScheduled")
    history.add("TaskTimedOut", error="States.Timeout")
    history.add("TaskStateExited", name="Risky")
    history.add("FailStateEntered", name="GiveUp")
    history.add("ExecutionFailed", error="TooLate", cause="gave up")
    found = timeline(history.events)
    assert [(span.name, span.status, span.error) for span in found.spans] == [
        ("Risky", "caught", "States.Timeout"),
        ("GiveUp", "failed", "TooLate"),
    ]


def test_a_stopped_execution_says_so() -> None:
    """What ran when somebody stopped it is stopped."""
    history = History()
    history.add("WaitStateEntered", name="Wait")
    history.add("ExecutionAborted")
    (span,) = timeline(history.events).spans
    assert span.status == "stopped"


def test_a_redriven_task_goes_on_where_it_failed() -> None:
    """AWS schedules the task again without entering its state again: one span, with one more attempt."""
    history = History()
    history.task("Before")
    history.add("TaskStateEntered", name="Push")
    history.add("TaskScheduled")
    history.add("TaskFailed", error="KeyError", cause="{}")
    history.add("ExecutionFailed", error="KeyError", cause="{}")
    history.add("ExecutionRedriven", redriveCount=1)
    last = history.add("TaskScheduled")
    found = timeline(history.events)
    assert [(span.name, span.status, span.attempts) for span in found.spans] == [
        ("Before", "done", 1),
        ("Push", "running", 2),
    ]
    assert (found.spans[1].ended, found.ended) == (None, None)
    history.add("TaskStateExited", history.add("TaskSucceeded", last), name="Push")
    history.task("Push")  # the machine comes back to the state: that is another span
    history.add("ExecutionSucceeded")
    found = timeline(history.events)
    assert [(span.name, span.status, span.attempts) for span in found.spans[1:]] == [
        ("Push", "done", 2),
        ("Push", "done", 1),
    ]
    assert found.failed is None
    assert found.ended is not None


def test_a_redriven_map_goes_on_with_its_stopped_iteration() -> None:
    """A Map that is left after a redrive is done, and so is what was stopped inside of it."""
    history = History()
    begun = history.add("MapStateStarted", history.add("MapStateEntered", name="Items"), length=1)
    history.add("TaskStateEntered", history.add("MapIterationStarted", begun, name="Items", index=0), name="Push")
    history.add("TaskScheduled")
    history.add("ExecutionAborted")
    history.add("ExecutionRedriven", redriveCount=1)
    history.add("TaskScheduled")
    history.add("TaskSucceeded")
    history.add("TaskStateExited", name="Push")
    history.add("MapIterationSucceeded", name="Items", index=0)
    history.add("MapStateSucceeded")
    history.add("MapStateExited", name="Items")
    history.add("ExecutionSucceeded")
    found = timeline(history.events)
    assert [(*facts(span), span.attempts) for span in found.spans] == [
        ("Items", "Map", 0, "done", 0),
        ("#0", "Iteration", 1, "done", 0),
        ("Push", "Task", 2, "done", 2),
    ]


def test_steps_of_a_workflow_class_have_their_names() -> None:
    """Of the engine's own state the action and the id are kept, of its input nothing else."""
    history = History()
    state = {"next": {"step": {"id": "1.0.1", "action": "process_item", "input": {"data": "secret"}}}}
    history.add("TaskStateEntered", name="Step", input=json.dumps(state))
    (span,) = timeline(history.events).spans
    assert (span.name, span.kind) == ("process_item", "Step 1.0.1")
    assert "secret" not in repr(span)


def test_what_is_urgent_is_shown_first_where_not_all_can_be() -> None:
    """Of thousands of states a page shows what failed or runs, and says how many it leaves out."""
    history = History()
    for number in range(300):
        history.task(f"Task {number}")
    history.add("TaskStateEntered", name="Running")
    chart = rows.of_timeline(timeline(history.events))
    assert (len(chart.rows), chart.hidden) == (rows.MAX_ROWS, 101)
    assert chart.rows[-1].name == "Running"
    assert chart.counts == {"done": 300, "running": 1}
