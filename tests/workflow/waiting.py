"""A workflow that waits for events, as its data say."""

# ruff: noqa: ARG002 a step has these arguments, whether it uses them or not

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from runstore.workflow import HookApi, PermanentError, StepApi, Workflow, step
from tests.workflow.driver import BEGAN

if TYPE_CHECKING:
    from tests.workflow.driver import Machine
    from tests.workflow.stepfunctions.execution import Execution


class Waiting(Workflow):
    """Waits as its data say, and keeps what comes of it."""

    tokens: ClassVar[list[str]] = []
    fails: ClassVar[int] = 0

    def start(self, data: Any, headers: Any, api: StepApi) -> None:
        """Ask."""
        for number in range(data.get("waits", 1)):
            token = api.wait_for_event("answer", {"n": number}, data.get("timeout", "1 day"), data.get("on_timeout"))
            self.tokens.append(token)
        if api.attempt <= self.fails:
            raise LookupError("asked and failed")
        for _ in range(data.get("others", 0)):
            api.schedule_next_step("1 hour", "other")

    @step(attempts=3, on_failure="note")
    def answer(self, data: Any, headers: Any, api: StepApi) -> None:
        """Keep the answer."""
        api.run_store.push("answers", data)
        if data.get("event") == "fail":
            raise PermanentError("no good")

    def other(self, data: Any, headers: Any, api: StepApi) -> None:
        """Fail once in a while."""
        if api.run_store.get("breaks"):
            raise PermanentError("broken")

    def later(self, data: Any, headers: Any, api: StepApi) -> None:
        """Go on after a time-out."""
        api.run_store.push("late", data)

    def note(self, data: Any, headers: Any, api: StepApi) -> None:
        """Keep the failure."""
        api.run_store.push("failures", data)

    def on_workflow_complete(self, api: HookApi) -> Any:
        """Return the state."""
        return api.run_store.snapshot()


def begin(machine: Machine, until: float = 60, **data: Any) -> Execution:
    """Start a run and let some seconds pass."""
    execution = machine.service.start({"data": data})
    machine.loop.run(until=BEGAN + until)
    return execution


def listening(machine: Machine) -> int:
    """Return how many states wait with a task token."""
    return sum(not wait.done for wait in machine.service.waits.values())
