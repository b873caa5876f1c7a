"""Handled failures: which handlers are refused, and what a handler gets."""

# ruff: noqa: ARG002 a step has these arguments, whether it uses them or not

from __future__ import annotations

from typing import Any

import pytest

from runstore.testing import run_workflow
from runstore.workflow import (
    HookApi,
    PermanentError,
    StepApi,
    Workflow,
    WorkflowDefinitionError,
    step,
)
from tests.workflow.driver import Machine


def _class(**handlers: Any) -> type[Workflow]:
    def new() -> Any:
        def method(_self: Any, _data: Any, _headers: Any, _api: Any) -> None: ...

        return method

    members = {name: step(on_failure=handler)(new()) for name, handler in handlers.items()}
    return type("Wrong", (Workflow,), {"start": new(), **members})


@pytest.mark.parametrize(
    ("handlers", "says"),
    [
        ({"a": "nothing"}, "a: on_failure must be a step of Wrong"),
        ({"a": "start"}, "on_failure must be a step of Wrong other than start"),
        ({"a": "on_workflow_error"}, "on_failure must be a step of Wrong"),
        ({"a": "a"}, "must not lead back to its own step; got a -> a"),
        ({"a": "b", "b": "c", "c": "a"}, "got a -> b -> c -> a"),
        ({"start": "b", "b": "c", "c": "b"}, "got b -> c -> b"),
    ],
)
def test_a_handler_that_could_not_work_is_refused(handlers: dict[str, Any], says: str) -> None:
    """No step, start, a hook, itself, or a circle: when the class is defined."""
    with pytest.raises(WorkflowDefinitionError, match=says):
        _class(**handlers)


@pytest.mark.parametrize("handler", [5, ["a"], True])
def test_a_handler_is_a_name(handler: Any) -> None:
    """What is no text is refused by the decorator."""
    with pytest.raises(WorkflowDefinitionError, match="on_failure must be the name of a step"):
        step(on_failure=handler)


def test_a_handler_gets_data_of_any_size_and_fails_like_any_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The failed step's data, as large as they may be, reach the handler, and its handler in turn."""

    class Falling(Workflow):
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            api.schedule_next_step(0, "first", "x" * 65_000)

        @step(attempts=2, backoff=0, on_failure="second")
        def first(self, data: Any, headers: Any, api: StepApi) -> None:
            raise LookupError("y" * 9_000)

        @step(attempts=3, backoff=0, on_failure="third")
        def second(self, data: Any, headers: Any, api: StepApi) -> None:
            assert (data["data"], data["attempts"]) == ("x" * 65_000, 2)
            raise PermanentError("second")

        def third(self, data: Any, headers: Any, api: StepApi) -> None:
            inner = data["data"]
            found = [data["action"], data["step_id"], data["attempts"], inner["action"], inner["step_id"]]
            api.run_store.set("seen", [*found, len(inner["data"]), data["error"], len(inner["error"]["message"])])

        def on_workflow_complete(self, api: HookApi) -> Any:
            return api.run_store.get("seen")

    error = {"name": "PermanentError", "message": "second"}
    expected = ["second", "3", 1, "first", "2", 65_000, error, 8_000]
    assert Machine(Falling, monkeypatch).run().output == expected
    assert run_workflow(Falling).output == expected
