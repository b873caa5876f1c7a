"""Example: processes the line items of an order in parallel and collects the results."""

from typing import Any

from runstore.workflow import HookApi, StepApi, StepFailure, Workflow

SHOWN = 100  # results in the output; an order of thousands would not fit a state


class OrderWorkflow(Workflow):
    """Takes `data` with `{"customer": {"id": ...}, "line_items": [{"id": ...}], "delaySeconds": 10 if left out}`."""

    def start(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Fan out: schedule one branch per line item."""
        api.run_store.set("customerId", data["customer"]["id"])
        for item in data["line_items"]:
            api.schedule_next_step(delay=data.get("delaySeconds", 10), action="process_item", payload={"item": item})

    def process_item(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Each parallel branch pushes its result."""
        api.run_store.push("results", {"id": data["item"]["id"], "status": "done"})
        api.run_store.increment("processedCount")

    def on_workflow_complete(self, api: HookApi) -> Any:
        """Return a summary: the state itself is deleted."""
        return {
            "customerId": api.run_store.get("customerId"),
            "processedCount": api.run_store.get("processedCount", 0),
            "results": api.run_store.get_range("results", limit=SHOWN),
        }

    def on_workflow_error(self, error: StepFailure, api: HookApi) -> None:
        """Say how far it got; the state stays for a redrive."""
        api.logger.error("%s failed after %s items", error.action, api.run_store.get("processedCount", 0))


handler = OrderWorkflow.lambda_handler()
