"""The rows of a timeline: of a workflow class's steps, or of an execution's states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore import clock
from runstore_inspector import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runstore_inspector.history import Span, Timeline
    from runstore_inspector.steps import Step, Workflow

MAX_ROWS = 200
_URGENT = {"failed": 0, "retrying": 1, "caught": 1, "running": 2, "waiting": 3, "stopped": 4, "done": 5}
_TICKS = 4
_AHEAD, _LEAST_AHEAD = 0.5, 4.0  # of the time that has passed, and in seconds: how far ahead a running chart goes
_THINNEST = 0.6  # percent of the width: a shorter bar could not be seen


@dataclass(frozen=True, slots=True)
class Row:
    """A row: a bar from `left` over `width`, in percent, or none where the times are not known.

    `past` is the bar of earlier attempts of a step that is tried again.
    """

    id: str
    name: str
    kind: str
    depth: int
    status: str
    took: str
    attempts: int
    left: float | None
    width: float
    error: str = ""
    message: str = ""
    notes: tuple[str, ...] = ()
    past: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """The rows, the times along the axis, and what was left out."""

    rows: tuple[Row, ...]
    ticks: tuple[str, ...]
    counts: dict[str, int]
    hidden: int = 0
    cut: bool = False
    failed: Row | None = None


@dataclass(frozen=True, slots=True)
class _Scale:
    began: float
    ended: float

    def bar(self, began: float | None, ended: float | None) -> tuple[float | None, float]:
        if began is None:
            return None, 0.0
        whole = max(self.ended - self.began, 1e-3)
        left = min(max(0.0, 100 * (began - self.began) / whole), 100 - _THINNEST)
        right = 100 * ((self.ended if ended is None else ended) - self.began) / whole
        return round(left, 2), round(min(max(right - left, _THINNEST), 100 - left), 2)

    def ticks(self) -> tuple[str, ...]:
        step = (self.ended - self.began) / _TICKS
        return tuple(words.duration(step * number) if number else "0" for number in range(_TICKS + 1))


def of_timeline(timeline: Timeline, only: str = "") -> Chart:
    """Return the chart of an execution's states."""
    scale = _Scale(timeline.began, timeline.ended or max(clock.now(), timeline.began))
    rows = [_span_row(number, span, scale) for number, span in enumerate(timeline.spans)]
    return _chart(rows, scale, only, cut=timeline.cut)


def of_workflow(workflow: Workflow, began: float, ended: float | None, only: str = "") -> Chart:
    """Return the chart of a workflow class's steps. Steps that are due much later extend beyond its right edge."""
    now = ended or clock.now()
    earliest = min([began, *(step.began for step in workflow.steps if step.began is not None)])
    latest = max([now, *(step.due or 0 for step in workflow.steps if step.status in {"waiting", "retrying"})])
    horizon = now + max(_LEAST_AHEAD, _AHEAD * (now - earliest))
    scale = _Scale(earliest, min(latest, horizon))
    return _chart([_step_row(step, scale, now) for step in workflow.steps], scale, only, cut=False)


def _span_row(number: int, span: Span, scale: _Scale) -> Row:
    left, width = scale.bar(span.began, span.ended)
    notes = []
    if span.children:
        notes.append(words.count(span.children, "iteration" if span.kind == "Map" else "state"))
    elif span.tasks:
        notes.append(words.count(span.tasks, "task"))
    took = words.duration((span.ended or scale.ended) - span.began)
    return Row(
        f"{number}", span.name, span.kind, span.depth, span.status, took, span.attempts, left, width,
        span.error, words.explained(span.message)[0], tuple(notes),
    )  # fmt: skip


def _step_row(step: Step, scale: _Scale, now: float) -> Row:
    waits = step.status in {"waiting", "retrying"} and step.due is not None and step.due > now
    began = now if waits else step.began or step.due
    if step.status == "waiting" and not waits:
        began = None  # a join, whose branches run
    left, width = scale.bar(began, step.due if waits else step.ended or now)
    took = "" if began is None else words.duration((step.ended or now) - began)
    if waits and step.due is not None:
        took = f"in {words.duration(max(1, round(step.due - now)))}".replace(".0 s", " s")
    past = None
    if step.status == "retrying" and step.began is not None:
        first, length = scale.bar(step.began, step.failed_at)
        past = (first or 0.0, length)
    role = {"join": " · after all branches", "handler": " · handles the failure"}.get(step.role, "")
    payload = f" · {words.size(step.payload_bytes)}" if step.payload_bytes is not None else ""
    return Row(
        step.id, step.action, f"Step {step.id}{role}{payload}", step.depth, step.status, took, step.attempts,
        left, width, step.error, step.message, past=past,
    )  # fmt: skip


def _chart(rows: Sequence[Row], scale: _Scale, only: str, *, cut: bool) -> Chart:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.status] = counts.get(row.status, 0) + 1
    wanted = [row for row in rows if not only or row.status == only]
    shown = _most_urgent(wanted)
    failed = next((row for row in reversed(rows) if row.status == "failed" and row.error), None)
    return Chart(tuple(shown), scale.ticks(), counts, len(wanted) - len(shown), cut, failed)


def _most_urgent(rows: Iterable[Row]) -> list[Row]:
    """Return as many rows as a page shows, in their order: what failed or runs goes before what is done."""
    numbered = list(enumerate(rows))
    chosen = sorted(numbered, key=lambda each: (_URGENT.get(each[1].status, 9), each[0]))[:MAX_ROWS]
    return [row for _, row in sorted(chosen, key=lambda each: each[0])]
