"""Task states, and how tasks, Maps and Parallels are tried again."""

from __future__ import annotations

import contextvars
import json
import logging
import random
import threading
import time
from typing import TYPE_CHECKING, Any

from ministack.services import stepfunctions as sfn

from infra.local.states.callbacks import Callback, new_token
from infra.local.states.history import note, service_of
from infra.local.states.limits import HEARTBEAT_TIMEOUT, RUNTIME, TIMEOUT, check_size, seconds_of
from infra.local.states.permissions import check_permission
from infra.local.states.scope import Scope, Stopped, current_run, current_scope, entered, scaled_sleep

if TYPE_CHECKING:
    from collections.abc import Callable

State = dict[str, Any]
Ctx = dict[str, Any]
CALLBACK = ".waitForTaskToken"
_logger = logging.getLogger("states")


def execute_task(state: State, raw_input: Any, execution: dict[str, Any], ctx: Ctx) -> tuple[Any, str | None]:
    """Run a Task state; return its output and the next state's name."""
    output: tuple[Any, str | None] = with_retry_and_catch(
        state, raw_input, ctx, lambda: attempt_task(state, raw_input, execution, ctx)
    )
    return output


def with_retry_and_catch(state: State, raw_input: Any, ctx: Ctx, attempt: Callable[[], Any]) -> Any:
    """Try a state as often as its Retry allows, then look for a Catch."""
    counts: dict[int, int] = {}
    entry = ctx["State"]
    while True:
        ctx["State"] = {**entry, "RetryCount": sum(counts.values())}
        try:
            return attempt()
        except sfn._ExecutionError as error:
            retrier, index = sfn._find_matching_retrier(state.get("Retry", []), error.error, counts)
            if retrier is not None:
                scaled_sleep(pause_before_retry(retrier, counts.get(index, 0)))
                counts[index] = counts.get(index, 0) + 1
                continue
            catcher = sfn._find_matching_catcher(state.get("Catch", []), error.error)
            if catcher is None:
                raise
            caught = {"Error": error.error, "Cause": error.cause}
            language = sfn._state_query_language(state, ctx)
            return sfn._apply_catcher(catcher, raw_input, ctx, language, caught), catcher["Next"]


def pause_before_retry(retrier: State, retries: int) -> float:
    """Return how many seconds to wait before the next attempt."""
    pause: float = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** retries
    pause = min(pause, retrier.get("MaxDelaySeconds", pause))
    return random.uniform(0, pause) if retrier.get("JitterStrategy") == "FULL" else pause  # noqa: S311 no secret


def attempt_task(state: State, raw_input: Any, execution: dict[str, Any], ctx: Ctx) -> tuple[Any, str | None]:
    """Run a task once."""
    resource, name = state.get("Resource", ""), ctx["State"]["Name"]
    is_jsonata = sfn._state_query_language(state, ctx) == "JSONata"
    ctx.pop("Task", None)
    if CALLBACK in resource:
        ctx["Task"] = {"Token": new_token()}
    if is_jsonata:
        effective = sfn._apply_jsonata_arguments(state, raw_input, ctx)
    else:
        effective = sfn._apply_parameters(state, sfn._apply_input_path(state, raw_input, ctx), ctx)
    check_size(effective, name)
    service = service_of(resource)
    note(
        execution,
        "TaskScheduled",
        "taskScheduledEventDetails",
        **service,
        region=sfn.get_region(),
        parameters=json.dumps(effective),
    )
    try:
        check_permission(current_run().role_arn, resource, effective)
        note(execution, "TaskStarted", "taskStartedEventDetails", **service)
        result = perform(state, raw_input, effective, ctx)
        check_size(result, name)
    except sfn._ExecutionError as error:
        event = "TaskTimedOut" if error.error in {TIMEOUT, HEARTBEAT_TIMEOUT} else "TaskFailed"
        note(execution, event, f"t{event[1:]}EventDetails", **service, error=error.error, cause=error.cause)
        raise
    note(execution, "TaskSucceeded", "taskSucceededEventDetails", **service, output=result)
    if is_jsonata:
        output = sfn._apply_jsonata_output(state, raw_input, ctx, result=result, default=result)
        sfn._apply_state_assign(state, raw_input, ctx, result=result)
    else:
        output = sfn._apply_result_path(state, raw_input, sfn._apply_result_selector(state, result))
        output = sfn._apply_output_path(state, output, ctx)
    return output, sfn._next_or_end(state)


class Work:
    """What a task has started: it continues when the task no longer waits for it, as on AWS."""

    def __init__(self, resource: str, effective: Any, scope: Scope, token: str | None) -> None:
        self.done = threading.Event()
        self.callback = Callback(token, self.done) if token else None
        self._resource = resource.replace(CALLBACK, "")
        self._effective = effective
        self._scope = scope
        self._result: Any = None
        self._error: sfn._ExecutionError | None = None
        threading.Thread(target=contextvars.copy_context().run, args=(self._work,), daemon=True).start()

    def _work(self) -> None:
        try:
            with entered(self._scope):
                self._result = sfn._invoke_resource(self._resource, self._effective)
        except Stopped:
            return
        except sfn._ExecutionError as error:
            self._error = error
        except Exception as error:
            _logger.exception("Unexpected error in a task")
            self._error = sfn._ExecutionError(RUNTIME, str(error))
        if self._error or not self.callback:
            self.done.set()

    def result(self) -> Any:
        """Return the result, or raise the error."""
        if self._error:
            raise self._error
        return self.callback.result() if self.callback else self._result


def perform(state: State, raw_input: Any, effective: Any, ctx: Ctx) -> Any:
    """Do a task's work and return its result, within the time that the state allows."""
    resource = state.get("Resource", "")
    # ministack's activities have no time-out: theirs would begin when a worker takes the task.
    is_timed = ":activity:" not in resource
    seconds = seconds_of("TimeoutSeconds", state, raw_input, ctx) if is_timed else None
    heartbeat = seconds_of("HeartbeatSeconds", state, raw_input, ctx) if CALLBACK in resource else None
    began = time.monotonic()
    branch = current_scope()
    branch.check()
    scope = Scope(branch)
    work = Work(resource, effective, scope, ctx["Task"]["Token"] if CALLBACK in resource else None)
    try:
        while True:
            now = time.monotonic()
            left = None if seconds is None else began + seconds - now
            alive = work.callback.last_heartbeat if work.callback else began
            beat = None if heartbeat is None else alive + heartbeat - now
            if branch.wait(work.done, shortest(left, beat)):
                return work.result()
            if left is not None and time.monotonic() >= now + left:
                raise sfn._ExecutionError(TIMEOUT, "")
            if work.callback is None or work.callback.last_heartbeat == alive:
                raise sfn._ExecutionError(HEARTBEAT_TIMEOUT, "")
    finally:
        if work.callback:
            work.callback.end()
        scope.end()


def shortest(*limits: float | None) -> float | None:
    """Return the shortest of the limits that there are, none below zero."""
    given = [max(0.0, limit) for limit in limits if limit is not None]
    return min(given, default=None)
