"""Redrives, aborted runs, stragglers and races: what has counted once never counts again, in simulated time."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from runstore.workflow import StepApi
from runstore.workflow.records import Records
from runstore.workflow.run_record import Run
from tests.workflow.driver import BEGAN, Machine
from tests.workflow.flaky import Flaky, action_of


def test_a_redrive_runs_the_failed_step_again_and_nothing_that_is_complete(machine: Machine) -> None:
    """After a redrive the failed step has all its attempts again, complete steps do not run, nothing is doubled."""
    names = [f"n{number}" for number in range(45)]  # two children of a tree, and one that fails
    Flaky.faults["n3"] = 3
    execution = machine.run(names)
    assert execution.status == "FAILED"
    before = Counter(Flaky.ran)
    Flaky.ran.clear()
    machine.redrive(execution)
    assert (execution.status, execution.output["afters"], execution.output["works"]) == ("SUCCEEDED", 45, 45)
    assert execution.output["names"] == sorted(names)
    assert [entry for entry in Flaky.ran if entry.startswith("n3 ")] == ["n3 1"]
    again = Counter(Flaky.ran) & before
    assert set(again) <= {"n3 1"}
    assert machine.items(execution) == []


def test_a_redrive_may_fail_again_and_calls_the_error_hook_no_second_time(machine: Machine) -> None:
    """Each redrive gives the step its attempts; the error hook has run and does not run again."""
    Flaky.faults["a"] = 6
    execution = machine.run(["a"])
    machine.redrive(execution)
    assert (execution.status, execution.error) == ("FAILED", "ValueError")
    machine.redrive(execution)
    assert execution.status == "SUCCEEDED"
    assert Flaky.ran == [
        *("a 1", "a 2", "a 3", "error ValueError a is broken work 3"),
        *("a 1", "a 2", "a 3"),
        *("a 1", "after a", "complete"),
    ]


def test_a_redriven_child_goes_on_like_one_that_is_started_anew(machine: Machine) -> None:
    """Should a child be redriven by itself, its completed steps are not run again either, and the failed one is."""
    Flaky.faults["a"] = 3
    root = machine.run(["a", "b"])
    child = machine.service.executions[-1]
    assert (root.status, child.status, child.parent) == ("FAILED", "FAILED", root)
    Flaky.ran.clear()
    machine.redrive(child)
    assert child.status == "SUCCEEDED"
    assert "b 1" not in Flaky.ran


def test_an_aborted_run_goes_on_after_a_redrive(machine: Machine) -> None:
    """Stopping the root stops its children; a redrive goes on with what had not run."""
    execution = machine.service.start({"data": [f"n{number}" for number in range(90)]})
    machine.loop.run(until=BEGAN + 30)
    execution.stop()
    machine.loop.run()
    assert {execution.status for execution in machine.service.executions} == {"ABORTED"}
    assert not any(entry.startswith("after") for entry in Flaky.ran)
    works = len(Flaky.ran)
    machine.redrive(execution)
    assert execution.output["afters"] == 90
    assert sum(entry.startswith("n") for entry in Flaky.ran) == works == 90


def test_a_straggler_of_an_aborted_run_is_refused(machine: Machine) -> None:
    """A step of a child that outlived its root runs no more, once retire_run has noted the root's end."""
    execution = machine.service.start({"data": ["a"]})
    machine.loop.run(until=BEGAN + 30)
    assert machine.retire(execution, "ABORTED") > 0
    machine.loop.run()
    assert "after a" not in Flaky.ran
    assert (execution.status, execution.error) == ("FAILED", "RunEndedError")
    machine.redrive(execution)
    assert execution.output["afters"] == 1


def test_a_straggler_from_before_a_redrive_is_refused(machine: Machine) -> None:
    """A branch that nobody could stop finds, once the redriven execution runs, that it is late."""
    execution = machine.service.start({"data": ["a", "b"]})
    machine.loop.run(until=BEGAN + 30)
    execution.stop()
    late = [event for event in machine.invocations if event["do"] == "step"][-1]
    late["state"]["next"]["step"] |= {"id": "1.1.3", "action": "after", "input": {"data": '{"name": "late"}'}}
    execution.redrive()
    moment = BEGAN + 60
    while not Flaky.ran[-1].startswith("after"):  # the first step of the redriven execution
        moment += 0.01
        machine.loop.run(until=moment)
    answer = machine.answer_to(late)
    assert answer["next"]["error"]["name"] == "RunEndedError"
    assert "redriven since" in answer["next"]["error"]["message"]
    machine.loop.run()
    assert execution.status == "SUCCEEDED"
    assert "after late" not in Flaky.ran


def test_no_step_begins_after_the_first_final_failure(machine: Machine) -> None:
    """While the error hook runs, and before Step Functions has stopped anything, a step that comes is refused."""
    refused: list[Any] = []

    def inject(event: dict[str, Any]) -> str | None:
        if event["do"] == "failed" and not refused:
            machine.answer_to(event, expect=ValueError)
            other = next(
                old for old in machine.invocations if action_of(old) == "work" and old["state"] != event["state"]
            )
            other["state"]["next"]["step"] |= {"id": "new", "action": "after", "input": {"data": '{"name": "new"}'}}
            refused.append(machine.answer_to(other))
        return None

    Flaky.faults["a"] = 9
    machine.inject = inject
    assert machine.run(["a", "b"]).error == "ValueError"
    assert refused[0]["next"]["do"] == "fail"
    assert refused[0]["next"]["error"] == {"name": "ValueError", "message": "a is broken"}
    assert "after new" not in Flaky.ran


def test_the_failure_that_was_recorded_first_is_the_runs(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps fail for good at the same moment: both tasks raise, and the hook is told, the one recorded first."""
    Flaky.faults.update(a=9, b=9)
    original = Records.run
    looked: list[Run | None] = []

    def run_as_it_was(self: Records) -> Run | None:
        looked.append(original(self))
        return replace(looked[-1], failure=None) if len(looked) == 2 and looked[-1] else looked[-1]

    monkeypatch.setattr(Records, "run", run_as_it_was)
    events: list[dict[str, Any]] = []
    machine.inject = lambda event: events.append(event) if event["do"] == "failed" else None
    execution = machine.run(["a", "b"])
    other = next(
        event
        for event in machine.invocations
        if action_of(event) == "work" and "b" in str(event["state"]["next"]["step"])
    )
    second = events[0] | {"state": other["state"]}
    second["state"]["next"] |= {"do": "fail", "error": {"name": "KeyError", "message": "late"}}
    looked[:] = looked[:1]
    machine.answer_to(second, expect=ValueError)
    assert execution.error == "ValueError"
    assert sum(entry.startswith("error") for entry in Flaky.ran) == 1


def test_the_first_outcome_of_a_step_is_the_one_that_counts(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two attempts run side by side and schedule different steps: what the first to end has scheduled runs, once."""
    payloads = iter(["first", "second"])
    overtaken: list[Any] = []

    def work(_self: object, _data: Any, _headers: Any, api: StepApi) -> None:
        mine = next(payloads)
        if mine == "first":
            event = next(event for event in machine.invocations if action_of(event) == "work")
            overtaken.append(machine.answer_to(event))
        api.schedule_next_step(1, "after", {"name": mine})

    monkeypatch.setattr(Flaky, "work", work)
    machine.run(["a"])
    assert overtaken[0]["next"]["step"]["input"]["data"] == '{"name": "second"}'
    assert [entry for entry in Flaky.ran if entry.startswith("after")] == ["after second"]
