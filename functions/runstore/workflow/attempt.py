"""One attempt of a step or a hook, in the state machine and in tests alike."""

from __future__ import annotations

import json
import sys
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Protocol

from runstore.errors import ValueTooLargeError
from runstore.model.values import encode
from runstore.workflow.api import HookApi
from runstore.workflow.definition import COMPLETE_HOOK, ERROR_HOOK
from runstore.workflow.errors import WorkflowDefinitionError
from runstore.workflow.failures import Failure, fails_the_step, failure_of
from runstore.workflow.machine import MAX_STATE

if TYPE_CHECKING:
    from typing import Any, ClassVar

    from runstore.workflow.api import StepApi, StepLogger
    from runstore.workflow.definition import Definition
    from runstore.workflow.errors import StepFailure
    from runstore.workflow.stepstore import StepStore

_UNBEGUN = (CoroutineType, GeneratorType, AsyncGeneratorType)
_ESCAPES = sys.version_info < (3, 12)  # Lambda's runtime then writes what is not ASCII as \uXXXX


class WorkflowClass(Protocol):
    """What the engine uses of a class that derives from `Workflow`, beside its steps."""

    __runstore_workflow__: ClassVar[Definition]

    def on_workflow_complete(self, api: HookApi) -> Any:
        """Return the execution's output."""

    def on_workflow_error(self, error: StepFailure, api: HookApi) -> None:
        """See how the run has failed."""


def run_step(workflow: type[WorkflowClass], action: str, data: Any, headers: Any, api: StepApi) -> Failure | None:
    """Run a step of a new instance of the class; return what went wrong, if anything."""
    try:
        returned = getattr(workflow(), action)(data, headers, api)
        _check_that_it_ran(workflow, action, returned)
    except BaseException as error:
        if not fails_the_step(error):
            raise
        api.logger.exception("step %s failed in attempt %d", action, api.attempt)
        return failure_of(error)
    if returned is not None:
        api.logger.warning(
            "step %s returned a %s, which is not used: write it to api.run_store, or schedule a step with it",
            action,
            type(returned).__name__,
        )
    return None


def _check_that_it_ran(workflow: type[WorkflowClass], action: str, returned: Any) -> None:
    """Raise WorkflowDefinitionError for a step that is asynchronous or a generator behind a decorator that hides it."""
    if not isinstance(returned, _UNBEGUN):
        return
    if not isinstance(returned, AsyncGeneratorType):
        returned.close()
    raise WorkflowDefinitionError(
        f"{workflow.__runstore_workflow__.name}.{action} must run when it is called; it returned a "
        f"{type(returned).__name__}, whose code never ran"
    )


def complete_hook(
    workflow: type[WorkflowClass], store: StepStore, logger: StepLogger
) -> tuple[str, BaseException | None]:
    """Call the completion hook; return the JSON of its output, null if it failed, and what it failed with."""
    try:
        return _output(workflow().on_workflow_complete(HookApi(store, logger=logger))), None
    except BaseException as error:  # a user's code may raise anything, and it changes nothing about the run
        if not fails_the_step(error):
            raise
        logger.exception("%s failed: the run still succeeds, without output", COMPLETE_HOOK)
        return "null", error


def _output(output: Any) -> str:
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
            f"the output of {COMPLETE_HOOK} must have at most {MAX_STATE:,} bytes as Lambda writes it; got {size:,}. "
            "Store it elsewhere (in S3, for example) and return a reference to it"
        )
    return text


def error_hook(
    workflow: type[WorkflowClass], failure: StepFailure, store: StepStore, logger: StepLogger
) -> BaseException | None:
    """Call the error hook; return what it failed with."""
    try:
        workflow().on_workflow_error(failure, HookApi(store, logger=logger))
    except BaseException as error:  # as above
        if not fails_the_step(error):
            raise
        logger.exception("%s failed: the run still fails with the step's error", ERROR_HOOK)
        return error
    return None
