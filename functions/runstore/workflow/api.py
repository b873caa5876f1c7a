"""The argument `api` of steps and hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runstore.workflow.errors import SchedulingError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn

    from runstore.workflow.schedule import Schedule
    from runstore.workflow.stepstore import StepStore


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


class StepApi:
    """A step's access to its run.

    What a step schedules counts only from the attempt that succeeds, once: what a failed attempt has scheduled never
    runs. An attempt that outran its timeout is a failed attempt unless it ends first; it may still be writing to the
    store while others run, a join among them.

    Attributes:
        run_store: The run's store; its pushes and increments count once, however often the step is tried.
        run_id: The run: the ARN of the root execution.
        step_id: The id of this step, the same in every attempt.
        attempt: 1 for the first attempt.
        logger: A logger whose entries carry run, step and attempt.
    """

    __slots__ = ("_schedule", "attempt", "logger", "run_id", "run_store", "step_id")

    def __init__(
        self, run_store: StepStore, schedule: Schedule, *, step_id: str, attempt: int, logger: StepLogger
    ) -> None:
        self.run_store, self.run_id, self._schedule = run_store, run_store.run_id, schedule
        self.step_id, self.attempt, self.logger = step_id, attempt, logger

    def schedule_next_step(self, delay: float | str, action: str, payload: Any = None) -> None:
        """Schedule a step to run after a delay.

        Several calls in one step are branches that run in parallel, each after its own delay from now.

        Args:
            delay: Seconds from 0, or text such as "30 sec", "5 min", "2 hours", "1 day", "1 week"; rounded up to whole
                seconds. The run as a whole ends within 365 days.
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

    def schedule_steps(
        self, action: str, payloads: Iterable[Any], delay: float | str = 0, per_second: float | None = None
    ) -> None:
        """Schedule one branch for each payload; all of them, or none if one is wrong.

        Args:
            action: The name of a step of this class; not `start`.
            payloads: A list, or another iterable, of JSON values.
            delay: As for `schedule_next_step`.
            per_second: How many branches begin in each second, to spare what they call: 50 begins fifty after the delay
                (rounded up to a whole second), fifty more a second later, and so on; 0.1 begins one every ten seconds.
                Without it all begin together.

        Raises:
            InvalidRequestError: `payloads` is not an iterable of values.
            InvalidDelayError: `per_second` is not a number above 0, or the last branch would not fit into the run.
            InvalidActionError, InvalidValueError, ValueTooLargeError, SchedulingError: As for `schedule_next_step`.
        """
        self._schedule.add_many(action, payloads, delay, per_second)

    def join(self, action: str, payload: Any = None, delay: float | str = 0) -> None:
        """Run a step when every branch that this step schedules has ended, whenever it was scheduled in this attempt.

        "Ended" includes everything that the branches led to, their own joins too. Without branches the step runs at
        once. It can schedule and join again. A branch that fails without `on_failure` fails the run, and the step does
        not run. A step can join once.

        Args:
            action: The name of a step of this class; not `start`.
            payload: As for `schedule_next_step`.
            delay: The time between the end of the last branch and the step, as for `schedule_next_step`.

        Raises:
            SchedulingError: This attempt has joined already.
            InvalidDelayError, InvalidActionError, InvalidValueError, ValueTooLargeError: As for `schedule_next_step`.
        """
        self._schedule.join(action, payload, delay)

    def wait_for_event(
        self, action: str, payload: Any = None, timeout: float | str = "24 hours", on_timeout: str | None = None
    ) -> str:
        """Add a branch that waits for an event from outside; return the token that sends it.

        When `send_event(token, body)` is called, the step `action` runs with `{"payload": ..., "event": body}`. The
        first event counts, also one that comes before this step has ended. Waiting costs nothing.

        The token can be used in a URL, cannot be guessed, names the run, and is the same in every attempt of this step.
        Anyone who has it can send the event, so give it only to the sender. Several waits of one step differ by their
        action and by how often this attempt has waited for that action.

        Args:
            action: The name of a step of this class; not `start`.
            payload: As for `schedule_next_step`.
            timeout: How long to wait, 1 minute to 30 days: seconds, or text such as "3 days". The time runs from this
                call.
            on_timeout: The step that runs after the timeout, with `{"payload": ...}`. Without it a timeout is a failure
                of `action` by `EventTimeoutError`, and the `on_failure` of `action` applies.

        Raises:
            InvalidDelayError: The timeout is out of its bounds, or does not fit into the run.
            InvalidActionError, InvalidValueError, ValueTooLargeError, SchedulingError: As for `schedule_next_step`.
        """
        return self._schedule.wait(action, payload, timeout, on_timeout)


class HookApi:
    """A hook's access to its run: the store and a logger. Hooks run once and cannot schedule.

    Attributes:
        run_store: The run's store, still with all its state.
        run_id: The run: the ARN of the root execution.
        logger: A logger whose entries carry the run.
    """

    __slots__ = ("logger", "run_id", "run_store")

    def __init__(self, run_store: StepStore, *, logger: StepLogger) -> None:
        self.run_store, self.run_id, self.logger = run_store, run_store.run_id, logger

    def schedule_next_step(self, *_: object, **__: object) -> NoReturn:
        """Raise SchedulingError: the run has ended when a hook runs."""
        raise _refusal("schedule")

    def schedule_steps(self, *_: object, **__: object) -> NoReturn:
        """Raise SchedulingError: the run has ended when a hook runs."""
        raise _refusal("schedule")

    def join(self, *_: object, **__: object) -> NoReturn:
        """Raise SchedulingError: the run has ended when a hook runs."""
        raise _refusal("join")

    def wait_for_event(self, *_: object, **__: object) -> NoReturn:
        """Raise SchedulingError: the run has ended when a hook runs."""
        raise _refusal("wait for an event")


def _refusal(what: str) -> SchedulingError:
    return SchedulingError(f"a hook cannot {what}; the run has ended when a hook runs")
