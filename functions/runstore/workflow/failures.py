"""How a step's failure is recorded and reported, whether Python raised it or Step Functions noticed it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore.errors import InvalidRequestError
from runstore.workflow.errors import PermanentError, StepCrashedError, StepTimeoutError, WorkflowDefinitionError

if TYPE_CHECKING:
    from typing import Any

MAX_MESSAGE = 8_000  # characters of an error's text: Step Functions keeps 32,768 of the cause around it
_MAX_NAME = 256  # characters that Step Functions takes as the name of an error

# What Step Functions reports of an invocation that Lambda refused. The state machine has a retrier for these alone.
NOT_STARTED = {
    "Lambda.TooManyRequestsException",
    "Lambda.SnapStartNotReadyException",
    "Lambda.SnapStartTimeoutException",
    "Lambda.ResourceNotReadyException",
}
_TIMEOUTS = {
    "States.Timeout": "the step ran longer than its timeout",
    "Sandbox.Timedout": "the step ran longer than its Lambda function may",
}
_NOT_ALLOWED = "not authorized to perform: states:StartExecution"


@dataclass(frozen=True, slots=True)
class Failure:
    """An error's class name, its text, and whether another attempt is pointless."""

    name: str
    message: str
    permanent: bool = False


def fails_the_step(error: BaseException) -> bool:
    """Return whether an exception that user code lets out is a failure of that code.

    So is everything but what is meant for the process: KeyboardInterrupt, and how test runners stop a test. In Lambda
    those end the process, which is a failed attempt too.
    """
    if isinstance(error, (Exception, SystemExit, GeneratorExit)):
        return True
    asyncio = sys.modules.get("asyncio")  # whose CancelledError is no Exception
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def failure_of(error: BaseException) -> Failure:
    """Return how an exception is recorded and reported."""
    return Failure(
        type(error).__name__[:_MAX_NAME],
        _text_of(error)[:MAX_MESSAGE].encode(errors="backslashreplace").decode(),  # strict UTF-8, as a state is
        permanent=isinstance(error, (PermanentError, InvalidRequestError, WorkflowDefinitionError)),
    )


def _text_of(error: BaseException) -> str:
    try:
        if isinstance(error, SystemExit):
            return f"a step must return, or raise an error; it called sys.exit({error.code!r})"
        return str(error)
    except Exception as failure:  # noqa: BLE001 a user's __str__ may raise anything
        return f"its text cannot be read: {type(failure).__name__}"


def caught_failure(caught: dict[str, Any]) -> Failure:
    """Return the failure behind what Step Functions caught: a time-out, a crash, a child execution's end."""
    name, cause = str(caught.get("Error", "")), str(caught.get("Cause", ""))
    if name in _TIMEOUTS:
        return Failure(StepTimeoutError.__name__, _TIMEOUTS[name])
    try:
        report = json.loads(cause)
    except ValueError:
        report = {}
    report = report if isinstance(report, dict) else {}
    if name == "States.TaskFailed" and report.get("Error"):  # a child execution's description
        return caught_failure({"Error": report["Error"], "Cause": report.get("Cause", "")})
    message = str(report.get("errorMessage") or report.get("Cause") or cause)[:MAX_MESSAGE]
    if _NOT_ALLOWED in message:
        message = f"the state machine's role must allow states:StartExecution on the machine itself; {message}"
    if not name or "." in name:  # Step Functions' and Lambda's own names
        return Failure(StepCrashedError.__name__, f"{name or 'unknown error'}: {message}"[:MAX_MESSAGE])
    return Failure(name, message)
