"""The steps of a workflow class, as the engine's records tell while the run lives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from runstore import clock
from runstore.workflow import view
from runstore_inspector import reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstore.dynamodb.table import Table
    from runstore_inspector.connection import Connection
    from runstore_inspector.reading import Wire

FAILED, RETRYING, RUNNING, WAITING, DONE = "failed", "retrying", "running", "waiting", "done"
MAX_UNITS = 250.0  # read units of a run's records; beyond them the steps are read only when that is asked for
_MAX_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Step:
    """A step. Times are epoch seconds, None where they are not known.

    Attributes:
        id: The step's id.
        action: The method's name.
        status: failed, retrying, running, waiting or done.
        role: step, join or handler (of a failure).
        depth: How many steps that scheduled several others led to it.
        attempts: How many attempts have ended.
        due: When it is due.
        began: When its first attempt began.
        ended: When it ended.
        failed_at: When the last failed attempt of a step that is tried again ended.
        error: The class name of the last error, "" without one.
        message: That error's text.
        payload_bytes: The size of its payload, None where it is not known.
    """

    id: str
    action: str
    status: str
    role: str = "step"
    depth: int = 0
    attempts: int = 0
    due: float | None = None
    began: float | None = None
    ended: float | None = None
    error: str = ""
    message: str = ""
    payload_bytes: int | None = None
    failed_at: float | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait for an event: the step that runs when it comes, who asked for it, and until when."""

    step_id: str
    action: str
    asked_by: str
    deadline: float
    on_timeout: str | None = None


@dataclass(frozen=True, slots=True)
class Workflow:
    """What the engine's records tell of a run; `unread` says that there are too many of them to read unasked."""

    steps: tuple[Step, ...] = ()
    waits: tuple[Wait, ...] = ()
    unread: bool = False

    @property
    def done(self) -> int:
        """How many steps are done."""
        return sum(step.status == DONE for step in self.steps)

    @property
    def total(self) -> int:
        """How many steps are known."""
        return len(self.steps)


def read(connection: Connection, run_id: str, *, max_units: float | None = MAX_UNITS) -> Workflow | None:
    """Return the steps of a run, None if it has no records: it is of no workflow class, or has ended well."""
    try:
        found = view.read_steps(cast("Table", _Records(connection, run_id, max_units)))
    except _TooManyError:
        return Workflow(unread=True)
    if found is None:
        return None
    depths: dict[str, int] = {}
    ends = {step.id: step.ended for step in found.steps}
    wide = {step.id for step in found.steps if len(step.children) > 1}
    steps = []
    for each in found.steps:
        parent = each.parent
        depth = 0 if parent is None else depths.get(parent, 0) + (parent in wide and each.role != "join")
        depths[each.id] = depth
        if each.due is not None and each.began is None:  # a time that is over means at once: when its parent ended
            each.due = max(each.due, (ends.get(parent) if parent else None) or 0)
        steps.append(_step(each, min(depth, _MAX_DEPTH)))
    waits = tuple(
        Wait(each.step_id, each.action, each.asked_by, each.deadline, each.on_timeout) for each in found.waits
    )
    return Workflow(tuple(steps), waits)


def ended(workflow: Workflow, at: float | None) -> Workflow:
    """Return the steps of a workflow that has ended well since they were read; the last ends may not be known."""
    steps = (
        step if step.status in {DONE, FAILED} else replace(step, status=DONE, began=step.began or step.due, ended=at)
        for step in workflow.steps
    )
    return replace(workflow, steps=tuple(steps), waits=())


def event_token(connection: Connection, run_id: str, step_id: str) -> str | None:
    """Return the token of the wait that a step is for, to send its event; None if nothing waits there. Never shown."""
    records = cast("Table", _Records(connection, run_id, None))
    found = view.read_steps(records)
    wait = next((each for each in found.waits if each.step_id == step_id), None) if found else None
    return view.read_token(records, wait) if wait else None


def _step(each: view.StepView, depth: int) -> Step:
    error, message = each.error or ("", "")
    status = RETRYING if each.status == "retried" else each.status
    if status == RETRYING and each.due is not None and each.due <= clock.now():
        status = RUNNING  # its next attempt
    return Step(
        each.id,
        each.action,
        status,
        each.role,
        depth,
        each.attempts,
        each.waits_until or each.due,
        each.began,
        each.ended if status in {DONE, FAILED} else None,
        error,
        message,
        each.payload_bytes,
        each.ended if status == RETRYING else None,
    )


class _TooManyError(Exception):
    """Reading all records would cost more than is read unasked."""


class _Records:
    """What the engine's reading asks of a table, within a number of read units."""

    def __init__(self, connection: Connection, run_id: str, max_units: float | None) -> None:
        self._connection, self.run_id, self._max_units = connection, run_id, max_units

    def query(self, first: str, last: str) -> Iterator[Wire]:
        request: dict[str, Any] = {}
        units = 0.0
        while True:
            answer = reading.query(self._connection, self.run_id, first, last, **request)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            units += reading.UNITS_A_PAGE
            if self._max_units is not None and units >= self._max_units:
                raise _TooManyError
            request["start"] = answer["LastEvaluatedKey"]

    def get_raw(self, key: str) -> Wire | None:
        """Return one record."""
        return next(iter(reading.query(self._connection, self.run_id, key, key, limit=1)["Items"]), None)
