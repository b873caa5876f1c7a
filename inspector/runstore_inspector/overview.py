"""A run at a glance: its execution, its keys, its steps. What both the command and the page show."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runstore_inspector import executions, reading, steps
from runstore_inspector.reading import Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstore_inspector.connection import Connection
    from runstore_inspector.executions import Run
    from runstore_inspector.reading import Key, Keys
    from runstore_inspector.steps import Workflow

REDACTED = "redacted"
_WORKERS = 8
_SUMMARY_KEYS, _SUMMARY_UNITS = 100, 8.0  # of each run in a list


@dataclass(frozen=True, slots=True)
class Overview:
    """What there is to see of a run. `workflow` is None for a run of no workflow class, or one that has ended."""

    run: Run
    keys: Keys
    workflow: Workflow | None

    @property
    def status(self) -> str:
        """The execution's status; of a run without an execution whether it holds anything."""
        if self.run.execution is not None:
            return self.run.execution.status
        return "OPEN" if self.keys.keys or self.workflow else "EMPTY"

    @property
    def over(self) -> bool:
        """Whether the run no longer changes without a person's action."""
        if self.run.execution is not None:
            return not self.run.execution.running
        return not self.keys.keys and self.workflow is None


def read(connection: Connection, run: Run, wanted: Wanted | None = None, *, all_steps: bool = False) -> Overview:
    """Read what there is to see of a run; all of its steps only if that is asked for, however many they are."""
    keys = reading.read_keys(connection, run.id, wanted)
    return Overview(run, keys, steps.read(connection, run.id, max_units=None if all_steps else steps.MAX_UNITS))


def redacted(view: Overview) -> Overview:
    """Return the same without what comes from the run's data: values, elements, counters and the texts of errors."""
    keys = replace(view.keys, keys=tuple(hidden(key) for key in view.keys.keys))
    run, workflow = view.run, view.workflow
    if run.execution is not None and run.execution.cause:
        run = replace(run, execution=replace(run.execution, cause=REDACTED))
    if workflow is not None:
        steps_shown = (replace(step, message=REDACTED) if step.message else step for step in workflow.steps)
        workflow = replace(workflow, steps=tuple(steps_shown))
    return Overview(run, keys, workflow)


def hidden(key: Key) -> Key:
    """Return a key without what it holds."""
    return replace(key, text="", first=(), hidden=True)


def refresh(connection: Connection, run: Run) -> Run:
    """Return the run with its execution as it is now."""
    if run.execution is None:
        return run
    return executions.Run(run.id, executions.describe(connection, run.id) or run.execution)


def summaries(connection: Connection, run_ids: Sequence[str]) -> list[Keys]:
    """Return the first keys of several runs, at a few read units each."""

    def one(run_id: str) -> Keys:
        return reading.read_keys(connection, run_id, Wanted(limit=_SUMMARY_KEYS, max_units=_SUMMARY_UNITS))

    if not run_ids:
        return []
    with ThreadPoolExecutor(min(_WORKERS, len(run_ids)), "runstore-summaries") as workers:
        contexts = [copy_context() for _ in run_ids]
        return list(workers.map(lambda run_id, context: context.run(one, run_id), run_ids, contexts))


def steps_done(connection: Connection, run_id: str) -> tuple[int, int] | None:
    """Return how many of the steps that are known are done; None where that cannot be known."""
    workflow = steps.read(connection, run_id)
    return (workflow.done, workflow.total) if workflow and workflow.total else None
