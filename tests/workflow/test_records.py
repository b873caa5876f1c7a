"""The engine's records: how many requests they take, what DynamoDB refuses, and what several versions read."""

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from runstore import clock
from runstore.dynamodb.defaults import transport_of
from runstore.dynamodb.table import Table
from runstore.errors import ThrottledError
from runstore.workflow import HookApi, StepApi, Workflow, step
from runstore.workflow.machine import VERSION
from runstore.workflow.records import Records
from tests.workflow.driver import BEGAN, Machine, OneAtATime
from tests.workflow.flaky import Flaky, action_of

if TYPE_CHECKING:
    from runstore.workflow.run_record import Run


class Wide(Workflow):
    """Schedules what it is told to, once."""

    ran: ClassVar[Counter[str]] = Counter()

    @step(attempts=1)
    def start(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Begin so many branches with payloads of that size."""
        self.ran["start"] += 1
        for _ in range(data["width"]):
            api.schedule_next_step(0, "leaf", data["text"])

    def leaf(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Count what has arrived."""
        api.run_store.increment("characters", len(data))

    def on_workflow_complete(self, api: HookApi) -> Any:
        """Return the count."""
        return api.run_store.get("characters")


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The wide workflow, deployed; what waits for DynamoDB does not wait."""
    monkeypatch.setattr(Wide, "ran", Counter())
    monkeypatch.setattr(clock, "sleep", lambda _: None)
    return Machine(Wide, monkeypatch)


@pytest.mark.parametrize(("width", "most"), [(1, 7), (1_000, 47)])
def test_payloads_are_written_in_batches(width: int, most: int, wide: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that schedules a thousand payloads of 600 bytes sends 42 batches for them and their lists, not 1,026."""
    sent: list[str] = []
    deliver = OneAtATime.deliver

    def count(self: OneAtATime, operation: str, request: Any) -> dict[str, Any]:
        sent.append(operation)
        return deliver(self, operation, request)

    monkeypatch.setattr(OneAtATime, "deliver", count)
    wide.service.start({"data": {"width": width, "text": "x" * 600}})
    wide.loop.run(until=BEGAN + 0.05)
    assert Wide.ran["start"] == 1
    assert len(sent) <= most


def test_payloads_in_batches_arrive(wide: Machine) -> None:
    """Whatever its record, every branch gets its payload."""
    assert wide.run({"width": 60, "text": "x" * 600}).output == 60 * 600


@pytest.mark.parametrize("method", ["put", "batch_put"])
def test_an_outcome_that_is_throttled_is_written_by_the_same_attempt(
    method: str, wide: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that may be tried once runs once, also when its outcome can only be recorded at the third try."""
    write, refused = getattr(Table, method), Counter[str]()

    def throttled(self: Table, request: Any) -> Any:
        if Wide.ran["start"] and refused[method] < 2:
            refused[method] += 1
            raise ThrottledError("injected")
        return write(self, request)

    monkeypatch.setattr(Table, method, throttled)
    assert wide.run({"width": 2, "text": "x" * 600}).output == 1_200
    assert refused[method] == 2
    assert Wide.ran["start"] == 1


def test_text_that_no_state_can_hold_reaches_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lone surrogate in a payload stays out of the state, which is strict UTF-8, and arrives."""

    class Odd(Workflow):
        def start(self, _data: Any, _headers: Any, api: StepApi) -> None:
            api.schedule_next_step(0, "look", "\ud800")

        def look(self, data: Any, _headers: Any, api: StepApi) -> None:
            api.run_store.set("seen", ascii(data))

        def on_workflow_complete(self, api: HookApi) -> Any:
            return api.run_store.get("seen")

    assert Machine(Odd, monkeypatch).run({}).output == ascii("\ud800")


def test_a_generation_that_another_step_has_begun_and_ended_is_looked_at_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that loses the race to begin a redrive's generation to one that failed in it does not run."""
    Flaky.faults.update(a=9)
    execution = machine.run(["a", "b"])
    event = next(event for event in machine.invocations if action_of(event) == "work" and "b" in str(event))
    stale: list[Run | None] = [Records(_table(machine, execution.arn)).run()]
    machine.redrive(execution)
    assert execution.status == "FAILED"
    original = Records.run_and_outcome
    monkeypatch.setattr(Records, "run_and_outcome", lambda self, step_id: (stale.pop(), original(self, step_id)[1]))
    event["state"]["next"]["step"]["id"] = "new"
    Flaky.ran.clear()
    answer = machine.answer_to(event | {"redrives": 1})
    assert answer["next"]["error"]["name"] == "ValueError"
    assert Flaky.ran == []


def _table(machine: Machine, arn: str) -> Table:
    return Table(transport_of(machine.client), machine.settings, arn)


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1])
def test_a_run_of_another_version_is_refused(version: int, machine: Machine) -> None:
    """A package that does not read a run's state says which version it reads, and runs no step."""
    machine.inject = lambda event: event["state"]["run"].update(version=version) if action_of(event) == "work" else None
    execution = machine.run(["a"])
    assert execution.status == "FAILED"
    assert f"must be of version {VERSION}; got {version}" in execution.cause
    assert "a 1" not in Flaky.ran
    assert "a 1" not in Flaky.ran
