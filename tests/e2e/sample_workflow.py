"""A workflow for the end-to-end tests, deployed as a function of its own: each run does what its data says."""

from typing import Any

from runstore.workflow import HookApi, PermanentError, StepApi, StepFailure, Workflow, step


class BrokenError(PermanentError):
    """What a step raises that must not be tried again."""


class SampleWorkflow(Workflow):
    """`data` is the number of the branches on each level, and what the leaves do."""

    def start(self, data: Any, headers: Any, api: StepApi) -> None:
        """Begin."""
        api.run_store.set("headers", headers)
        self.spread(data, headers, api)

    def spread(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Schedule the next level."""
        width, *deeper = data["widths"]
        for number in range(width):
            action = "spread" if deeper else data["leaf"]
            delay = data.get("delay", 0) + number * data.get("apart", 0)
            api.schedule_next_step(delay, action, {**data, "widths": deeper, "number": number})

    def count(self, _data: Any, _headers: Any, api: StepApi) -> None:
        """Count the leaf."""
        api.run_store.increment("leaves")

    def link(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Go on with the chain."""
        api.run_store.increment("links")
        if data["left"] > 1:
            api.schedule_next_step(0, "link", {"left": data["left"] - 1})

    @step(backoff=0.5)
    def flaky(self, _data: Any, _headers: Any, api: StepApi) -> None:
        """Fail twice."""
        api.run_store.push("tries", api.step_id)
        api.run_store.increment("tried")
        if api.attempt < 3:
            raise ConnectionError

    def one_breaks(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Fail for good in the first branch; the others schedule a step that must not run any more."""
        if data["number"] == 0:
            raise BrokenError("number 0 is broken")
        api.schedule_next_step(data["wait"], "too_late", {})

    def too_late(self, _data: Any, _headers: Any, api: StepApi) -> None:
        """Leave a trace."""
        api.run_store.increment("tooLate")

    def on_workflow_complete(self, api: HookApi) -> Any:
        """Return the state, or raise if the run asks for it."""
        state = api.run_store.snapshot()
        headers = state.get("headers")
        if isinstance(headers, dict) and headers.get("hook") == "raises":
            raise RuntimeError("the hook is broken")
        return state

    def on_workflow_error(self, error: StepFailure, api: HookApi) -> None:
        """Count the calls."""
        api.run_store.increment("errorHooks")
        api.run_store.set("error", {"name": error.name, "message": error.message, "action": error.action})


handler = SampleWorkflow.lambda_handler()
