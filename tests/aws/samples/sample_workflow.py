"""A workflow class for the claims about workflows: each run does what its data says. The layer brings runstore."""

from typing import Any

from runstore.workflow import HookApi, PermanentError, StepApi, StepFailure, Workflow, step


class SampleWorkflow(Workflow):
    """Takes `data` with `{"kind": ..., "width": ..., "delay": ...}`."""

    def start(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Begin as `kind` says."""
        api.run_store.set("kind", data["kind"])
        if data["kind"] == "wait":
            api.run_store.set("token", api.wait_for_event("answered", timeout="30 minutes"))
        else:
            action = {"join": "count", "handled": "break_and_go_on", "broken": "break_until_mended"}[data["kind"]]
            api.schedule_steps(action, [{}] * data.get("width", 1), delay=data.get("delay", 0))
            if data["kind"] == "join":
                api.join("joined")

    def count(self, _data: Any, _headers: Any, api: StepApi) -> None:
        """Count a branch."""
        api.run_store.increment("counted")

    def joined(self, _data: Any, _headers: Any, api: StepApi) -> None:
        """Note how many branches had been counted when they were joined."""
        api.run_store.set("joinedAfter", api.run_store.get("counted"))

    def answered(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Keep the event."""
        api.run_store.set("answer", data["event"])

    @step(on_failure="note_failure")
    def break_and_go_on(self, _data: Any, _headers: Any, _api: StepApi) -> None:
        """Fail, and let the run go on."""
        raise PermanentError("broken on purpose")

    def note_failure(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Keep what failed."""
        api.run_store.push("failures", data["error"]["message"])

    def break_until_mended(self, _data: Any, _headers: Any, api: StepApi) -> None:
        """Fail until the key `mended` is set."""
        if not api.run_store.get("mended", default=False):
            raise PermanentError("not mended yet")
        api.run_store.increment("counted")

    def on_workflow_complete(self, api: HookApi) -> Any:
        """Return the run's keys."""
        return {name: value for name, value in api.run_store.snapshot().items() if name != "token"}

    def on_workflow_error(self, _error: StepFailure, api: HookApi) -> None:
        """Count the calls of this hook."""
        api.run_store.increment("errorHooks")


handler = SampleWorkflow.lambda_handler()
