"""How an execution and its branches walk from state to state."""

from __future__ import annotations

import contextvars
import json
import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from ministack.services import stepfunctions as sfn

from infra.local.states.endings import fail, succeed, time_out
from infra.local.states.history import add_event, note
from infra.local.states.limits import RUNTIME, check_size
from infra.local.states.scope import Run, Scope, Stopped, current_run, current_scope, entered, run_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.states.memory import Path

WITH_EXECUTION: Final = {"Task", "Parallel", "Map"}
_logger = logging.getLogger("states")
# Where in the definition this thread is: names of states, and numbers of iterations or first states of branches.
_path: contextvars.ContextVar[Path] = contextvars.ContextVar("path")
_is_parallel: contextvars.ContextVar[bool] = contextvars.ContextVar("is_parallel")


def run_execution(arn: str) -> None:
    """Walk an execution's states to its end; the background thread of every execution."""
    execution = sfn._executions.get(arn)
    if not execution:
        return
    run = run_of(execution)
    timer: threading.Timer | None = None
    with entered(run.scope, run):
        try:
            machine = sfn._state_machines[execution["stateMachineArn"]]
            definition = run.memory.definition or json.loads(machine["definition"])
            run.memory.definition = definition
            run.role_arn = machine["roleArn"]
            if "TimeoutSeconds" in definition:
                timer = threading.Timer(definition["TimeoutSeconds"], time_out, (execution,))
                timer.daemon = True
                timer.start()
            document = json.loads(execution["input"])
            ctx = context_of(execution, machine, definition, document)
            succeed(execution, walk(definition, document, execution, ctx, ()))
        except Stopped:
            pass  # whoever stopped it has said how it ended
        except sfn._ExecutionError as error:
            fail(execution, error.error, error.cause)
        except Exception as error:
            _logger.exception("Unexpected error in execution %s", arn)
            fail(execution, RUNTIME, str(error))
        finally:
            if timer:
                timer.cancel()


def context_of(execution: dict[str, Any], machine: Any, definition: Any, document: Any) -> dict[str, Any]:
    """Return the context object of an execution."""
    redrives = execution.get("redriveCount", 0)
    redriven = {"RedriveTime": execution["redriveDate"]} if redrives else {}
    return {
        "QueryLanguage": definition.get("QueryLanguage", "JSONPath"),
        "Execution": {
            "Id": execution["executionArn"],
            "Input": document,
            "Name": execution["name"],
            "RoleArn": machine["roleArn"],
            "StartTime": execution["startDate"],
            "RedriveCount": redrives,
            **redriven,
        },
        "StateMachine": {"Id": execution["stateMachineArn"], "Name": machine["name"]},
        "variables": {},
    }


def walk(machine: dict[str, Any], document: Any, execution: dict[str, Any], ctx: dict[str, Any], path: Path) -> Any:
    """Walk through the states of a machine or a branch until one ends it, and return its output."""
    states: dict[str, Any] = machine["States"]
    memory, scope = current_run().memory, current_scope()
    name: str | None
    name, document = memory.resume(path, machine["StartAt"], document, ctx)
    while name:
        scope.check()
        state = states.get(name)
        if not state:
            raise sfn._ExecutionError(RUNTIME, f"State '{name}' not found in definition")
        memory.enter(path, name, document, ctx)
        ctx["State"] = {"Name": name, "EnteredTime": sfn.now_iso(), "RetryCount": 0}
        _path.set((*path, name))
        kind = state["Type"]
        note(execution, f"{kind}StateEntered", "stateEnteredEventDetails", name=name, input=document)
        document, following = step(kind, state, document, execution, ctx)
        scope.check()  # a Map whose branches were stopped comes to an output of its own
        check_size(document, name)
        note(execution, f"{kind}StateExited", "stateExitedEventDetails", name=name, output=document)
        name = following
    return document


def step(
    kind: str, state: dict[str, Any], document: Any, execution: dict[str, Any], ctx: dict[str, Any]
) -> tuple[Any, str | None]:
    """Run one state; return its output and the next state's name."""
    if kind == "Succeed":
        effective = sfn._apply_input_path(state, document, ctx)
        return sfn._apply_output_path(state, effective, ctx), None
    if kind == "Fail":
        raise sfn._ExecutionError(*sfn._fail_state_error(state, document, ctx))
    handler = getattr(sfn, f"_execute_{kind.lower()}", None)
    if handler is None:
        raise sfn._ExecutionError(RUNTIME, f"Unknown state type: {kind}")
    after: tuple[Any, str | None]
    after = handler(state, document, execution, ctx) if kind in WITH_EXECUTION else handler(state, document, ctx)
    return after


def run_branch(
    states: dict[str, Any], start_at: str, document: Any, execution: dict[str, Any], ctx: dict[str, Any]
) -> Any:
    """Walk one branch of a Parallel state or one iteration of a Map; ministack calls it in the branch's thread."""
    ctx = {**ctx, "variables": dict(ctx.get("variables", {}))}  # ministack lets the branches of a Parallel share it
    run = current_run()
    if execution is not run.execution:
        return run_child(states, start_at, document, execution, ctx)
    path = (*_path.get(), start_at if _is_parallel.get() else ctx["Map"]["Item"]["Index"])
    if path in run.memory.outputs:
        return run.memory.outputs[path]
    attempt = current_scope()
    iteration = {"name": _path.get()[-1], "index": path[-1]}
    if not _is_parallel.get():
        note(execution, "MapIterationStarted", "mapIterationStartedEventDetails", **iteration)
    try:
        with entered(Scope(attempt)):
            output = walk({"States": states, "StartAt": start_at}, document, execution, ctx, path)
    except sfn._ExecutionError:
        if not _is_parallel.get():
            note(execution, "MapIterationFailed", "mapIterationFailedEventDetails", **iteration)
        attempt.end()  # the first failure stops the other branches
        raise
    if not _is_parallel.get():
        note(execution, "MapIterationSucceeded", "mapIterationSucceededEventDetails", **iteration)
    run.memory.outputs[path] = output
    return output


def run_child(
    states: dict[str, Any], start_at: str, document: Any, execution: dict[str, Any], ctx: dict[str, Any]
) -> Any:
    """Walk one child execution of a distributed Map."""
    ctx["Execution"] = {
        "Id": execution["executionArn"],
        "Input": document,
        "Name": execution["name"],
        "StartTime": execution["startDate"],
        "RedriveCount": 0,
    }
    child = Run(execution)
    child.role_arn = current_run().role_arn
    try:
        with entered(Scope(current_scope()), child):
            return walk({"States": states, "StartAt": start_at}, document, execution, ctx, ())
    except Stopped:
        execution.update(status="ABORTED", stopDate=sfn.now_iso())
        raise
    finally:
        child.ended.set()


def with_scope(run_branches: Callable[..., Any], *, parallel: bool) -> Callable[..., Any]:
    """Give each attempt of a Map or Parallel state a scope of its own, which the failure of a branch ends."""

    def attempt(state: dict[str, Any], raw_input: Any, execution: dict[str, Any], ctx: dict[str, Any]) -> Any:
        outer = current_scope()
        current_run().memory.begin_branches(_path.get())
        token = _is_parallel.set(parallel)
        kind = "Parallel" if parallel else "Map"
        add_event(execution, f"{kind}StateStarted")
        try:
            with entered(Scope(outer)):
                output = run_branches(state, raw_input, execution, ctx)
        except sfn._ExecutionError:
            outer.check()
            add_event(execution, f"{kind}StateFailed")
            raise
        else:
            outer.check()
            add_event(execution, f"{kind}StateSucceeded")
            return output
        finally:
            _is_parallel.reset(token)
            outer.check()

    return attempt
