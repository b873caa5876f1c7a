"""A run of a workflow in process: what the state machine does, in simulated time and one step after the other."""

from __future__ import annotations

import heapq
import itertools
import json
import logging
import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runstore.model.values import decode, encode
from runstore.settings import Settings
from runstore.testing.results import Group, InjectedError, StepRun, WorkflowResult
from runstore.workflow import machine, proofs
from runstore.workflow.api import StepApi
from runstore.workflow.attempt import complete_hook, error_hook, run_step
from runstore.workflow.definition import COMPLETE_HOOK, ERROR_HOOK, START
from runstore.workflow.durations import YEAR
from runstore.workflow.errors import EventTimeoutError, StepFailure
from runstore.workflow.failures import Failure, failure_of
from runstore.workflow.schedule import Limits, Schedule
from runstore.workflow.stepstore import StepStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal, TypeAlias

    from runstore.model.values import JSON
    from runstore.testing.memory import InMemoryRunStore
    from runstore.workflow.base import Workflow

    Order: TypeAlias = Literal["scheduled", "random"] | Callable[[Sequence[StepRun]], int]
    Failures: TypeAlias = Mapping[str, int | Exception]

_BEGAN = 1_800_000_000.0  # epoch seconds; simulated time begins here
LIMITS = Limits(Settings("in-memory").max_value_bytes, _BEGAN + YEAR)
_LOGGER = logging.getLogger("runstore.workflow")
_SECRET = "in-process"  # noqa: S105 of runs that nobody can reach


@dataclass(slots=True)
class Run:
    """A run under way."""

    workflow: type[Workflow]
    headers: Any
    order: Order
    seed: int
    failures: Failures
    events: dict[str, str]
    store: InMemoryRunStore
    now: float = _BEGAN
    steps: list[StepRun] = field(default_factory=list)
    waiting: list[tuple[float, int, StepRun]] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def to_the_end(self, data: Any) -> WorkflowResult:
        """Run step after step."""
        payload, _ = encode(data, "data", machine.MAX_STATE)
        headers, _ = encode(self.headers, "headers", machine.MAX_HEADERS)
        self._schedule(StepRun(START, "1", payload, 0.0), self.now)
        choose = self._chooser()
        while self.waiting:
            due, _, step = choose()
            self.now = max(self.now, due)
            report = self._resume(step) if step.wait else self._attempt(step, decode(headers) if self.headers else {})
            if report is not None:
                raised = error_hook(self.workflow, report, StepStore(self.store, ERROR_HOOK), _LOGGER)
                return self._result("FAILED", None, report, [ERROR_HOOK], raised)
        output, raised = complete_hook(self.workflow, StepStore(self.store, COMPLETE_HOOK), _LOGGER)
        return self._result("SUCCEEDED", decode(output), None, [COMPLETE_HOOK], raised)

    def _result(
        self,
        status: Literal["SUCCEEDED", "FAILED"],
        output: JSON,
        error: StepFailure | None,
        hooks: list[str],
        raised: BaseException | None,
    ) -> WorkflowResult:
        state, seconds = self.store.snapshot(), self.now - _BEGAN
        return WorkflowResult(status, output, error, state, self.steps, hooks, seconds, raised)

    def _schedule(self, step: StepRun, due: float) -> None:
        """Have a step run when it is due; one that waits, when its event comes or its time is over."""
        if step.wait is not None:
            due = self.now if step.action in self.events else step.wait.deadline
        step.at = due - _BEGAN
        heapq.heappush(self.waiting, (due, next(self.numbers), step))

    def _resume(self, step: StepRun) -> StepFailure | None:
        """Give a step that waited its event, or deal with its time-out; return how the run failed, if it did."""
        wait, step.wait = step.wait, None
        body = self.events.get(step.action)
        event = "" if body is None else f',"event":{body}'
        step.payload = f'{{"payload":{step.payload}{event}}}'
        if body is None and wait is not None:
            if wait.on_timeout is None:
                failure = Failure(EventTimeoutError.__name__, "no event came before the timeout", permanent=True)
                return self._failed(step, failure)
            step.action = wait.on_timeout
        heapq.heappush(self.waiting, (self.now, next(self.numbers), step))
        return None

    def _attempt(self, step: StepRun, headers: Any) -> StepFailure | None:
        """Run a step once; return how the run failed, if it did."""
        step.attempts += 1
        if step.attempts == 1:
            self.steps.append(step)
        definition = self.workflow.__runstore_workflow__

        def token(wait: str) -> str:
            return proofs.event_token(_SECRET, self.store.run_id, step.step_id, wait)

        schedule = Schedule(definition, LIMITS, self._time, token)
        store = StepStore(self.store, step.step_id)
        api = StepApi(store, schedule, step_id=step.step_id, attempt=step.attempts, logger=_LOGGER)
        failure = run_step(self.workflow, step.action, step.data, headers, api) or self._injected(step)
        if failure is not None:
            options = definition.steps[step.action]
            if failure.permanent or step.attempts >= options.attempts:
                return self._failed(step, failure)
            due = math.ceil(self.now + options.wait_after(step.attempts))
            heapq.heappush(self.waiting, (due, next(self.numbers), step))
            return None
        self._succeeded(step, schedule)
        return None

    def _succeeded(self, step: StepRun, schedule: Schedule) -> None:
        """Schedule what a step has scheduled; its branch ends with nothing."""
        joined, group, branches = schedule.joined, step.group, schedule.branches
        ids = machine.scheduled_ids(step.step_id, len(branches), joined=joined is not None)
        if joined is not None:
            group = Group(len(ids), joined, machine.following_id(step.step_id), step.group)
        else:
            group.open += len(ids)
        for scheduled, step_id in zip(branches, ids, strict=True):
            following = StepRun(scheduled.action, step_id, scheduled.payload, 0.0, group=group, wait=scheduled.wait)
            self._schedule(following, scheduled.due)
        if joined is None:
            self._end_branch(group)
        elif not ids:
            self._begin_join(group)

    def _end_branch(self, group: Group) -> None:
        """Note that a branch has ended; the last one of a join begins it."""
        group.open -= 1
        if not group.open and group.join is not None:
            self._begin_join(group)

    def _begin_join(self, group: Group) -> None:
        if group.join is None or group.parent is None:
            raise AssertionError(group)
        step = StepRun(group.join.action, group.join_id, group.join.payload, 0.0, group=group.parent)
        self._schedule(step, math.ceil(self.now + group.join.delay))

    def _failed(self, step: StepRun, failure: Failure) -> StepFailure | None:
        """Continue with the step's handler; return how the run failed if there is none."""
        handler = self.workflow.__runstore_workflow__.steps[step.action].on_failure
        if handler is None:
            return StepFailure(failure.name, failure.message, step.action, step.step_id, step.attempts)
        error = json.dumps({"name": failure.name, "message": failure.message})
        about = f'"action":"{step.action}","step_id":"{step.step_id}","attempts":{step.attempts}'
        payload = f'{{"error":{error},{about},"data":{step.payload}}}'
        step_id = machine.following_id(step.step_id)
        self._schedule(StepRun(handler, step_id, payload, 0.0, group=step.group), self.now)
        return None

    def _time(self) -> float:
        return self.now

    def _injected(self, step: StepRun) -> Failure | None:
        wanted = self.failures.get(step.action, 0)
        if isinstance(wanted, Exception):
            return failure_of(wanted)
        if step.attempts > wanted:
            return None
        return failure_of(InjectedError(f"the test has {step.action} fail {wanted} times"))

    def _chooser(self) -> Callable[[], tuple[float, int, StepRun]]:
        if self.order == "scheduled":
            return lambda: heapq.heappop(self.waiting)
        generator = random.Random(self.seed)  # noqa: S311 chooses an order, protects nothing
        order = self.order
        pick = (lambda steps: generator.randrange(len(steps))) if order == "random" else order

        def choose() -> tuple[float, int, StepRun]:
            moment = max(self.now, self.waiting[0][0])
            due = [heapq.heappop(self.waiting)]
            while self.waiting and self.waiting[0][0] <= moment:
                due.append(heapq.heappop(self.waiting))
            chosen = due.pop(pick([step for _, _, step in due]))
            for entry in due:
                heapq.heappush(self.waiting, entry)
            return chosen

        return choose
