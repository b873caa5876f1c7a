"""The events that the state machine sends to the workflow's function, checked and taken apart."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore.model.identifiers import check_run_id
from runstore.workflow.attempt import MAX_MESSAGE, Failure
from runstore.workflow.errors import InvalidEventError, StepCrashedError, StepTimeoutError
from runstore.workflow.machine import VERSION

if TYPE_CHECKING:
    from typing import Any

    from runstore.workflow.machine import State

TASKS = ("begin", "step", "failed", "hook", "complete")
_STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"  # AWS asks who starts an execution by another to add it
_CHILD = {"run", "child", "redrives", _STARTED_BY}
_INPUT = {"data", "headers", _STARTED_BY}

# What Step Functions reports of an invocation that Lambda refused. The state machine has a retrier for these alone.
_NOT_STARTED = {
    "Lambda.TooManyRequestsException",
    "Lambda.SnapStartNotReadyException",
    "Lambda.SnapStartTimeoutException",
    "Lambda.ResourceNotReadyException",
}
_TIMEOUTS = {
    "States.Timeout": "the step ran longer than its timeout",
    "Sandbox.Timedout": "the step ran longer than its Lambda function may",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One task of the state machine. `own_epoch` is that of the execution's start, `epoch` the present one.

    `retries`: how often the state machine has repeated the task before this time.
    """

    task: str
    run_id: str
    own_epoch: int
    epoch: int
    state: "State"
    retries: int = 0
    started: str = ""
    input: "Any" = None
    child: "State | None" = None

    @property
    def next(self) -> "State":
        """The branch's `next`."""
        branch: State = self.state["next"]
        return branch

    @property
    def error(self) -> "State":
        """What Step Functions caught: Error and Cause."""
        caught: State = self.state.get("error") or {}
        return caught

    @property
    def not_started(self) -> bool:
        """Whether what Step Functions caught is that the step's function was never started."""
        return self.error.get("Error") in _NOT_STARTED

    def answer(self, following: "State") -> "State":
        """Return the branch's new state."""
        return {"run": self.state["run"], "next": following}


def parse(event: "Any") -> Event:
    """Return the task that an event asks for, or raise InvalidEventError."""
    if not isinstance(event, dict) or event.get("do") not in TASKS:
        raise InvalidEventError(
            "the event is not the workflow state machine's: this function is called by workflow.asl.json, not by hand"
        )
    task, redrives = event["do"], event.get("redrives") or 0
    try:
        if task == "begin":
            given, started = event["input"], event["started"]
            if isinstance(given, dict) and set(given) == _CHILD:
                run_id, epoch = _run(given)
                own = epoch + (given["redrives"] or 0)
                return Event(task, run_id, own, own + redrives, {}, started=started, child=given["child"])
            return Event(task, check_run_id(event["execution"]), 0, redrives, {}, started=started, input=given)
        state = event["state"]
        run_id, epoch = _run(state)
        if task in {"step", "failed"}:
            state["next"]["do"]
        return Event(task, run_id, epoch, epoch + redrives, state, event.get("retries") or 0)
    except (KeyError, TypeError) as failure:
        raise InvalidEventError(
            f"the event of the task {task!r} lacks {failure}: the state machine and the package must be of one version"
        ) from failure


def _run(state: "State") -> tuple[str, int]:
    """Return a state's run id and epoch, if this package reads its version."""
    run = state["run"]
    version = run.get("version", 0)
    if version not in {VERSION - 1, VERSION}:
        raise InvalidEventError(
            f"the run's state is of version {version}, and this package reads {VERSION - 1} and {VERSION}: deploy one "
            "that reads it, then redrive the execution"
        )
    return check_run_id(run["id"]), run["epoch"]


def execution_input(given: "Any") -> "tuple[Any, Any]":
    """Return data and headers of the input that an execution was started with, or raise InvalidEventError."""
    takes = 'an execution takes {"data": any JSON value, "headers": an object, may be left out}'
    if not isinstance(given, dict):
        raise InvalidEventError(f"the execution's input is no object: {takes}")
    if "data" not in given:
        raise InvalidEventError(f"the execution's input has no field data: {takes}")
    if unknown := sorted(set(given) - _INPUT):
        raise InvalidEventError(f"the execution's input has the unknown field {unknown[0]!r:.100}: {takes}")
    headers = given.get("headers", {})
    if not isinstance(headers, dict):
        raise InvalidEventError(f"headers is of type {type(headers).__name__}: {takes}")
    return given["data"], headers


def child_failure(caught: "State") -> Failure:
    """Return the failure behind what Step Functions caught: a time-out, a crash, a child execution's end."""
    name, cause = str(caught.get("Error", "")), str(caught.get("Cause", ""))
    if name in _TIMEOUTS:
        return Failure(StepTimeoutError.__name__, _TIMEOUTS[name])
    try:
        told = json.loads(cause)
    except ValueError:
        told = {}
    told = told if isinstance(told, dict) else {}
    if name == "States.TaskFailed" and told.get("Error"):  # a child execution's description
        return child_failure({"Error": told["Error"], "Cause": told.get("Cause", "")})
    message = str(told.get("errorMessage") or told.get("Cause") or cause)[:MAX_MESSAGE]
    if not name or "." in name:  # Step Functions' and Lambda's own names
        return Failure(StepCrashedError.__name__, f"{name or 'unknown error'}: {message}")
    return Failure(name, message)
