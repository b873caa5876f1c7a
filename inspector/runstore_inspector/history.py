"""The states of a Standard execution as a timeline, from its history.

Each event of a history names the one before it on its branch, so parallel branches are told apart by following those
links. Inputs and outputs may hold secrets, so they are requested only where the states are those of the
workflow engine: from the input of its steps, the action's name and the step's id are kept, and nothing else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runstore_inspector.connection import Connection

MAX_EVENTS = 5_000
_PAGE = 1_000
_CONTAINERS = ("Map", "Parallel")
_FAILURES = ("Failed", "TimedOut", "SubmitFailed", "StartFailed", "ScheduleFailed")
_ENDS = {
    "ExecutionSucceeded": "done",
    "ExecutionFailed": "failed",
    "ExecutionTimedOut": "failed",
    "ExecutionAborted": "stopped",
}
_MISSING = {"ExecutionDoesNotExist", "InvalidArn", "ResourceNotFoundException", "ValidationException"}


@dataclass(slots=True)
class Span:
    """A state, or one iteration of a Map, from when it was entered to when it was left.

    Attributes:
        name: The state's name, or the iteration's number.
        kind: Task, Wait, Map, Iteration and so on.
        depth: How many Maps, iterations and Parallels it is inside of.
        began: Epoch seconds.
        ended: Epoch seconds, None while it runs.
        status: running, retrying, done, caught (it failed, and the machine went on), failed or stopped.
        attempts: How often a task was scheduled.
        tasks: Of a Map or Parallel, how many tasks were scheduled inside without a state being told of.
        error: The last error's name, "" without one.
        message: Its cause.
    """

    name: str
    kind: str
    depth: int
    began: float
    ended: float | None = None
    status: str = "running"
    attempts: int = 0
    tasks: int = 0
    error: str = ""
    message: str = ""
    parent: Span | None = field(default=None, repr=False)
    children: int = 0

    @property
    def container(self) -> bool:
        """Whether other spans can be inside."""
        return self.kind in (*_CONTAINERS, "Iteration")


@dataclass(frozen=True, slots=True)
class Timeline:
    """The spans of an execution in the order in which they began; `cut`: the history has more events than were read."""

    spans: tuple[Span, ...]
    began: float
    ended: float | None
    cut: bool = False

    @property
    def failed(self) -> Span | None:
        """The innermost span that failed for good."""
        return next((span for span in reversed(self.spans) if span.status == "failed" and span.error), None)


def read(connection: Connection, execution_arn: str) -> Timeline | None:
    """Return the timeline of an execution, None if Step Functions keeps no history of it."""
    events, cut = _events(connection, execution_arn, data=False)
    if {"Begin", "IsTree", "Fan"} <= {event.get("stateEnteredEventDetails", {}).get("name") for event in events}:
        events, cut = _events(connection, execution_arn, data=True)
    return timeline(events, cut=cut) if events else None


def _events(connection: Connection, execution_arn: str, *, data: bool) -> tuple[list[Any], bool]:
    """Return the first events of an execution, and whether there are more."""
    events: list[Any] = []
    request: dict[str, Any] = {"executionArn": execution_arn, "maxResults": _PAGE, "includeExecutionData": data}
    while True:
        try:
            answer: Any = connection.stepfunctions.get_execution_history(**request)
        except ClientError as error:
            if error.response["Error"].get("Code") in _MISSING:
                return [], False
            raise
        events += answer["events"]
        if not answer.get("nextToken") or len(events) >= MAX_EVENTS:
            return events, bool(answer.get("nextToken"))
        request["nextToken"] = answer["nextToken"]


def timeline(events: Iterable[Mapping[str, Any]], *, cut: bool = False) -> Timeline:
    """Return the timeline of a history's events, the oldest first."""
    return _Reading().read(events, cut=cut)


_Place = tuple["Span | None", "Span | None"]  # the span that is open at an event, and the one around it


class _Reading:
    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.places: dict[int, _Place] = {}
        self.began = 0.0
        self.ended: float | None = None
        # What a redrive reopened, the outermost first, with the attempts that it had; and whether that was just now.
        self.reopened: list[tuple[Span, int]] = []
        self.just_redriven = False

    def read(self, events: Iterable[Mapping[str, Any]], *, cut: bool) -> Timeline:
        number = 0
        for event in events:
            before = event.get("previousEventId") or number  # an emulator may leave it out
            number = event["id"]
            at = event["timestamp"].timestamp()
            self.began = self.began or at
            place = self.places.get(before, (None, None))
            self.places[number] = self._event(str(event["type"]), event, at, place)
            self.just_redriven = event["type"] == "ExecutionRedriven"
        return Timeline(tuple(self.spans), self.began, self.ended, cut)

    def _event(self, kind: str, event: Mapping[str, Any], at: float, place: _Place) -> _Place:
        """Note an event that follows one at `place`, and return where it leaves its branch."""
        span, around = place
        if kind.endswith("StateEntered"):
            inside = self._inside(place)
            place = self._entered(kind, event["stateEnteredEventDetails"], at, inside), inside
        elif kind == "MapIterationStarted":
            index = event["mapIterationStartedEventDetails"].get("index", 0)
            place = None, self._open(f"#{index}", "Iteration", at, span or around)
        elif kind.startswith("MapIteration") and around is not None:
            _close(around, at, "done" if kind.endswith("Succeeded") else "stopped")
            place = around.parent, around.parent.parent if around.parent else None
        elif kind.endswith("StateExited"):
            left = span or around
            if left is not None:
                _close(left, at, "caught" if left.status == "retrying" else "done")
            place = None, left.parent if left else None
        elif kind in _ENDS:
            self._end(kind, event, at)
        elif kind == "ExecutionRedriven":
            place = self._redriven()
        else:
            if span is None and around is not None and around.kind in _CONTAINERS:
                place = around, around.parent  # what follows the last branch is the container's own
            if place[0] is not None:
                _note(place[0], kind, event)
        return place

    def _inside(self, place: _Place) -> Span | None:
        """Return what a state is inside of that is entered at `place`."""
        if self.just_redriven and self.reopened:
            return self.reopened[0][0].parent  # an emulator enters states again, the outermost first
        span, around = place
        return span if span is not None and span.container else around

    def _entered(self, kind: str, details: Mapping[str, Any], at: float, inside: Span | None) -> Span:
        action, step_id = _step_in(details) if details["name"] in {"Step", "StepOfWait"} else ("", "")
        return self._open(action or details["name"], f"Step {step_id}" if action else kind[:-12], at, inside)

    def _open(self, name: str, kind: str, at: float, parent: Span | None) -> Span:
        for each, attempts in self.reopened:
            is_idle = each.ended is None and each.attempts == attempts
            if is_idle and each.parent is parent and (each.name, each.kind) == (name, kind):
                self.reopened.remove((each, attempts))
                return each
        span = Span(name, kind, parent.depth + 1 if parent else 0, at, parent=parent)
        if parent:
            parent.children += 1
        self.spans.append(span)
        return span

    def _end(self, kind: str, event: Mapping[str, Any], at: float) -> None:
        self.ended = at
        error, message = _error(event)
        for span in self.spans:
            if span.ended is not None:
                continue
            failed = kind == "ExecutionFailed" and (bool(span.error) or span.kind == "Fail")
            if span.kind == "Fail":
                span.error, span.message = error or span.error, message or span.message
            _close(span, at, "failed" if failed else _ENDS[kind] if kind != "ExecutionFailed" else "stopped")
        last = self.spans[-1] if self.spans else None
        told = any(span.status == "failed" for span in self.spans)
        if kind != "ExecutionSucceeded" and last is not None and not told:
            last.status, last.error, last.message = _ENDS[kind], error or kind, message

    def _redriven(self) -> _Place:
        """Reopen what had not succeeded. AWS schedules its tasks anew, without entering their states again."""
        self.ended = None
        self.reopened = [(span, span.attempts) for span in self.spans if span.status in {"failed", "stopped"}]
        for span, _ in self.reopened:
            span.status, span.ended = "running", None
        last = self.reopened[-1][0] if self.reopened else None
        return last, last.parent if last else None


def _step_in(details: Mapping[str, Any]) -> tuple[str, str]:
    """Return the action and the id in the input of the workflow engine's state Step, two empty texts if it is none."""
    try:
        step = json.loads(details["input"])["next"]["step"]
        return str(step["action"]), str(step["id"])
    except (KeyError, TypeError, ValueError):
        return "", ""


def _close(span: Span, at: float, status: str) -> None:
    span.ended, span.status = at, status


def _note(span: Span, kind: str, event: Mapping[str, Any]) -> None:
    """Note an attempt or a failure of a state's task."""
    if kind.endswith("Scheduled"):
        if span.kind in _CONTAINERS:
            span.tasks += 1
        else:
            span.attempts += 1
            span.status = "running"
    elif kind.endswith(_FAILURES):
        span.error, span.message = _error(event)
        span.error = span.error or kind
        span.status = "retrying"
    elif kind.endswith("Succeeded") and span.status == "retrying":
        span.status = "running"


def _error(event: Mapping[str, Any]) -> tuple[str, str]:
    for name, details in event.items():
        if name.endswith("EventDetails") and isinstance(details, dict) and ("error" in details or "cause" in details):
            return str(details.get("error") or ""), str(details.get("cause") or "")
    return "", ""
