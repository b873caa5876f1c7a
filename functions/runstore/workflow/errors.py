"""The errors of workflows, beside those of the store.

    RunStoreError
    ├── InvalidRequestError
    │   ├── InvalidDelayError        not a duration, or one that does not fit into the run
    │   ├── InvalidActionError       an action that is not a step of the class
    │   ├── SchedulingError          a hook schedules, a step schedules too much, or joins twice
    │   ├── InvalidEventError        an event that the state machine did not send
    │   └── InvalidEventTokenError   a token of wait_for_event that is altered, unknown or expired
    ├── WorkflowDefinitionError      the class itself is wrong; raised when it is defined
    ├── RunEndedError                the run has failed, was stopped or is over: none of its steps runs any more
    └── TransientError
        ├── WorkflowUnavailableError the engine's own records could not be read or written just now
        └── HookRunningError         another invocation is still running the hook

A step may raise anything. The engine repeats the step unless the error is, or derives from, `PermanentError` or
`InvalidRequestError`.
"""

from __future__ import annotations

from dataclasses import dataclass

from runstore.errors import InvalidRequestError, RunStoreError, TransientError


class InvalidDelayError(InvalidRequestError):
    """A delay must be seconds from 0 or text such as "5 min", and the run must end within a year with it."""


class InvalidActionError(InvalidRequestError):
    """An action must be the name of a step of this class: not `start`, not a hook, nothing private."""


class SchedulingError(InvalidRequestError):
    """A step schedules at most 10,000 others with 16,000,000 bytes of payloads, and joins once. A hook does neither."""


class InvalidEventError(InvalidRequestError):
    """The event is not one that the workflow's state machine sends, or the execution's input is wrong."""


class InvalidEventTokenError(InvalidRequestError):
    """The token is not one that `wait_for_event` returned, its run is over, or its wait has timed out."""


class WorkflowDefinitionError(RunStoreError, TypeError):
    """The workflow class is wrong: it has no `start`, or a step that cannot be called as one."""


class RunEndedError(RunStoreError):
    """The run has ended, so the step did not run. Start or redrive the execution to continue."""


class WorkflowUnavailableError(TransientError):
    """The engine could not read or write its records. The state machine's Retry repeats the task."""


class HookRunningError(TransientError):
    """Another invocation has begun the hook and may still be running it. The state machine's Retry asks again."""


class PermanentError(Exception):
    """Raise this, or a class that derives from it, from a step that must not be tried again."""


class StepTimeoutError(Exception):
    """The error of a step whose last attempt ran longer than its `timeout`, or than its Lambda function may."""


class StepCrashedError(Exception):
    """The error of a step whose last attempt ended without a Python error: out of memory, killed, never started."""


class EventTimeoutError(Exception):
    """The error of a step whose event did not come before the timeout, and that has no `on_timeout`."""


class WaitEndedError(Exception):
    """Ends a state that waits for an event when there is nothing left to wait for. Not a failure of a step."""


@dataclass(frozen=True, slots=True)
class StepFailure:
    """The argument of `on_workflow_error`: the step whose last attempt failed.

    `name` is the class name of what the step raised and `message` its text; `action` and `step_id` name the step;
    `attempts` says how often it was tried.
    """

    name: str
    message: str
    action: str
    step_id: str
    attempts: int

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"
