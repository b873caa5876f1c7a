"""The events that the state machine sends to the workflow's function, checked and taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore.model.identifiers import check_run_id
from runstore.workflow.errors import InvalidEventError, WaitEndedError
from runstore.workflow.failures import NOT_STARTED
from runstore.workflow.machine import VERSION

if TYPE_CHECKING:
    from typing import Any

    from runstore.workflow.machine import State

TASKS = ("begin", "step", "listen", "failed", "hook", "complete")
_STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"  # AWS asks who starts an execution by another to add it
_CHILD = {"run", "child", "redrives", _STARTED_BY}
_INPUT = {"data", "headers", _STARTED_BY}
_ALLOWED = 'the execution\'s input must be {"data": any JSON value, "headers": an object, which is optional}'
_WOKEN = {"States.Timeout", WaitEndedError.__name__}


@dataclass(frozen=True, slots=True)
class Event:
    """One task of the state machine. `own_generation` is that of the execution's start, `generation` the present one.

    `retries`: how often the state machine has repeated the task before this time. `child` is sealed text.
    """

    task: str
    run_id: str
    own_generation: int
    generation: int
    state: State
    retries: int = 0
    started: str = ""
    input: Any = None
    child: Any = None
    task_token: str = ""

    @property
    def next(self) -> State:
        """The branch's `next`."""
        branch: State = self.state["next"]
        return branch

    @property
    def error(self) -> State:
        """What Step Functions caught: Error and Cause."""
        caught: State = self.state.get("error") or {}
        return caught

    @property
    def not_started(self) -> bool:
        """Whether Step Functions caught that the step's function was never started."""
        return self.error.get("Error") in NOT_STARTED

    @property
    def listen_failed(self) -> bool:
        """Whether a state that waits for an event failed, instead of ending by an event or its time-out."""
        return bool(self.error) and self.error.get("Error") not in _WOKEN

    def answer(self, following: State) -> State:
        """Return the branch's new state."""
        return {"run": self.state["run"], "next": following}


def parse(event: Any) -> Event:
    """Return the task that an event asks for, or raise InvalidEventError."""
    if not isinstance(event, dict) or event.get("do") not in TASKS:
        raise InvalidEventError(
            "the event must come from the workflow's state machine; got another one. Start an execution of the state "
            "machine instead of invoking this function"
        )
    task, redrives = event["do"], event.get("redrives") or 0
    try:
        if task == "begin":
            given, started = event["input"], event["started"]
            if isinstance(given, dict) and set(given) == _CHILD:
                run_id, generation = _run(given)
                own = generation + (given["redrives"] or 0)
                return Event(task, run_id, own, own + redrives, {}, started=started, child=given["child"])
            return Event(task, check_run_id(event["execution"]), 0, redrives, {}, started=started, input=given)
        state = event["state"]
        run_id, generation = _run(state)
        if task in {"step", "listen", "failed"}:
            state["next"]["do"]
        token = event["token"] if task == "listen" else ""
        retries = event.get("retries") or 0
        return Event(task, run_id, generation, generation + redrives, state, retries, task_token=token)
    except (KeyError, TypeError) as failure:
        raise InvalidEventError(
            f"the event of the task {task!r} must have {failure}; it is missing. Deploy the state machine and the "
            "package in the same version"
        ) from failure


def _run(state: State) -> tuple[str, int]:
    """Return a state's run id and generation, if this package reads its version."""
    run = state["run"]
    version = run.get("version", 0)
    if version != VERSION:
        raise InvalidEventError(
            f"the run's state must be of version {VERSION}; got {version}. Deploy a package that reads it, then "
            "redrive the execution"
        )
    return check_run_id(run["id"]), run["generation"]


def execution_input(given: Any) -> tuple[Any, Any]:
    """Return data and headers of the input that an execution was started with, or raise InvalidEventError."""
    if not isinstance(given, dict):
        raise InvalidEventError(f"{_ALLOWED}; got {'null' if given is None else type(given).__name__}")
    if "data" not in given:
        raise InvalidEventError(f"{_ALLOWED}; data is missing")
    if unknown := sorted(set(given) - _INPUT):
        raise InvalidEventError(f"{_ALLOWED}; got the unknown field {unknown[0]!r:.100}")
    headers = given.get("headers", {})
    if not isinstance(headers, dict):
        raise InvalidEventError(f"{_ALLOWED}; headers is {'null' if headers is None else type(headers).__name__}")
    return given["data"], headers
