"""What a step or hook is handed as `api`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from runstore.model.values import encode
from runstore.workflow.durations import seconds
from runstore.workflow.errors import InvalidDelayError, SchedulingError

if TYPE_CHECKING:
    from typing import Any, NoReturn

    from runstore.workflow.definition import Definition
    from runstore.workflow.stepstore import StepStore

MAX_SCHEDULED = 10_000  # by one step; a wider fan-out is two steps deep
MAX_SCHEDULED_BYTES = 16_000_000  # by one step: one partition takes about 1 MB a second


class StepLogger(Protocol):
    """The logging methods that `api.logger` has, in Lambda and in tests alike."""

    def debug(self, msg: object, *args: object) -> None:
        """Log at level DEBUG."""

    def info(self, msg: object, *args: object) -> None:
        """Log at level INFO."""

    def warning(self, msg: object, *args: object) -> None:
        """Log at level WARNING."""

    def error(self, msg: object, *args: object) -> None:
        """Log at level ERROR."""

    def exception(self, msg: object, *args: object) -> None:
        """Log at level ERROR with the exception that is being handled."""


class Scheduled(NamedTuple):
    """A step that another has scheduled; due in epoch seconds, its payload as JSON text of `size` bytes."""

    action: str
    due: float
    payload: str
    size: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What scheduling is held to; the run must end by `until`, in epoch seconds."""

    max_payload_bytes: int
    until: float


class Schedule:
    """What one attempt of a step schedules. It counts only if the attempt succeeds."""

    def __init__(self, definition: "Definition", limits: Limits, now: Callable[[], float] = time.time) -> None:
        self._definition, self._limits, self._now = definition, limits, now
        self.steps: list[Scheduled] = []
        self._bytes = 0

    def add(self, delay: "Any", action: "Any", payload: "Any") -> None:
        """Add a step after checking everything about it."""
        if len(self.steps) == MAX_SCHEDULED:
            raise SchedulingError(
                f"one step schedules at most {MAX_SCHEDULED:,} others: schedule steps that schedule the rest"
            )
        name = self._definition.check_action(action)
        due = self._now() + seconds(delay)
        if due > self._limits.until:
            left = max(0.0, self._limits.until - self._now()) / 86_400
            raise InvalidDelayError(
                f"delay is {delay!r:.60}, and this run has {left:.1f} days left: an execution ends within 365 days "
                "of its start, and its state within RUNSTORE_TTL_DAYS"
            )
        text, size = encode(payload, "payload", self._limits.max_payload_bytes)
        if self._bytes + size > MAX_SCHEDULED_BYTES:
            raise SchedulingError(
                f"what one step schedules has payloads of at most {MAX_SCHEDULED_BYTES:,} bytes in all, and step "
                f"{len(self.steps) + 1:,} exceeds that: keep the data elsewhere and pass references, or schedule steps "
                "that schedule the rest"
            )
        self._bytes += size
        self.steps.append(Scheduled(name, due, text, size))


class StepApi:
    """A step's access to its run.

    Attributes:
        run_store: The run's store; its pushes and increments count once, however often the step is tried.
        run_id: The run: the ARN of the root execution.
        step_id: The id of this step, the same in every attempt; its descendants' ids begin with it.
        attempt: 1 for the first attempt.
        logger: A logger whose entries carry run, step and attempt.
    """

    __slots__ = ("_schedule", "attempt", "logger", "run_id", "run_store", "step_id")

    def __init__(
        self, run_store: "StepStore", schedule: Schedule, *, step_id: str, attempt: int, logger: StepLogger
    ) -> None:
        self.run_store, self.run_id, self._schedule = run_store, run_store.run_id, schedule
        self.step_id, self.attempt, self.logger = step_id, attempt, logger

    def schedule_next_step(self, delay: float | str, action: str, payload: "Any" = None) -> None:
        """Have a step run after a delay, if this attempt succeeds.

        Several calls in one step are branches that run in parallel, each after its own delay from now. What an attempt
        that fails has scheduled never runs; what the attempt that succeeds has scheduled runs once.

        Args:
            delay: Seconds from 0, or text such as "30 sec", "5 min", "2 hours", "1 day", "1 week"; the run as a whole
                ends within 365 days.
            action: The name of a step of this class; not `start`.
            payload: Any JSON value of at most RUNSTORE_MAX_VALUE_BYTES (65,536 by default): the step's `data`.

        Raises:
            InvalidDelayError: The delay is not one, or does not fit into the run.
            InvalidActionError: There is no such step.
            InvalidValueError: The payload is not JSON.
            ValueTooLargeError: The payload is too large: store it elsewhere and pass a reference.
            SchedulingError: More than 10,000 steps from one step, or more than 16,000,000 bytes of payloads.
        """
        self._schedule.add(delay, action, payload)


class HookApi:
    """A hook's access to its run: the store and a logger. Hooks run once and cannot schedule.

    Attributes:
        run_store: The run's store, still with all its state.
        run_id: The run: the ARN of the root execution.
        logger: A logger whose entries carry the run and the hook's name.
    """

    __slots__ = ("logger", "run_id", "run_store")

    def __init__(self, run_store: "StepStore", *, logger: StepLogger) -> None:
        self.run_store, self.run_id, self.logger = run_store, run_store.run_id, logger

    def schedule_next_step(self, delay: float | str, action: str, payload: "Any" = None) -> "NoReturn":  # noqa: ARG002
        """Raise SchedulingError: when a hook runs, the run has ended."""
        raise SchedulingError(f"a hook cannot schedule {action!r:.100}: the run has ended when it is called")
