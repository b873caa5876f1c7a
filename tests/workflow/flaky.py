"""A workflow whose steps fail as often as a test tells them to."""

from collections import Counter
from typing import Any, ClassVar

from runstore.workflow import HookApi, PermanentError, StepApi, StepFailure, Workflow, step


class DeclinedError(PermanentError):
    """Not to be tried again."""


class Flaky(Workflow):
    """Steps that fail as often as they are told; what happened is seen in `ran` and in the store."""

    faults: ClassVar[Counter[str]] = Counter()
    error: ClassVar[type[Exception]] = ValueError
    ran: ClassVar[list[str]] = []

    def start(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Begin a branch for each name."""
        for name in data:
            api.schedule_next_step(0, "work", {"name": name})

    @step(attempts=3, backoff=4)
    def work(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Push, increment, schedule, and then perhaps fail."""
        name = data["name"]
        self.ran.append(f"{name} {api.attempt}")
        api.run_store.push("names", name)
        api.run_store.increment("works")
        api.schedule_next_step(60, "after", {"name": name})
        if self.faults[name]:
            type(self).faults[name] -= 1
            raise self.error(f"{name} is broken")

    def after(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Count."""
        self.ran.append(f"after {data['name']}")
        api.run_store.increment("afters")

    def on_workflow_complete(self, api: HookApi) -> Any:
        """Return the state."""
        self.ran.append("complete")
        state = api.run_store.snapshot()
        return {**state, "names": sorted(api.run_store.get("names"))}

    def on_workflow_error(self, error: StepFailure, api: HookApi) -> None:
        """Keep what it was told."""
        self.ran.append(f"error {error.name} {error.message} {error.action} {error.attempts}")
        api.run_store.set("failed", str(error))


def action_of(event: dict[str, Any]) -> str:
    """Return the action of the step that an event asks to run; nothing for other tasks."""
    return (
        str(event.get("state", {}).get("next", {}).get("step", {}).get("action", "")) if event["do"] == "step" else ""
    )
