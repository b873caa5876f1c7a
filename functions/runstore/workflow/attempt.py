"""One attempt of a step or a hook, in the state machine and in tests alike."""

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore.errors import InvalidRequestError, ValueTooLargeError
from runstore.model.values import encode
from runstore.workflow.api import HookApi, StepApi, StepLogger
from runstore.workflow.definition import COMPLETE_HOOK, ERROR_HOOK
from runstore.workflow.errors import PermanentError, StepFailure
from runstore.workflow.machine import MAX_STATE
from runstore.workflow.stepstore import StepStore

if TYPE_CHECKING:
    from typing import Any

    from runstore.workflow.base import Workflow

MAX_MESSAGE = 8_000  # characters of an error's text: Step Functions keeps 32,768 of the cause around it
_ESCAPES = sys.version_info < (3, 12)  # Lambda's runtime then writes what is not ASCII as \uXXXX


@dataclass(frozen=True, slots=True)
class Failure:
    """What a step raised: the class's name, the text, and whether trying again may help."""

    name: str
    message: str
    permanent: bool = False


def run_step(workflow: "type[Workflow]", action: str, data: "Any", headers: "Any", api: "StepApi") -> Failure | None:
    """Run a step of a new instance of the class; return what went wrong, if anything."""
    try:
        getattr(workflow(), action)(data, headers, api)
    except Exception as error:
        api.logger.exception("step %s failed in attempt %d", action, api.attempt)
        return failure_of(error)
    return None


def complete_hook(workflow: "type[Workflow]", store: StepStore, logger: StepLogger) -> tuple[str, Exception | None]:
    """Call the completion hook; return the JSON of its output, null if it failed, and what it failed with."""
    try:
        return _output(workflow().on_workflow_complete(HookApi(store, logger=logger))), None
    except Exception as error:  # a user's code may raise anything, and it changes nothing about the run
        logger.exception("%s failed: the run succeeds all the same, without output", COMPLETE_HOOK)
        return "null", error


def _output(output: "Any") -> str:
    """Return the JSON of what the completion hook returned, if Lambda's runtime can write it and a state can hold it.

    Raises UnicodeEncodeError for lone surrogates: the runtime writes strict UTF-8.
    """
    text, _ = encode(output, f"the output of {COMPLETE_HOOK}", MAX_STATE)
    value = json.loads(text)
    size = len(json.dumps(value, ensure_ascii=False).encode())  # with a space after each comma and colon
    if _ESCAPES:
        size = len(json.dumps(value))
    if size > MAX_STATE:
        raise ValueTooLargeError(
            f"the output of {COMPLETE_HOOK} has {size:,} bytes as Lambda writes it, at most {MAX_STATE:,} are allowed: "
            "store it elsewhere (in S3, for example) and return a reference to it"
        )
    return text


def error_hook(
    workflow: "type[Workflow]", failure: StepFailure, store: StepStore, logger: StepLogger
) -> Exception | None:
    """Call the error hook; return what it failed with."""
    try:
        workflow().on_workflow_error(failure, HookApi(store, logger=logger))
    except Exception as error:  # as above
        logger.exception("%s failed: the run fails with the step's error all the same", ERROR_HOOK)
        return error
    return None


def failure_of(error: Exception) -> Failure:
    """Return how an exception is recorded and reported."""
    return Failure(
        type(error).__name__,
        str(error)[:MAX_MESSAGE].encode(errors="backslashreplace").decode(),  # strict UTF-8, as a state is
        permanent=isinstance(error, (PermanentError, InvalidRequestError)),
    )
