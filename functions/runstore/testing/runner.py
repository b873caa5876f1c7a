"""Runs a whole workflow in process: no AWS, no waiting, steps in an order that the test chooses."""

from __future__ import annotations

import heapq
import itertools
import json
import logging
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from runstore.errors import InvalidRequestError
from runstore.model.values import decode, encode
from runstore.settings import Settings
from runstore.testing.memory import InMemoryRunStore
from runstore.workflow import machine, proofs
from runstore.workflow.api import StepApi
from runstore.workflow.attempt import complete_hook, error_hook, run_step
from runstore.workflow.definition import COMPLETE_HOOK, ERROR_HOOK, START
from runstore.workflow.durations import YEAR
from runstore.workflow.errors import EventTimeoutError, StepFailure
from runstore.workflow.failures import Failure, failure_of
from runstore.workflow.schedule import Limits, Schedule, Wait
from runstore.workflow.stepstore import StepStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from runstore.model.values import JSON
    from runstore.workflow.base import Workflow
    from runstore.workflow.schedule import Join

_BEGAN = 1_800_000_000.0  # epoch seconds; simulated time begins here
_LIMITS = Limits(Settings("in-memory").max_value_bytes, _BEGAN + YEAR)
_LOGGER = logging.getLogger("runstore.workflow")
_SECRET = "in-process"  # noqa: S105 of runs that nobody can reach


class InjectedError(Exception):
    """The error of a step that a test lets fail a number of times."""


@dataclass(slots=True)
class Group:
    """Branches that a join waits for: how many have not ended, the join and its id, and the group it belongs to."""

    open: int = 1
    join: Join | None = None
    join_id: str = ""
    parent: Group | None = None


@dataclass(slots=True)
class StepRun:
    """A step that ran: its action and id, the JSON text of its data, and how often it was tried.

    `at` is when it was due first, in seconds of simulated time since the run began.
    """

    action: str
    step_id: str
    payload: str
    at: float
    attempts: int = 0
    group: Group = field(default_factory=Group, repr=False)
    wait: Wait | None = field(default=None, repr=False)

    @property
    def data(self) -> JSON:
        """What the step was given."""
        return decode(self.payload)


@dataclass(frozen=True, slots=True)
class WorkflowResult:
    """How a workflow ended.

    Attributes:
        status: "SUCCEEDED" or "FAILED", as the execution would have it.
        output: What `on_workflow_complete` returned; None without it, or when it failed.
        error: The step that failed for good and that nothing handled, None if there was none.
        state: The run's keys and values just before they are deleted (or kept, if the run failed).
        steps: The steps in the order in which they first ran, `start` first.
        hooks: The hooks that were called.
        hook_error: What the hook raised, or what was wrong with its output; None if nothing was. In production it is
            only logged and does not change the status, so a test should check it.
        seconds: How long the run would have taken if steps took no time.
    """

    status: Literal["SUCCEEDED", "FAILED"]
    output: JSON
    error: StepFailure | None
    state: dict[str, JSON]
    steps: list[StepRun]
    hooks: list[str]
    seconds: float
    hook_error: Exception | None = None


Order: TypeAlias = 'Literal["scheduled", "random"] | Callable[[Sequence[StepRun]], int]'
Failures: TypeAlias = "Mapping[str, int | Exception]"


def run_workflow(  # noqa: PLR0913 all but two are by keyword, each with a default
    workflow: type[Workflow],
    data: Any = None,
    *,
    headers: Mapping[str, Any] | None = None,
    order: Order = "scheduled",
    seed: int = 0,
    failures: Failures | None = None,
    events: Mapping[str, Any] | None = None,
    store: InMemoryRunStore | None = None,
) -> WorkflowResult:
    """Run a workflow from `start` to its end, with the rules of the state machine and without its waits.

    Steps run one at a time, each when it is due in simulated time; timeouts of attempts are not enforced. Payloads are
    copied through JSON as in production, failed attempts are repeated with their backoff, and hooks are called.

    Args:
        workflow: The class.
        data: What `start` gets as `data`: any JSON value.
        headers: What every step gets as `headers`.
        order: Which of the steps that are due at the same time runs next: "scheduled" (first come, first served),
            "random" (by `seed`), or a function of the steps that returns the index of one.
        seed: For "random": the same seed, the same order.
        failures: Steps that fail, by action: with a number, every such step fails so many times with InjectedError;
            with an exception, it fails each time with that. The step's code runs before it fails, so that a test can
            check that a second attempt repeats nothing.
        events: The bodies of events, by the action that waits for one: `{"approve": {"ok": True}}`. Each wait for the
            action gets it at once. A wait for another action times out.
        store: The store of the run, if it must have state before, or you want to read it afterwards; by default a new
            one.

    Raises:
        InvalidRequestError: `data`, `headers` or an event is not JSON, `workflow` is not a workflow class, `failures`
            or `events` names no step of it, or another argument is wrong.

    Example:
        ```python
        def test_every_item_is_processed():
            result = run_workflow(OrderWorkflow, {"line_items": [{"id": 1}, {"id": 2}]}, order="random")
            assert result.status == "SUCCEEDED"
            assert result.state["processedCount"] == 2
        ```
    """
    bodies = _check(workflow, order, failures or {}, events or {})
    run = _Run(workflow, dict(headers or {}), order, seed, failures or {}, bodies, store or InMemoryRunStore())
    return run.to_the_end(data)


def _check(workflow: Any, order: Any, failures: Any, events: Any) -> dict[str, str]:
    """Raise InvalidRequestError for what would fail late, or would test nothing; return the events as JSON."""
    definition = getattr(workflow, "__runstore_workflow__", None)
    if definition is None or not isinstance(workflow, type):
        raise InvalidRequestError(f"workflow must be a class that derives from Workflow; got {workflow!r:.100}")
    if order not in ("scheduled", "random") and not callable(order):
        raise InvalidRequestError(f'order must be "scheduled", "random" or a function; got {order!r:.100}')
    for name, given in (("failures", failures), ("events", events)):
        if not isinstance(given, Mapping):
            raise InvalidRequestError(f"{name} must be an object with a member for each step; got {given!r:.100}")
        if unknown := [action for action in given if action not in definition.steps]:
            steps = ", ".join(sorted(definition.steps))
            raise InvalidRequestError(f"{name} must name steps of {definition.name} ({steps}); got {unknown[0]!r:.100}")
    for action, wanted in failures.items():
        counted = isinstance(wanted, int) and not isinstance(wanted, bool) and wanted >= 0
        if not counted and not isinstance(wanted, Exception):
            raise InvalidRequestError(
                f"failures of {action} must be how often the step fails, from 0, or the exception that it fails with "
                f'each time, such as ValueError("broken"); got {wanted!r:.100}'
            )
    limit = _LIMITS.max_payload_bytes
    return {action: encode(body, f"the event of {action}", limit)[0] for action, body in events.items()}


@dataclass(slots=True)
class _Run:
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
        self.schedule(StepRun(START, "1", payload, 0.0), self.now)
        choose = self.chooser()
        while self.waiting:
            due, _, step = choose()
            self.now = max(self.now, due)
            report = self.resume(step) if step.wait else self.attempt(step, decode(headers) if self.headers else {})
            if report is not None:
                raised = error_hook(self.workflow, report, StepStore(self.store, ERROR_HOOK), _LOGGER)
                return self.result("FAILED", None, report, [ERROR_HOOK], raised)
        output, raised = complete_hook(self.workflow, StepStore(self.store, COMPLETE_HOOK), _LOGGER)
        return self.result("SUCCEEDED", decode(output), None, [COMPLETE_HOOK], raised)

    def result(
        self,
        status: Literal["SUCCEEDED", "FAILED"],
        output: JSON,
        error: StepFailure | None,
        hooks: list[str],
        raised: Exception | None,
    ) -> WorkflowResult:
        state, seconds = self.store.snapshot(), self.now - _BEGAN
        return WorkflowResult(status, output, error, state, self.steps, hooks, seconds, raised)

    def schedule(self, step: StepRun, due: float) -> None:
        """Have a step run when it is due; one that waits, when its event comes or its time is over."""
        if step.wait is not None:
            due = self.now if step.action in self.events else step.wait.deadline
        step.at = due - _BEGAN
        heapq.heappush(self.waiting, (due, next(self.numbers), step))

    def resume(self, step: StepRun) -> StepFailure | None:
        """Give a step that waited its event, or deal with its time-out; return how the run failed, if it did."""
        wait, step.wait = step.wait, None
        body = self.events.get(step.action)
        event = "" if body is None else f',"event":{body}'
        step.payload = f'{{"payload":{step.payload}{event}}}'
        if body is None and wait is not None:
            if wait.on_timeout is None:
                failure = Failure(EventTimeoutError.__name__, "no event came before the timeout", permanent=True)
                return self.failed(step, failure)
            step.action = wait.on_timeout
        heapq.heappush(self.waiting, (self.now, next(self.numbers), step))
        return None

    def attempt(self, step: StepRun, headers: Any) -> StepFailure | None:
        """Run a step once; return how the run failed, if it did."""
        step.attempts += 1
        if step.attempts == 1:
            self.steps.append(step)
        definition = self.workflow.__runstore_workflow__

        def token(wait: str) -> str:
            return proofs.event_token(_SECRET, self.store.run_id, step.step_id, wait)

        schedule = Schedule(definition, _LIMITS, self.time, token)
        store = StepStore(self.store, step.step_id)
        api = StepApi(store, schedule, step_id=step.step_id, attempt=step.attempts, logger=_LOGGER)
        failure = run_step(self.workflow, step.action, step.data, headers, api) or self.injected(step)
        if failure is not None:
            options = definition.steps[step.action]
            if failure.permanent or step.attempts >= options.attempts:
                return self.failed(step, failure)
            due = math.ceil(self.now + options.wait_after(step.attempts))
            heapq.heappush(self.waiting, (due, next(self.numbers), step))
            return None
        self.succeeded(step, schedule)
        return None

    def succeeded(self, step: StepRun, schedule: Schedule) -> None:
        """Schedule what a step has scheduled; its branch ends with nothing."""
        joined, group = schedule.joined, step.group
        ids = machine.scheduled_ids(step.step_id, len(schedule.branches), joined=joined is not None)
        if joined is not None:
            group = Group(len(ids), joined, machine.following_id(step.step_id), step.group)
        else:
            group.open += len(ids)
        for scheduled, step_id in zip(schedule.branches, ids, strict=True):
            following = StepRun(scheduled.action, step_id, scheduled.payload, 0.0, group=group, wait=scheduled.wait)
            self.schedule(following, scheduled.due)
        if joined is None:
            self.end_branch(group)
        elif not ids:
            self.begin_join(group)

    def end_branch(self, group: Group) -> None:
        """Note that a branch has ended; the last one of a join begins it."""
        group.open -= 1
        if not group.open and group.join is not None:
            self.begin_join(group)

    def begin_join(self, group: Group) -> None:
        if group.join is None or group.parent is None:
            raise AssertionError(group)
        step = StepRun(group.join.action, group.join_id, group.join.payload, 0.0, group=group.parent)
        self.schedule(step, math.ceil(self.now + group.join.delay))

    def failed(self, step: StepRun, failure: Failure) -> StepFailure | None:
        """Continue with the step's handler; return how the run failed if there is none."""
        handler = self.workflow.__runstore_workflow__.steps[step.action].on_failure
        if handler is None:
            return StepFailure(failure.name, failure.message, step.action, step.step_id, step.attempts)
        error = json.dumps({"name": failure.name, "message": failure.message})
        about = f'"action":"{step.action}","step_id":"{step.step_id}","attempts":{step.attempts}'
        payload = f'{{"error":{error},{about},"data":{step.payload}}}'
        step_id = machine.following_id(step.step_id)
        self.schedule(StepRun(handler, step_id, payload, 0.0, group=step.group), self.now)
        return None

    def time(self) -> float:
        return self.now

    def injected(self, step: StepRun) -> Failure | None:
        wanted = self.failures.get(step.action, 0)
        if isinstance(wanted, Exception):
            return failure_of(wanted)
        if step.attempts > wanted:
            return None
        return failure_of(InjectedError(f"the test has {step.action} fail {wanted} times"))

    def chooser(self) -> Callable[[], tuple[float, int, StepRun]]:
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
