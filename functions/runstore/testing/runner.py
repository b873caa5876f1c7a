"""Runs a whole workflow in process: no AWS, no waiting, every step in an order of the test's choosing."""

import heapq
import itertools
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from runstore.errors import InvalidRequestError
from runstore.model.values import decode, encode
from runstore.settings import Settings
from runstore.testing.memory import InMemoryRunStore
from runstore.workflow import machine
from runstore.workflow.api import Limits, Schedule, StepApi
from runstore.workflow.attempt import Failure, complete_hook, error_hook, failure_of, run_step
from runstore.workflow.definition import COMPLETE_HOOK, ERROR_HOOK, START
from runstore.workflow.durations import YEAR
from runstore.workflow.errors import StepFailure
from runstore.workflow.stepstore import StepStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from runstore.model.values import JSON
    from runstore.workflow.base import Workflow

_BEGAN = 1_800_000_000.0  # epoch seconds; simulated time begins here
_LIMITS = Limits(Settings("in-memory").max_value_bytes, _BEGAN + YEAR)
_LOGGER = logging.getLogger("runstore.workflow")


class InjectedError(Exception):
    """What a step fails with that a test has told to fail a number of times."""


@dataclass(slots=True)
class StepRun:
    """A step that ran: its action and id, the JSON text of what it was given, and how often it was tried.

    `at` is when it was due first, in seconds of simulated time since the run began.
    """

    action: str
    step_id: str
    payload: str
    at: float
    attempts: int = 0

    @property
    def data(self) -> "JSON":
        """What the step was given."""
        return decode(self.payload)


@dataclass(frozen=True, slots=True)
class WorkflowResult:
    """How a workflow ended.

    Attributes:
        status: "SUCCEEDED" or "FAILED", as the execution would have it.
        output: What `on_workflow_complete` returned; None without it, or when it failed.
        error: The step that failed for good, None if none did.
        state: The run's keys and values just before they are deleted (or kept, if the run failed).
        steps: The steps in the order in which they first ran, `start` first.
        hooks: The hooks that were called.
        hook_error: What the hook raised, or what was wrong with its output; None if nothing was. In production it is
            logged, and the run ends the same, so a test should look.
        seconds: How long the run would have taken if steps took no time.
    """

    status: Literal["SUCCEEDED", "FAILED"]
    output: "JSON"
    error: StepFailure | None
    state: "dict[str, JSON]"
    steps: list[StepRun]
    hooks: list[str]
    seconds: float
    hook_error: Exception | None = None


Order: TypeAlias = 'Literal["scheduled", "random"] | Callable[[Sequence[StepRun]], int]'
Failures: TypeAlias = "Mapping[str, int | Exception]"


def run_workflow(  # noqa: PLR0913 all but two are by keyword, each with a default
    workflow: "type[Workflow]",
    data: "Any" = None,
    *,
    headers: "Mapping[str, Any] | None" = None,
    order: "Order" = "scheduled",
    seed: int = 0,
    failures: "Failures | None" = None,
    store: InMemoryRunStore | None = None,
) -> WorkflowResult:
    """Run a workflow from `start` to its end, with the rules of the state machine and without its waits.

    Steps run one at a time, each when it is due in simulated time; timeouts are not enforced. Payloads are copied
    through JSON as in production, failed attempts are repeated with their backoff, and hooks are called.

    Args:
        workflow: The class.
        data: What `start` gets as `data`: any JSON value.
        headers: What every step gets as `headers`.
        order: Which of the steps that are due at the same time runs next: "scheduled" (first come, first served),
            "random" (by `seed`), or a function that is given them and returns the index of one.
        seed: For "random": the same seed, the same order.
        failures: Steps that fail, by action: a number lets every such step fail so many times with InjectedError, an
            exception lets it fail each time with that. The step's code runs before it fails, so that a test sees what a
            second attempt makes of what the first one did.
        store: The store to run on, with state of your own or to look at afterwards; by default a new one.

    Raises:
        InvalidRequestError: `data` or `headers` is not JSON, `workflow` is no workflow class, `failures` names no step
            of it, or an argument is none of what it can be.

    Example:
        ```python
        def test_every_item_is_processed():
            result = run_workflow(OrderWorkflow, {"line_items": [{"id": 1}, {"id": 2}]}, order="random")
            assert result.status == "SUCCEEDED"
            assert result.state["processedCount"] == 2
        ```
    """
    _check(workflow, order, failures or {})
    run = _Run(workflow, dict(headers or {}), order, seed, failures or {}, store or InMemoryRunStore())
    return run.to_the_end(data)


def _check(workflow: "Any", order: "Any", failures: "Any") -> None:
    """Raise InvalidRequestError for what would fail late, or would test nothing."""
    definition = getattr(workflow, "__runstore_workflow__", None)
    if definition is None or not isinstance(workflow, type):
        raise InvalidRequestError(f"workflow is {workflow!r:.100}: it takes a class that derives from Workflow")
    if order not in ("scheduled", "random") and not callable(order):
        raise InvalidRequestError(f'order is {order!r:.100}: it takes "scheduled", "random" or a function')
    if not isinstance(failures, Mapping):
        raise InvalidRequestError(f"failures is {failures!r:.100}: it takes an object of steps and how they fail")
    for action, wanted in failures.items():
        if action not in definition.steps:
            steps = ", ".join(sorted(definition.steps))
            raise InvalidRequestError(f"failures names {action!r:.100}: the steps of {definition.name} are {steps}")
        counted = isinstance(wanted, int) and not isinstance(wanted, bool) and wanted >= 0
        if not counted and not isinstance(wanted, Exception):
            raise InvalidRequestError(
                f"failures of {action} is {wanted!r:.100}: it takes how often the step fails, from 0, or the exception "
                'that it fails with each time, such as ValueError("broken")'
            )


@dataclass(slots=True)
class _Run:
    workflow: "type[Workflow]"
    headers: "Any"
    order: "Order"
    seed: int
    failures: "Failures"
    store: InMemoryRunStore
    now: float = _BEGAN
    steps: list[StepRun] = field(default_factory=list)
    waiting: list[tuple[float, int, StepRun]] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def to_the_end(self, data: "Any") -> WorkflowResult:
        """Run step after step."""
        payload, _ = encode(data, "data", machine.MAX_STATE)
        headers, _ = encode(self.headers, "headers", machine.MAX_HEADERS)
        self.schedule(START, "1", self.now, payload)
        choose = self.chooser()
        while self.waiting:
            due, _, step = choose()
            self.now = max(self.now, due)
            failure = self.attempt(step, decode(headers) if self.headers else {})
            if failure is not None:
                told = StepFailure(failure.name, failure.message, step.action, step.step_id, step.attempts)
                raised = error_hook(self.workflow, told, StepStore(self.store, ERROR_HOOK), _LOGGER)
                return self.result("FAILED", None, told, [ERROR_HOOK], raised)
        output, raised = complete_hook(self.workflow, StepStore(self.store, COMPLETE_HOOK), _LOGGER)
        return self.result("SUCCEEDED", decode(output), None, [COMPLETE_HOOK], raised)

    def result(
        self,
        status: Literal["SUCCEEDED", "FAILED"],
        output: "JSON",
        error: StepFailure | None,
        hooks: list[str],
        raised: Exception | None,
    ) -> WorkflowResult:
        state, seconds = self.store.snapshot(), self.now - _BEGAN
        return WorkflowResult(status, output, error, state, self.steps, hooks, seconds, raised)

    def schedule(self, action: str, step_id: str, due: float, payload: str) -> None:
        step = StepRun(action, step_id, payload, due - _BEGAN)
        heapq.heappush(self.waiting, (due, next(self.numbers), step))

    def attempt(self, step: StepRun, headers: "Any") -> Failure | None:
        """Run a step once; return how it failed if it is not to be tried again."""
        step.attempts += 1
        if step.attempts == 1:
            self.steps.append(step)
        definition = self.workflow.__runstore_workflow__
        schedule = Schedule(definition, _LIMITS, self.time)
        store = StepStore(self.store, step.step_id)
        api = StepApi(store, schedule, step_id=step.step_id, attempt=step.attempts, logger=_LOGGER)
        failure = run_step(self.workflow, step.action, step.data, headers, api) or self.injected(step)
        if failure is not None:
            options = definition.steps[step.action]
            if failure.permanent or step.attempts >= options.attempts:
                return failure
            due = self.now + options.wait_after(step.attempts)
            heapq.heappush(self.waiting, (due, next(self.numbers), step))
            return None
        count = len(schedule.steps)
        for index, scheduled in enumerate(schedule.steps):
            step_id = machine.following_id(step.step_id) if count == 1 else machine.branch_id(step.step_id, index)
            self.schedule(scheduled.action, step_id, scheduled.due, scheduled.payload)
        return None

    def time(self) -> float:
        return self.now

    def injected(self, step: StepRun) -> Failure | None:
        wanted = self.failures.get(step.action, 0)
        if isinstance(wanted, Exception):
            return failure_of(wanted)
        if step.attempts > wanted:
            return None
        return failure_of(InjectedError(f"{step.action} was told to fail {wanted} times"))

    def chooser(self) -> "Callable[[], tuple[float, int, StepRun]]":
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
