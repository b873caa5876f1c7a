"""Putting this package's parts in the place of ministack's."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ministack.services import stepfunctions as sfn

from infra.local.states import callbacks, endings, executions, history, walker
from infra.local.states.limits import RUNTIME, error_matches
from infra.local.states.scope import current_scope, scaled_sleep
from infra.local.states.tasks import execute_task, with_retry_and_catch

if TYPE_CHECKING:
    from collections.abc import Callable


def install_states() -> None:
    """Replace what differs from AWS. The names are ministack's private ones: it offers no hooks."""
    replacements = {
        "_add_event": history.add_event,
        "_describe_execution": executions.describing(sfn._describe_execution),
        "_emit_execution_status_event": endings.emit_status,
        "_error_matches": error_matches,
        "_execute_task": execute_task,
        "_fail_execution": endings.fail,
        "_invoke_nested_start_execution_sync": executions.run_nested,
        "_run_execution": walker.run_execution,
        "_run_map_items": walker.with_scope(sfn._run_map_items, parallel=False),
        "_run_parallel_branches": walker.with_scope(sfn._run_parallel_branches, parallel=True),
        "_run_distributed_map": stopping_map_runs(sfn._run_distributed_map),
        "_run_sub_machine": walker.run_branch,
        "_scaled_sleep": scaled_sleep,
        "_send_task_failure": callbacks.answering(callbacks.fail),
        "_send_task_heartbeat": callbacks.answering(callbacks.beat),
        "_send_task_success": callbacks.answering(callbacks.succeed),
        "_sleep_until": sleep_until,
        "_start_execution": executions.starting(sfn._start_execution),
        "_stop_execution": endings.stopping(sfn._stop_execution),
        "_with_retry_and_catch": with_retry_and_catch,
        "handle_request": with_redrive(sfn.handle_request),
    }
    for name, replacement in replacements.items():
        if not hasattr(sfn, name):
            raise AttributeError(f"ministack has no {name} any more")
        setattr(sfn, name, replacement)


def sleep_until(timestamp: str) -> None:
    """Wait until a time. Step Functions drops the part of a second, and so waits up to a second less."""
    try:
        until = datetime.fromisoformat(timestamp).replace(microsecond=0)
        seconds = (until - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError) as error:
        message = f"The Timestamp field is not an ISO-8601 date and time with an offset: {timestamp}"
        raise sfn._ExecutionError(RUNTIME, message) from error
    scaled_sleep(seconds)


def stopping_map_runs(run_map: Callable[..., Any]) -> Callable[..., Any]:
    """Let the Map Run of a distributed Map that was stopped say so."""

    def run(*arguments: Any) -> Any:
        execution = arguments[-2]
        known = set(sfn._map_runs)
        scope = current_scope()
        try:
            return run_map(*arguments)
        finally:
            if scope.has_ended:
                for arn in set(sfn._map_runs) - known:
                    one = sfn._map_runs[arn]
                    if one["executionArn"] == execution["executionArn"]:
                        one["status"] = "ABORTED"

    return run


def with_redrive(handle: Callable[..., Any]) -> Callable[..., Any]:
    """Serve RedriveExecution, which ministack does not know."""

    async def serve(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Any:
        if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
            return sfn._finalize_response(executions.redrive(json.loads(body or b"{}")))
        return await handle(method, path, headers, body, query)

    return serve
