"""The errors of workflows, beside those of the store.

    RunStoreError
    ├── InvalidRequestError
    │   ├── InvalidDelayError        a delay that is no duration, or does not fit into the run
    │   ├── InvalidActionError       an action that is no step of the class
    │   ├── SchedulingError          a hook schedules, or a step schedules too much
    │   └── InvalidEventError        an event that is not the state machine's
    ├── WorkflowDefinitionError      the class itself is wrong; raised when it is defined
    ├── RunEndedError                the run has failed, was stopped or is over: nothing of it runs any more
    └── TransientError
        └── WorkflowUnavailableError the engine's own records could not be read or written just now

A step may raise anything. What it raises is tried again unless it is, or derives from, `PermanentError` or
`InvalidRequestError`.
"""

from dataclasses import dataclass

from runstore.errors import InvalidRequestError, RunStoreError, TransientError


class InvalidDelayError(InvalidRequestError):
    """A delay is seconds from 0 or text such as "30 sec" or "5 min", and the run ends within a year with it."""


class InvalidActionError(InvalidRequestError):
    """An action is the name of a step of this class: not `start`, not a hook, nothing private."""


class SchedulingError(InvalidRequestError):
    """Hooks cannot schedule; one step schedules at most 10,000 others, with 16,000,000 bytes of payloads in all."""


class InvalidEventError(InvalidRequestError):
    """The event is not what the workflow's state machine sends, or the execution's input is not what it takes."""


class WorkflowDefinitionError(RunStoreError, TypeError):
    """The workflow class is wrong: it has no `start`, or a step that cannot be called as one."""


class RunEndedError(RunStoreError):
    """The run has ended, so this step was not run. Starting or redriving the execution is the way on."""


class WorkflowUnavailableError(TransientError):
    """The engine could not read or write its records. The state machine's Retry deals with it."""


class PermanentError(Exception):
    """Raise this, or a class of your own that derives from it, from a step that must not be tried again."""


class StepTimeoutError(Exception):
    """The error of a step whose last attempt ran longer than its `timeout`, or than its Lambda function may."""


class StepCrashedError(Exception):
    """The error of a step whose last attempt ended without a Python error: out of memory, killed, never started."""


@dataclass(frozen=True, slots=True)
class StepFailure:
    """What `on_workflow_error` is told about the step that failed for good.

    `name` is the class name of what the step raised and `message` its text; `action` and `step_id` say which step it
    was, `attempts` how often it was tried.
    """

    name: str
    message: str
    action: str
    step_id: str
    attempts: int

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"
