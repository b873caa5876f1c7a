"""How executions end, each once, and the events that tell EventBridge so."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from ministack.services import eventbridge
from ministack.services import stepfunctions as sfn

from infra.local.states.scope import run_of

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_EVENT_BYTES: Final = 248 * 1_024  # EventBridge's events hold 256 KB; larger documents are left out
DETAIL_TYPE: Final = "Step Functions Execution Status Change"
_ending: Final = threading.RLock()
_logger = logging.getLogger("states")


def succeed(execution: dict[str, Any], output: Any) -> None:
    """End an execution with its output."""
    text = json.dumps(output)
    end(execution, "SUCCEEDED", "ExecutionSucceeded", {"output": text})


def fail(execution: dict[str, Any], error: str, cause: str | None) -> None:
    """End an execution with an error."""
    end(execution, "FAILED", "ExecutionFailed", {"error": error, "cause": cause})


def time_out(execution: dict[str, Any]) -> None:
    """End an execution that ran longer than its state machine allows."""
    end(execution, "TIMED_OUT", "ExecutionTimedOut", {"error": "States.Timeout"})


def end(execution: dict[str, Any], status: str, event: str, details: dict[str, Any]) -> None:
    """End an execution unless it has ended, stop what is under way in it, and tell EventBridge."""
    with _ending:
        if execution["status"] != "RUNNING":
            return
        fields = {key: value for key, value in details.items() if key in {"output", "error", "cause"}}
        execution.update(status=status, stopDate=sfn.now_iso(), **fields)
        sfn._add_event(execution, event, {f"{event[0].lower()}{event[1:]}EventDetails": details})
        emit_status(execution)
    settle(execution)


def stopping(stop: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    """Return StopExecution that also stops what is under way."""

    def handle(data: dict[str, Any]) -> Any:
        with _ending:
            answer = stop(data)
        execution = sfn._executions.get(data.get("executionArn"))
        if execution and execution["status"] != "RUNNING":
            settle(execution)
        return answer

    return handle


def settle(execution: dict[str, Any]) -> None:
    """Stop what is under way in an execution that has ended."""
    run = run_of(execution)
    run.ended.set()
    run.scope.end()


def emit_status(execution: dict[str, Any]) -> None:
    """Send the event of a status to EventBridge. Express executions send none."""
    machine = sfn._state_machines.get(execution["stateMachineArn"]) or {}
    if execution.get("sync") or machine.get("type") == "EXPRESS":
        return
    try:
        eventbridge._put_events(
            {
                "Entries": [
                    {
                        "Source": "aws.states",
                        "DetailType": DETAIL_TYPE,
                        "Detail": json.dumps(status_detail(execution)),
                        "Resources": [execution["executionArn"]],
                    }
                ]
            },
            allow_aws_source=True,
        )
    except Exception:  # a lost event must not change how the execution ended
        _logger.exception("The status event of %s could not be sent", execution["executionArn"])


def status_detail(execution: dict[str, Any]) -> dict[str, Any]:
    """Return what a status event says of an execution."""
    status = execution["status"]
    has_failed = status in {"FAILED", "TIMED_OUT", "ABORTED"}
    detail = {
        "executionArn": execution["executionArn"],
        "stateMachineArn": execution["stateMachineArn"],
        "name": execution["name"],
        "status": status,
        "startDate": sfn._iso_to_epoch_ms(execution["startDate"]),
        "stopDate": sfn._iso_to_epoch_ms(execution.get("stopDate")),
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": execution.get("redriveCount", 0),
        "redriveDate": sfn._iso_to_epoch_ms(execution.get("redriveDate")),
        "redriveStatus": "REDRIVABLE" if has_failed else "NOT_REDRIVABLE",
        "redriveStatusReason": None if has_failed else f"Execution is {status} and cannot be redriven",
        "error": execution.get("error") if has_failed else None,
        "cause": execution.get("cause") if has_failed else None,
    }
    for field, text in (("input", execution["input"]), ("output", execution.get("output"))):
        if text is None or (field == "output" and status != "SUCCEEDED"):
            detail |= {field: None, f"{field}Details": None}
        else:
            is_included = len(text.encode()) <= MAX_EVENT_BYTES
            detail |= {field: text if is_included else None, f"{field}Details": {"included": is_included}}
    return detail
