"""The Lambda handler of a workflow class: one function for every task of its state machine."""

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING

from runstore.aws_lambda import startup
from runstore.aws_lambda.context import limited, time_left
from runstore.aws_lambda.tracing import annotated
from runstore.errors import ConfigurationError, IncompleteCompletionError, TransientError
from runstore.lifecycle import completion
from runstore.settings import Settings
from runstore.store import RunStore, table_of
from runstore.workflow import metrics
from runstore.workflow.engine import Engine
from runstore.workflow.errors import HookRunningError, StepFailure, WorkflowUnavailableError
from runstore.workflow.events import Event, parse
from runstore.workflow.failures import Failure
from runstore.workflow.records import Records

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from aws_lambda_powertools import Logger
    from types_boto3_dynamodb import DynamoDBClient

    from runstore.workflow.attempt import WorkflowClass


def make_handler(
    workflow: type[WorkflowClass],
    *,
    table_name: str | None = None,
    client: DynamoDBClient | None = None,
    now: Callable[[], float] = time.time,
) -> Callable[[Any, Any], Any]:
    """Return the handler; see `Workflow.lambda_handler`."""
    cached_logger = cache(_new_logger)
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE"):
        cached_logger()  # while Lambda starts the process or takes its snapshot, before an invocation waits
    startup.prepare()

    def handler(event: Any, context: Any = None) -> Any:
        """Do what the state machine asks for. Raises what the state machine's Retry and Catch match, by class name."""
        request, logger = parse(event), cached_logger()
        logger.append_keys(run_id=request.run_id, workflow=workflow.__name__, task=request.task, **_step_of(request))
        settings = Settings.from_environment(table_name)
        store = RunStore(request.run_id, client=client, settings=settings)
        table, remaining = table_of(store), time_left(context)
        engine = Engine(workflow, store, table, Records(table), settings, logger, now, remaining)
        annotations = {"run_id": request.run_id, "task": request.task, **_step_of(request)}
        try:
            with limited(context), annotated(workflow.__name__, annotations):
                if request.task == "complete":
                    deleted = completion.complete(table, remaining)
                    engine.counts["CompletedRuns"] += 1
                    return {"deleted": deleted}
                answer = _ANSWERS[request.task](engine, request)
        except (IncompleteCompletionError, HookRunningError):
            raise
        except TransientError as failure:
            raise WorkflowUnavailableError(str(failure)) from failure
        finally:
            metrics.write(engine.counts, workflow.__name__)
        if isinstance(answer, (Failure, StepFailure)):
            raise _exception(answer)
        return answer

    return handler


def _new_logger() -> Logger:
    try:
        from runstore.aws_lambda.powertools import Logger  # noqa: PLC0415 who only tests a workflow need not have it
    except ImportError as failure:
        raise ConfigurationError(
            "aws_lambda_powertools must be installed for the handler of a workflow; it is missing. Add "
            "aws-lambda-powertools to the function's requirements"
        ) from failure
    return Logger()


STEP_FAILED = "StepFailed"

_ANSWERS: dict[str, Callable[[Engine, Event], dict[str, Any] | Failure | StepFailure]] = {
    "begin": Engine.begin,
    "step": Engine.step,
    "listen": Engine.listen,
    "failed": Engine.failed,
    "hook": Engine.hook,
}


def _exception(failure: Failure | StepFailure) -> Exception:
    """Return an exception of the failed step's class name: Lambda reports the name, and the execution fails with it.

    A step may raise an error of a name that the state machine repeats. It fails the execution as STEP_FAILED instead.
    """
    name, message = failure.name, failure.message
    if "." in name or name == WorkflowUnavailableError.__name__:
        name, message = STEP_FAILED, f"{name}: {message}"
    if isinstance(failure, StepFailure):
        action = f"action {failure.action}, " if failure.action else ""
        message += f" ({action}step {failure.step_id}, attempts {failure.attempts})"
    kind: type[Exception] = type(name, (Exception,), {})
    return kind(message)


def _step_of(request: Event) -> dict[str, Any]:
    step = request.state.get("next", {}).get("step") or {}
    return {name: step.get(key) for name, key in (("step_id", "id"), ("action", "action"), ("attempt", "attempt"))}
