"""How the code of a step can end other than by returning or by an ordinary error."""

# ruff: noqa: ARG002 a step has these arguments, whether it uses them or not

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from runstore.testing import run_workflow
from runstore.workflow import HookApi, StepApi, StepFailure, Workflow, WorkflowUnavailableError, step
from tests.workflow.driver import ASL, Machine
from tests.workflow.flaky import Flaky

if TYPE_CHECKING:
    from collections.abc import Callable

ENDINGS = [
    (lambda: sys.exit(3), "SystemExit", "sys.exit(3)"),
    (sys.exit, "SystemExit", "sys.exit(None)"),
    (lambda: _raise(GeneratorExit("closed")), "GeneratorExit", "closed"),
    (lambda: _raise(asyncio.CancelledError("cancelled")), "CancelledError", "cancelled"),
]
NAMES = ["exit 3", "exit", "generator", "asyncio"]


def _raise(error: BaseException) -> NoReturn:
    raise error


def _class(ending: Callable[[], object]) -> type[Workflow]:
    class Ending(Workflow):
        @step(attempts=2, backoff=0)
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            api.run_store.increment("ran")
            api.schedule_next_step(0, "start_not")
            ending()

        def start_not(self, data: Any, headers: Any, api: StepApi) -> None: ...

        def on_workflow_error(self, error: StepFailure, api: HookApi) -> None:
            api.run_store.set("error", [error.name, error.message, error.attempts])

    return Ending


@pytest.mark.parametrize(("ending", "name", "says"), ENDINGS, ids=NAMES)
def test_a_step_that_ends_itself_has_failed(
    ending: Callable[[], object], name: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is an attempt that failed, tried again, and reported by its name, in the state machine and in process."""
    machine = Machine(_class(ending), monkeypatch)
    execution = machine.run()
    assert (execution.status, execution.error) == ("FAILED", name)
    assert says in execution.cause
    state = machine.state(execution)
    assert (state["error"][0], state["error"][2], state["ran"]) == (name, 2, 1)
    result = run_workflow(_class(ending))
    assert (result.status, result.state) == ("FAILED", state)


@pytest.mark.parametrize("ending", [ending for ending, _, _ in ENDINGS], ids=NAMES)
@pytest.mark.parametrize("hook", ["on_workflow_complete", "on_workflow_error"])
def test_a_hook_that_ends_itself_changes_nothing(
    hook: str, ending: Callable[[], object], machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends at once, as it does when a hook raises."""
    monkeypatch.setattr(Flaky, hook, lambda *_: ending())
    Flaky.faults["a"] = 9 if hook == "on_workflow_error" else 0
    execution = machine.run(["a"])
    if hook == "on_workflow_complete":
        assert (execution.status, execution.output) == ("SUCCEEDED", None)
    else:
        assert (execution.status, execution.error) == ("FAILED", "ValueError")


@pytest.mark.parametrize("error", [KeyboardInterrupt, pytest.fail.Exception])
def test_what_stops_the_process_leaves_the_runner(error: type[BaseException]) -> None:
    """Whoever stops a test does so also while a step runs, and no attempt follows."""
    ran: list[bool] = []

    def ending() -> None:
        ran.append(True)
        raise error

    with pytest.raises(error):
        run_workflow(_class(ending))
    assert ran == [True]


def _repeated() -> set[str]:
    """Return the names of errors that the state machine repeats where the failure of a step is reported."""
    names: set[str] = set()

    def look(part: Any) -> None:
        if isinstance(part, dict):
            if part.get("Parameters", {}).get("Payload", {}).get("do") == "failed":
                names.update(name for retrier in part["Retry"] for name in retrier["ErrorEquals"])
            for member in part.values():
                look(member)

    look(json.loads(ASL.read_text("utf-8")))
    return names


@pytest.mark.parametrize("name", sorted(_repeated()))
def test_a_steps_error_is_never_taken_for_the_engines(
    name: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step may raise errors of any name: the run fails at once, and the hook gets the name."""
    monkeypatch.setattr(Flaky, "error", type(name, (Exception,), {}))
    Flaky.faults["a"] = 9
    execution = machine.run(["a", "b"])
    assert (execution.status, execution.error) == ("FAILED", "StepFailed")
    assert f'"errorMessage": "{name}: a is broken (action work, ' in execution.cause
    assert [entry for entry in Flaky.ran if entry.startswith("error")] == [f"error {name} a is broken work 3"]
    failed = [event for event in machine.invocations if event["do"] == "failed"]
    assert max(event["retries"] for event in failed) == 0


def test_the_engines_own_trouble_is_repeated() -> None:
    """Of the names above one is the engine's."""
    assert WorkflowUnavailableError.__name__ in _repeated()


def test_a_long_name_is_cut() -> None:
    """Step Functions takes 256 characters as the name of an error."""
    result = run_workflow(_class(lambda: _raise(type("E" * 300, (Exception,), {})())))
    assert result.error is not None
    assert result.error.name == "E" * 256
