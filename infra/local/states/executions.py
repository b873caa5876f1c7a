"""Requests about executions that ministack lacks or answers differently: starting, nesting, redriving."""

from __future__ import annotations

import contextvars
import json
import threading
from typing import TYPE_CHECKING, Any, Final

from ministack.services import stepfunctions as sfn

from infra.local.states.endings import emit_status
from infra.local.states.limits import MAX_STATE_BYTES
from infra.local.states.scope import Stopped, begin_again, current_scope, run_of

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_NAME: Final = 80
REDRIVABLE: Final = {"FAILED", "TIMED_OUT", "ABORTED"}


def starting(start: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    """Return StartExecution that checks its input, and that answers a repetition as AWS does."""

    def handle(data: dict[str, Any]) -> Any:
        text = data.get("input", "{}")
        if len(text.encode()) > MAX_STATE_BYTES:
            limit = f"Member must have length less than or equal to {MAX_STATE_BYTES}"
            return sfn.error_response_json("ValidationException", f"Value at 'input' failed to satisfy: {limit}", 400)
        try:
            json.loads(text)
        except ValueError as error:
            message = f"Invalid State Machine Execution Input: '{error}'"
            return sfn.error_response_json("InvalidExecutionInput", message, 400)
        name = data.get("name")
        if name is not None and not 1 <= len(name) <= MAX_NAME:
            return sfn.error_response_json("InvalidName", f"Invalid Name: '{name}'", 400)
        machine = sfn._state_machines.get(sfn._resolve_state_machine_arn(data.get("stateMachineArn", "")))
        if name and machine:
            arn = machine["stateMachineArn"].replace(":stateMachine:", ":execution:") + f":{name}"
            running = sfn._executions.get(arn)
            if running and running["status"] == "RUNNING" and running["input"] == text:
                return sfn.json_response({"executionArn": arn, "startDate": running["startDate"]})
        return start(data)

    return handle


def run_nested(resource: str, input_data: dict[str, Any]) -> dict[str, Any]:
    """Start an execution and wait for its end; it is stopped when the task that waits ends first.

    It is an execution like any other: it sends its status events.
    """
    request = sfn._nested_start_execution_request(input_data)
    status, _, body = sfn._start_execution(request)
    answer = json.loads(body)
    if status >= 400:  # noqa: PLR2004 HTTP
        name = f"StepFunctions.{answer.get('__type', 'SdkClientException')}Exception"
        raise sfn._ExecutionError(name, answer.get("message", ""))
    arn = answer["executionArn"]
    child = sfn._executions[arn]
    try:
        current_scope().wait(run_of(child).ended)
    except Stopped:
        sfn._stop_execution({"executionArn": arn})
        raise
    described = nested_result(child, as_json=resource.endswith(".sync:2"))
    if child["status"] != "SUCCEEDED":
        raise sfn._ExecutionError("States.TaskFailed", json.dumps(described))
    return described


def nested_result(child: dict[str, Any], *, as_json: bool) -> dict[str, Any]:
    """Return what a task that waits for an execution gets of it."""
    described = {
        "ExecutionArn": child["executionArn"],
        "Input": child["input"],
        "InputDetails": {"Included": True},
        "Name": child["name"],
        "StartDate": sfn._iso_to_epoch_ms(child["startDate"]),
        "StateMachineArn": child["stateMachineArn"],
        "Status": child["status"],
        "StopDate": sfn._iso_to_epoch_ms(child["stopDate"]),
    }
    if child["status"] == "SUCCEEDED":
        output = child["output"]
        return {**described, "Output": json.loads(output) if as_json else output, "OutputDetails": {"Included": True}}
    return {**described, "Error": child.get("error"), "Cause": child.get("cause")}


def redrive(data: dict[str, Any]) -> Any:
    """RedriveExecution: continue with the states that did not succeed, with the input that they had."""
    arn = data.get("executionArn")
    execution = sfn._executions.get(arn)
    if not execution:
        return sfn.error_response_json("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'", 400)
    if execution["status"] not in REDRIVABLE or execution.get("mapRunArn"):
        message = f"Execution is {execution['status']} and cannot be redriven"
        return sfn.error_response_json("ExecutionNotRedrivable", message, 400)
    if not begin_again(execution):
        message = "The local stack has been restarted since, and does not know any more where the execution was"
        return sfn.error_response_json("ExecutionNotRedrivable", message, 400)
    now = sfn.now_iso()
    execution.update(status="RUNNING", stopDate=None, output=None, redriveDate=now)
    execution["redriveCount"] = execution.get("redriveCount", 0) + 1
    for field in ("error", "cause"):
        execution.pop(field, None)
    details = {"redriveCount": execution["redriveCount"]}
    sfn._add_event(execution, "ExecutionRedriven", {"executionRedrivenEventDetails": details})
    emit_status(execution)
    context = contextvars.copy_context()  # of the request, whose account and region it goes on with
    threading.Thread(target=context.run, args=(sfn._run_execution, arn), daemon=True).start()
    return sfn.json_response({"redriveDate": now})


def describing(describe: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    """Return DescribeExecution that tells of redrives, and no output of an execution that failed."""

    def handle(data: dict[str, Any]) -> Any:
        status, headers, body = describe(data)
        execution = sfn._executions.get(data.get("executionArn"))
        if not execution:
            return status, headers, body
        can = execution["status"] in REDRIVABLE
        more = {
            "redriveCount": execution.get("redriveCount", 0),
            "redriveStatus": "REDRIVABLE" if can else "NOT_REDRIVABLE",
            "redriveDate": execution.get("redriveDate"),
        }
        described = {**json.loads(body), **{key: value for key, value in more.items() if value is not None}}
        if execution["status"] != "SUCCEEDED":
            described.pop("output", None)
            described.pop("outputDetails", None)
        return sfn.json_response(described)

    return handle
