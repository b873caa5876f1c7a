"""What a person may see of a live run: each state of a step, and the waits that are pending."""

from __future__ import annotations

import random
from typing import Any, ClassVar

import pytest

from runstore.dynamodb.defaults import transport_of
from runstore.dynamodb.table import Table
from runstore.workflow import StepApi, Workflow, step
from runstore.workflow.view import RunView, StepView, read_steps, read_token
from tests.workflow.driver import BEGAN, Machine
from tests.workflow.random_trees import RandomTree, random_tree


class Office(Workflow):
    """Has a step in every state."""

    token: ClassVar[str] = ""

    def start(self, _data: Any, _headers: Any, api: StepApi) -> None:
        """Begin a branch for each state."""
        api.schedule_next_step("1 day", "file", {"text": "x" * 600})
        api.schedule_next_step(0, "ask", {"about": "money"})
        api.schedule_next_step(0, "stumble")
        api.schedule_next_step(0, "break_down")
        api.join("close", {"n": 1}, delay=5)

    def ask(self, _data: Any, _headers: Any, api: StepApi) -> None:
        """Wait for an event."""
        Office.token = api.wait_for_event("answer", {"n": 2}, timeout="2 days", on_timeout="file")

    @step(attempts=3, backoff="1 hour")
    def stumble(self, _data: Any, _headers: Any, _api: StepApi) -> None:
        """Fail and be tried again."""
        raise LookupError("stumbled")

    @step(attempts=1, on_failure="file")
    def break_down(self, _data: Any, _headers: Any, _api: StepApi) -> None:
        """Fail for good."""
        raise LookupError("broken")

    def file(self, _data: Any, _headers: Any, _api: StepApi) -> None:
        """Do nothing."""

    def answer(self, _data: Any, _headers: Any, _api: StepApi) -> None:
        """Do nothing."""

    def close(self, _data: Any, _headers: Any, _api: StepApi) -> None:
        """Run when all have ended."""


def look(machine: Machine, arn: str) -> RunView:
    """Return what there is to see."""
    view = read_steps(Table(transport_of(machine.client), machine.settings, arn))
    assert view is not None
    return view


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The office, deployed."""
    return Machine(Office, monkeypatch)


def test_every_state_of_a_step_is_seen(office: Machine) -> None:
    """Waiting, retried, failed and handled, done, joined: with times, attempts, errors, sizes and children."""
    execution = office.service.start({"data": None})
    office.loop.run(until=BEGAN + 60)
    view = look(office, execution.arn)
    steps = {shown.action + "/" + shown.id: shown for shown in view.steps}
    assert list(steps) == [
        "start/1", "file/1.0.1", "ask/1.1.1", "answer/1.1.2", "stumble/1.2.1", "break_down/1.3.1", "file/1.3.2",
        "close/2",
    ]  # fmt: skip
    start, filed, ask, answer, stumble, broken, handler, close = view.steps
    assert (start.status, start.children) == ("done", ["1.0.1", "1.1.1", "1.2.1", "1.3.1", "2"])
    assert (filed.status, filed.payload_bytes, filed.due) == ("waiting", 611, view.steps[0].began and BEGAN + 86_401)
    assert (ask.status, ask.children, ask.parent) == ("done", ["1.1.2"], "1")
    assert (answer.status, answer.waits_until, answer.attempts) == ("waiting", view.waits[0].deadline, 0)
    assert (stumble.status, stumble.attempts, stumble.error) == ("retried", 1, ("LookupError", "stumbled"))
    assert stumble.due is not None
    assert 3_600 <= stumble.due - BEGAN <= 3_602
    assert (broken.status, broken.error, broken.children) == ("failed", ("LookupError", "broken"), ["1.3.2"])
    assert (handler.status, handler.role, handler.parent) == ("done", "handler", "1.3.1")
    assert (close.status, close.role, close.due, close.payload_bytes) == ("waiting", "join", None, 7)
    assert all(BEGAN <= (shown.began or BEGAN) <= (shown.ended or BEGAN + 60) for shown in view.steps)
    assert (view.redrives, view.failure) == (0, None)


def test_a_pending_wait_has_its_deadline_and_no_secret(office: Machine) -> None:
    """The token is not part of what is shown, and can be had by who is going to send it; then the wait is gone."""
    execution = office.service.start({"data": None})
    office.loop.run(until=BEGAN + 60)
    [wait] = look(office, execution.arn).waits
    assert (wait.step_id, wait.action, wait.asked_by, wait.on_timeout) == ("1.1.2", "answer", "1.1.1", "file")
    assert 2 * 86_400 <= wait.deadline - BEGAN <= 2 * 86_400 + 2
    secret = office.database.partitions[execution.arn]["\x1drun"]["secret"]["S"]
    assert secret not in repr(look(office, execution.arn))
    assert Office.token not in repr(look(office, execution.arn))
    assert read_token(Table(transport_of(office.client), office.settings, execution.arn), wait) == Office.token
    office.send(Office.token, {})
    assert look(office, execution.arn).waits == []
    office.loop.run(until=BEGAN + 61)
    assert {shown.action: shown for shown in look(office, execution.arn).steps}["answer"].status == "done"


def test_a_failed_run_shows_where_it_failed(office: Machine) -> None:
    """After the last attempt of a step that nothing handles, the step has failed and the run says how."""
    execution = office.service.run({"data": None})
    assert execution.status == "FAILED"
    view = look(office, execution.arn)
    assert view.failure is not None
    assert view.failure.action == "stumble"
    stumble = next(shown for shown in view.steps if shown.action == "stumble")
    assert (stumble.status, stumble.attempts) == ("failed", 3)
    assert view.steps[-1].status == "waiting"


def test_a_run_without_records_has_no_steps(office: Machine) -> None:
    """What is no workflow's run, or has ended, is None."""
    assert read_steps(Table(transport_of(office.client), office.settings, "arn:nothing")) is None


def test_a_walk_finds_every_step_of_a_wide_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 90 branches the view has each step that the records have an outcome of, each before its children."""
    data = random_tree(random.Random(5), 2)
    data["children"] = [{**data, "children": [], "join": None, "how": "plain", "delay": "1 hour"}] * 90
    data["join"] = None
    machine = Machine(RandomTree, monkeypatch)
    execution = machine.service.start({"data": {**data, "fails": 0}})
    machine.loop.run(until=BEGAN + 60)
    view = look(machine, execution.arn)
    waiting = [shown for shown in view.steps if shown.status == "waiting"]
    assert len(view.steps) == 91
    assert len(waiting) == 90
    seen: set[str | None] = {None}
    for shown in view.steps:
        assert isinstance(shown, StepView)
        assert shown.parent in seen
        seen.add(shown.id)
