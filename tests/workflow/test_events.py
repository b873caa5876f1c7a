"""Waits for events: early, late, double, lost and forged ones, time-outs, redrives and duplicated children."""

# ruff: noqa: ARG002 a step has these arguments, whether it uses them or not

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError

from runstore.errors import (
    ThrottledError,
)
from runstore.testing import run_workflow
from runstore.workflow import (
    InvalidEventTokenError,
    StepApi,
    Workflow,
)
from tests.workflow.driver import BEGAN, Machine
from tests.workflow.flaky import action_of
from tests.workflow.waiting import Waiting, begin, listening

DAY = 86_400


def test_an_event_resumes_the_branch_at_once(waiting: Machine) -> None:
    """The branch waits, costs nothing, and runs the action with payload and event; the first event counts."""
    execution = begin(waiting)
    assert listening(waiting) == 1
    [token] = Waiting.tokens
    assert len(next(iter(waiting.service.waits))) == 2_048
    assert waiting.send(token, {"ok": True}) == {"runId": execution.arn, "accepted": True}
    assert waiting.send(token, {"ok": False}) == {"runId": execution.arn, "accepted": False}
    waiting.loop.run()
    assert execution.output == {"answers": [{"payload": {"n": 0}, "event": {"ok": True}}]}
    assert waiting.loop.now - BEGAN < 61
    with pytest.raises(InvalidEventTokenError, match="its run is over"):
        waiting.send(token)


def test_a_token_is_fit_for_a_url_and_the_same_in_each_attempt(waiting: Machine) -> None:
    """Attempts of one step get the same tokens, waits of one step different ones, and other runs others."""
    Waiting.fails = 2
    begin(waiting, waits=3)
    assert Waiting.tokens[:3] == Waiting.tokens[3:6] == Waiting.tokens[6:]
    assert len(set(Waiting.tokens)) == 3
    begin(waiting)
    assert len(set(Waiting.tokens)) == 4
    for token in Waiting.tokens:
        assert all(character.isalnum() or character in "-_." for character in token)
        assert len(token.partition(".")[2]) >= 22  # 128 bits and more


def test_an_event_that_comes_before_the_wait_is_kept(waiting: Machine) -> None:
    """Sent while the asking step is still going to fail and be tried again: the wait ends as soon as it begins."""
    Waiting.fails = 1
    execution = begin(waiting, until=0.5)
    assert waiting.send(Waiting.tokens[0], 1)["accepted"]
    waiting.loop.run()
    assert execution.output == {"answers": [{"payload": {"n": 0}, "event": 1}]}
    assert waiting.loop.now - BEGAN < 10


def test_an_event_between_registration_and_answer_is_not_lost(waiting: Machine) -> None:
    """At whichever moment around the registration the event comes, the branch goes on at once."""
    for moment in range(12):
        Waiting.tokens.clear()
        seen: list[str] = []

        def inject(event: dict[str, Any], seen: list[str] = seen, moment: int = moment) -> None:
            seen.append(event["do"])
            if len(seen) == moment and Waiting.tokens:
                waiting.send(Waiting.tokens[0], moment)

        waiting.inject = inject
        before = waiting.loop.now
        execution = waiting.service.start({"data": {}})
        waiting.loop.run(until=before + 30)
        if execution.status == "RUNNING":
            waiting.send(Waiting.tokens[0], moment)
            waiting.loop.run()
        assert len(execution.output["answers"]) == 1, moment
        assert waiting.loop.now - before < 60


def test_a_timeout_runs_its_step_or_fails(waiting: Machine) -> None:
    """After the deadline `on_timeout` runs with the payload; without one the action has failed, and is handled."""
    execution = begin(waiting, until=0, timeout="1 hour", on_timeout="later")
    waiting.loop.run()
    assert execution.output == {"late": [{"payload": {"n": 0}}]}
    assert 3_600 <= waiting.loop.now - BEGAN < 3_605
    waiting.loop.now = BEGAN
    execution = begin(waiting, until=0, timeout=60)
    waiting.loop.run()
    [failure] = execution.output["failures"]
    assert failure["error"]["name"] == "EventTimeoutError"
    assert (failure["action"], failure["attempts"], failure["data"]) == ("answer", 0, {"payload": {"n": 0}})


def test_a_timeout_that_nothing_handles_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The execution fails with EventTimeoutError, and the runner agrees."""

    class Strict(Workflow):
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            api.wait_for_event("answer", timeout=60)

        def answer(self, data: Any, headers: Any, api: StepApi) -> None: ...

    execution = Machine(Strict, monkeypatch).run()
    assert (execution.status, execution.error) == ("FAILED", "EventTimeoutError")
    assert "action answer" in execution.cause
    error = run_workflow(Strict).error
    assert error is not None
    assert (error.name, error.action, error.attempts) == ("EventTimeoutError", "answer", 0)


def test_an_event_after_the_deadline_is_refused(waiting: Machine) -> None:
    """The deadline is the record's, whether or not the branch has noticed it."""
    begin(waiting, timeout="1 hour", on_timeout="later", others=1)
    waiting.loop.now = BEGAN + 3_700
    with pytest.raises(InvalidEventTokenError, match="has not timed out"):
        waiting.send(Waiting.tokens[0])


@pytest.mark.parametrize("waits", [1, 50])
def test_an_event_after_the_deadline_of_a_wait_that_never_began_is_refused(waits: int, waiting: Machine) -> None:
    """No function could register a task token: until the deadline an event is kept, after it refused."""
    waiting.inject = lambda event: "Lambda.TooManyRequestsException" if event["do"] == "listen" else None
    execution = begin(waiting, until=5, timeout="1 hour", waits=waits)
    early, late = Waiting.tokens[:-1], Waiting.tokens[-1]
    waiting.loop.now = BEGAN + 3_500
    assert all(waiting.send(token, 1)["accepted"] for token in early)
    waiting.loop.now = BEGAN + 3_700
    with pytest.raises(InvalidEventTokenError, match="this wait has timed out"):
        waiting.send(late, 1)
    assert len([key for key in waiting.items(execution) if key.endswith("event")]) == waits - 1


def test_a_wait_of_a_failed_attempt_is_unknown_once_another_has_succeeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever attempt asks, an event is kept while the step has no outcome; then only those that counted are."""

    class Changing(Workflow):
        tokens: ClassVar[list[str]] = []

        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            self.tokens.append(api.wait_for_event("first" if api.attempt == 1 else "second"))
            if api.attempt == 1:
                raise LookupError

        def first(self, data: Any, headers: Any, api: StepApi) -> None: ...

        def second(self, data: Any, headers: Any, api: StepApi) -> None: ...

    machine = Machine(Changing, monkeypatch)
    machine.service.start({"data": None})
    machine.loop.run(until=BEGAN + 0.5)
    assert machine.send(Changing.tokens[0])["accepted"]
    machine.loop.run(until=BEGAN + 60)
    with pytest.raises(InvalidEventTokenError, match="did not ask for this wait"):
        machine.send(Changing.tokens[0])
    assert machine.send(Changing.tokens[1])["accepted"]


def test_an_event_whose_waking_was_lost_is_found_at_the_deadline(waiting: Machine) -> None:
    """A sender that dies between writing the event and waking the branch strands nothing."""
    execution = begin(waiting, timeout="2 hours")
    waits = dict(waiting.service.waits)
    waiting.service.waits.clear()  # nobody can be woken
    assert waiting.send(Waiting.tokens[0], "late but there")["accepted"]
    waiting.service.waits.update(waits)
    waiting.loop.run()
    assert execution.output["answers"][0]["event"] == "late but there"
    assert waiting.loop.now - BEGAN < 7_210


def test_repeating_a_send_whose_waking_failed_wakes_the_branch(
    waiting: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A throttled Step Functions is an error that can be repeated; the event is recorded once."""
    execution = begin(waiting)

    def throttled(**_: object) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "SendTaskSuccess")

    with monkeypatch.context() as patch:
        patch.setattr(waiting.service, "send_task_success", throttled)
        with pytest.raises(ThrottledError) as raised:
            waiting.send(Waiting.tokens[0], 1)
    assert raised.value.may_have_happened
    assert listening(waiting) == 1
    waiting.send(Waiting.tokens[0], 2)
    waiting.loop.run(until=BEGAN + 120)
    assert execution.output["answers"] == [{"payload": {"n": 0}, "event": 1}]


@pytest.mark.parametrize("sent", ["before the redrive", "after the redrive", "never"])
def test_a_redrive_keeps_deadline_and_events(sent: str, waiting: Machine) -> None:
    """A run that fails while a branch waits is redriven: the old deadline holds, and an event sent meanwhile counts."""
    execution = begin(waiting, timeout="1 day", on_timeout="later", others=1)
    waiting.store(execution).set("breaks", 1)
    waiting.loop.run(until=BEGAN + 4_000)
    assert execution.status == "FAILED"
    waiting.store(execution).delete("breaks")
    token = Waiting.tokens[0]
    if sent == "before the redrive":
        assert waiting.send(token, 1)["accepted"]
    waiting.loop.now = BEGAN + 40_000
    execution.redrive()
    if sent == "after the redrive":
        waiting.loop.run(until=BEGAN + 41_000)
        assert waiting.send(token, 1)["accepted"]
    waiting.loop.run()
    assert execution.status == "SUCCEEDED", execution.cause
    if sent == "never":
        assert execution.output == {"late": [{"payload": {"n": 0}}]}
        assert DAY <= waiting.loop.now - BEGAN < DAY + 10
    else:
        assert execution.output == {"answers": [{"payload": {"n": 0}, "event": 1}]}
        assert waiting.loop.now - BEGAN < 45_000


def test_a_stopped_wait_keeps_its_deadline(waiting: Machine) -> None:
    """A redrive enters the state that waits again, with the time-out that it had: the record's deadline holds."""
    execution = begin(waiting, timeout="1 day", on_timeout="later")
    execution.stop()
    waiting.loop.run()
    waiting.loop.now = BEGAN + 40_000
    waiting.redrive(execution)
    assert execution.output == {"late": [{"payload": {"n": 0}}]}
    assert DAY <= waiting.loop.now - BEGAN < DAY + 10


def test_every_registered_task_is_woken(waiting: Machine) -> None:
    """A registration whose answer was lost is repeated with another task token; a duplicated child has its own."""
    lost: list[str] = []

    def inject(event: dict[str, Any]) -> str | None:
        if event["do"] == "listen" and len(lost) < 2:
            lost.append("+Lambda.ServiceException")
            return lost[-1]
        return None

    waiting.inject = inject
    execution = begin(waiting, waits=2)
    child = next(
        event["input"] for event in waiting.invocations if event["do"] == "begin" and "child" in event["input"]
    )
    twin = waiting.service.start(child, name="runstore-child-twin")
    waiting.loop.run(until=BEGAN + 120)
    assert listening(waiting) == 4
    for token in Waiting.tokens:
        assert waiting.send(token, token[-3:])["accepted"]
    waiting.loop.run(until=BEGAN + 180)
    assert (execution.status, twin.status) == ("SUCCEEDED", "SUCCEEDED")
    assert listening(waiting) == 0
    assert sorted(answer["payload"]["n"] for answer in execution.output["answers"]) == [0, 1]


def test_a_wait_whose_state_cannot_be_entered_is_tried_again_and_then_fails(waiting: Machine) -> None:
    """A function that cannot register is an attempt that failed; in the end the action has failed."""
    waiting.inject = lambda event: "Runtime.ExitError" if event["do"] == "listen" else None
    execution = begin(waiting, until=600)
    assert execution.output["failures"][0]["error"]["name"] == "StepCrashedError"


@pytest.mark.parametrize("waits", [90, pytest.param(1_000, marks=pytest.mark.prove)])
def test_many_waits_at_once_keep_the_bounds(waits: int, waiting: Machine) -> None:
    """They wait side by side with task tokens of 2,048 characters, and each gets its own event."""
    execution = begin(waiting, waits=waits)
    assert listening(waiting) == waits
    for number, token in enumerate(Waiting.tokens):
        assert waiting.send(token, number)["accepted"]
    waiting.loop.run()
    assert sorted(answer["event"] for answer in execution.output["answers"]) == list(range(waits))
    assert max(one.history for one in waiting.service.executions) <= 12_000
    assert max(one.largest_state for one in waiting.service.executions) <= 200_000


def test_only_the_step_knows_its_wait(waiting: Machine) -> None:
    """The attempt that runs after the event is repeated like any other, with the same event."""
    failures: list[str] = []

    def inject(event: dict[str, Any]) -> str | None:
        if action_of(event) == "answer" and event["state"]["next"]["do"] != "wait" and len(failures) < 2:
            failures.append("Runtime.ExitError")
            return failures[-1]
        return None

    execution = begin(waiting)
    waiting.inject = inject
    waiting.send(Waiting.tokens[0], json.loads("[1]"))
    waiting.loop.run()
    assert execution.output == {"answers": [{"payload": {"n": 0}, "event": [1]}]}
