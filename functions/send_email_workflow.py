"""Example: remembers the customer, waits, and sends a mail (the run store document's first workflow)."""

from typing import Any

from runstore.workflow import HookApi, StepApi, Workflow


class SendEmailWorkflow(Workflow):
    """Takes `data` with `{"customer": {"id": ...}}`; the execution's output is whom the mail went to."""

    def start(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Store the customer's id before scheduling the next step."""
        api.run_store.set("customerId", data["customer"]["id"])
        api.schedule_next_step(delay=10, action="send_email", payload={})

    def send_email(self, _data: Any, _headers: Any, api: StepApi) -> None:
        """Retrieve the value that the previous step stored."""
        customer_id = api.run_store.get("customerId")
        api.logger.info("Sending to customer: %s", customer_id)
        api.run_store.push("sentTo", customer_id)

    def on_workflow_complete(self, api: HookApi) -> Any:
        """Say whom the mail went to: the state itself is deleted."""
        return {"sentTo": api.run_store.get("sentTo")}


handler = SendEmailWorkflow.lambda_handler()
