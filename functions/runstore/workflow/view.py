"""What a person may see of a live run: its steps, and its waits for events.

`read_steps(table)` reads the engine's records of a run (one Query of the records alone, a request for each megabyte of
them) and returns a `RunView`, or None if the run has no records: it is not a workflow's, has ended well, or has not
begun. Nothing is written. The reading is not a snapshot: a step can end while it is read.

The engine writes nothing when a step begins, so that a step costs one write unit. What has no outcome and is due is
therefore `running`, which includes the seconds until Lambda starts it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from runstore import clock
from runstore.model.items import GROUP_SEPARATOR
from runstore.workflow import machine, proofs
from runstore.workflow.definition import START
from runstore.workflow.run_record import RUN, key_of, read_run

if TYPE_CHECKING:
    from typing import Any

    from runstore.dynamodb.table import Table
    from runstore.model.items import Wire
    from runstore.workflow.errors import StepFailure

Status: TypeAlias = Literal["waiting", "running", "retried", "failed", "done"]


@dataclass(slots=True)
class StepView:
    """One step of a run. Times are epoch seconds, None where there is none (yet).

    Attributes:
        id: Its id.
        action: The method that it runs.
        parent: The id of the step that scheduled it; None for `start`.
        status: "waiting" for its time, for an event, or for the branches of its join; "running" (or about to begin);
            "retried", after a failed attempt, until the next one ends; "failed" for good; "done".
        role: "step"; "join" of what its parent scheduled; "handler" of its parent's failure.
        due: When it is due; for one that is retried, when the next attempt is; None for a join whose branches run.
        began: When its first attempt began.
        ended: When it ended, or when its last failed attempt did.
        attempts: How many attempts have ended; 0 if none is known to have.
        error: (class name, message) of the last failed attempt.
        payload_bytes: The size of its payload as JSON; None for `start`, whose data are the execution's input, and for
            handlers.
        children: The ids of the steps that it scheduled, its join last, or its handler.
        waits_until: While it waits for an event, the end of that wait.
    """

    id: str
    action: str
    parent: str | None = None
    status: Status = "running"
    role: Literal["step", "join", "handler"] = "step"
    due: float | None = None
    began: float | None = None
    ended: float | None = None
    attempts: int = 0
    error: tuple[str, str] | None = None
    payload_bytes: int | None = None
    children: list[str] = field(default_factory=list)
    waits_until: float | None = None


@dataclass(frozen=True, slots=True)
class PendingWait:
    """A branch that waits for an event: the step that will run, who asked, and until when (epoch seconds)."""

    step_id: str
    action: str
    asked_by: str
    deadline: float
    on_timeout: str | None
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RunView:
    """A live run: when it started and must end, how often it was redriven, its failure if it has failed.

    `steps` are in the order of a walk from `start`, each step before what it scheduled; `waits` are those that no event
    and no time-out has ended.
    """

    run_id: str
    started: str
    deadline: float
    redrives: int
    failure: StepFailure | None
    steps: list[StepView]
    waits: list[PendingWait]


def read_steps(table: Table) -> RunView | None:
    """Return what the records of a run say; None if there are none."""
    wires = {wire["key"]["S"]: wire for wire in table.query(GROUP_SEPARATOR, f"{GROUP_SEPARATOR}~")}
    if RUN not in wires:
        return None
    run = read_run(wires[RUN])
    walk = _Walk(wires, clock.now(), run.failure)
    began = machine.epoch_seconds(run.started)
    steps = walk.steps(StepView("1", START, due=began))
    return RunView(table.run_id, run.started, run.deadline, run.generation, run.failure, steps, walk.waits)


def read_token(table: Table, wait: PendingWait) -> str | None:
    """Return the token that sends a wait's event, for someone who is going to send it; None if the run is over.

    Anyone who has the token can send the event: do not show it unless asked.
    """
    wire = table.get_raw(RUN)
    return None if wire is None else proofs.event_token(read_run(wire).secret, table.run_id, wait.asked_by, wait.name)


class _Walk:
    """Goes from `start` to all that it led to."""

    def __init__(self, wires: dict[str, Wire], now: float, failure: StepFailure | None) -> None:
        self._wires, self._now, self._failure = wires, now, failure
        self.waits: list[PendingWait] = []

    def steps(self, first: StepView) -> list[StepView]:
        """Return a step and what it led to, each before what it scheduled."""
        found: list[StepView] = []
        pending = [first]
        while pending:
            step = pending.pop()
            found.append(step)
            pending += reversed(self._look(step))
        self._settle_joins(found)
        return found

    def _settle_joins(self, steps: list[StepView]) -> None:
        """Say of each join that has not begun whether its branches have ended: with all that they led to."""
        finished: dict[str, bool] = {}
        by_id = {step.id: step for step in steps}
        for step in reversed(steps):  # what a step led to comes after it
            branches = step.children
            if branches and (join := by_id[branches[-1]]).role == "join" and join.ended is None:
                ended = all(finished[branch] for branch in branches[:-1])
                join.status = "running" if ended else "waiting"
            over = step.status == "done" or (step.status == "failed" and bool(branches))
            finished[step.id] = over and all(finished[branch] for branch in branches)

    def _look(self, step: StepView) -> list[StepView]:
        """Fill in what is known of a step; return the steps that it led to, its join last."""
        outcome, attempt = self._wires.get(key_of("step", step.id)), self._wires.get(key_of("attempt", step.id))
        wire = outcome or attempt
        if wire is not None:
            step.action = wire["action"]["S"]
            step.began, step.ended = float(wire["began"]["N"]), float(wire["ended"]["N"])
            step.attempts = int(wire["attempts"]["N"])
            step.error = tuple(json.loads(wire["error"]["S"])) if "error" in wire else None
        if outcome is None:
            self._look_at_unfinished(step, attempt)
            return []
        step.status, step.waits_until = ("failed" if "failed" in outcome else "done"), None
        following_id = machine.following_id(step.id)
        if "failed" in outcome:
            step.children = [following_id]
            handler = StepView(following_id, outcome["handler"]["S"], step.id, role="handler", due=step.ended)
            return [handler]
        return self._scheduled(step, outcome, following_id)

    def _look_at_unfinished(self, step: StepView, attempt: Wire | None) -> None:
        failure = self._failure
        if failure is not None and failure.step_id == step.id:
            step.status, step.attempts, step.error = "failed", failure.attempts, (failure.name, failure.message)
        elif attempt is not None:
            step.status, step.due = "retried", float(attempt["due"]["N"])
        elif step.status == "running" and step.due is not None and step.due > self._now:
            step.status = "waiting"

    def _scheduled(self, step: StepView, outcome: Wire, following_id: str) -> list[StepView]:
        count, nonce = int(outcome["count"]["N"]), outcome.get("nonce", {"S": ""})["S"]
        entries = json.loads(outcome["scheduled"]["S"]) if "scheduled" in outcome else []
        if count > machine.WIDTH:
            keys = (key_of("fan", step.id, nonce, f"{n:06d}") for n in range(-(-count // machine.WIDTH)))
            entries = [e for key in keys if key in self._wires for e in json.loads(self._wires[key]["scheduled"]["S"])]
        join = json.loads(outcome["join"]["S"]) if "join" in outcome else None
        ids = machine.scheduled_ids(step.id, count, joined=join is not None)
        children = [self._child(step, id_, entry, nonce) for id_, entry in zip(ids, entries, strict=False)]
        if join is not None:
            children.append(self._child(step, following_id, join, nonce))
            children[-1].role = "join"
        step.children = [child.id for child in children]
        return children

    def _child(self, step: StepView, step_id: str, entry: dict[str, Any], nonce: str) -> StepView:
        payload = self._wires.get(key_of("data", step_id, nonce))
        if "data" in entry:
            size: int | None = len(json.dumps(entry["data"], ensure_ascii=False, separators=(",", ":")).encode())
        else:
            size = None if payload is None else len(payload["payload"]["S"].encode())
        child = StepView(step_id, entry["action"], step.id, due=entry.get("due"), payload_bytes=size)
        if "wait" in entry:
            wait = entry["wait"]
            ended = self._wires.get(key_of("wait", step.id, wait["name"], "event"))
            if ended is None:
                child.status, child.waits_until = "waiting", wait["deadline"]
                self.waits.append(
                    PendingWait(step_id, child.action, step.id, wait["deadline"], wait["on_timeout"], wait["name"])
                )
            elif "timed_out" in ended and wait["on_timeout"]:
                child.action = wait["on_timeout"]
        return child
