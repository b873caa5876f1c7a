"""The hooks of a run: each begins at most once, however often its task is repeated."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore.errors import RunStoreError
from runstore.workflow.attempt import WorkflowClass, complete_hook, error_hook
from runstore.workflow.definition import COMPLETE_HOOK, ERROR_HOOK
from runstore.workflow.errors import HookRunningError, StepFailure
from runstore.workflow.stepstore import StepStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from runstore.store import RunStore
    from runstore.workflow.api import StepLogger
    from runstore.workflow.machine import State
    from runstore.workflow.metrics import Counts
    from runstore.workflow.records import Records

_INVOCATION = 900.0  # seconds: the longest that Lambda gives


@dataclass(frozen=True, slots=True)
class Hooks:
    """The hooks of one run of one workflow class."""

    workflow: type[WorkflowClass]
    store: RunStore
    records: Records
    logger: StepLogger
    counts: Counts
    now: Callable[[], float]
    time_left: Callable[[], float] | None

    def complete(self) -> State:
        """Run the completion hook and return its output, or what another invocation has recorded as its output."""
        hook = self.records.begin_hook(COMPLETE_HOOK, *self._owner())
        if hook.running:
            raise HookRunningError(f"another invocation is still running {COMPLETE_HOOK}")
        if not hook.mine:
            if hook.output is None:
                self.logger.error("%s was begun before and did not end: it is not begun again", COMPLETE_HOOK)
            return {"output": None if hook.output is None else json.loads(hook.output)}
        text = complete_hook(self.workflow, StepStore(self.store, COMPLETE_HOOK), self.logger)[0]
        try:
            self.records.end_hook(COMPLETE_HOOK, text, self.now())
        except RunStoreError:  # the output is in hand: only if this answer is lost too will it be missing
            self.logger.exception("the output of %s could not be recorded", COMPLETE_HOOK)
        return {"output": json.loads(text)}

    def failed(self, failure: StepFailure) -> None:
        """Run the error hook, if no invocation has begun it before."""
        if self.records.begin_hook(ERROR_HOOK, *self._owner()).mine:
            self.counts["FailedRuns"] += 1
            error_hook(self.workflow, failure, StepStore(self.store, ERROR_HOOK), self.logger)

    def _owner(self) -> tuple[str, float, float]:
        """Return a name for this invocation, the time, and the time by which Lambda has ended it."""
        now = self.now()
        return secrets.token_urlsafe(9), now, now + (self.time_left() if self.time_left else _INVOCATION)
