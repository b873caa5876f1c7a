"""Example: asks a person to approve an expense, waits for the answer, and continues with or without it."""

from typing import Any

from runstore.workflow import HookApi, StepApi, Workflow


class ApprovalWorkflow(Workflow):
    """Takes `data` with `{"expense": {"id": ..., "amount": ...}, "timeout": "3 days" by default}`."""

    def start(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Ask for approval. The branch waits, for days if need be, until `send_event(token, body)` is called."""
        expense = data["expense"]
        token = api.wait_for_event(
            "decide", payload=expense, timeout=data.get("timeout", "3 days"), on_timeout="escalate"
        )
        api.run_store.set("request", {"expense": expense, "token": token})  # a real workflow mails a link with it

    def decide(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Act on the answer: `{"approved": true or false, "by": ...}`."""
        expense, answer = data["payload"], data["event"]
        api.run_store.set("decision", {"expense": expense["id"], **answer})
        if answer["approved"]:
            api.schedule_next_step(delay=0, action="pay", payload=expense)

    def escalate(self, data: Any, _headers: Any, api: StepApi) -> None:
        """No answer came in time."""
        api.run_store.set("decision", {"expense": data["payload"]["id"], "approved": False, "by": "timeout"})

    def pay(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Pay what was approved."""
        api.run_store.increment("paid", data["amount"])

    def on_workflow_complete(self, api: HookApi) -> Any:
        """Return what became of it."""
        return {"decision": api.run_store.get("decision"), "paid": api.run_store.get("paid", 0)}


handler = ApprovalWorkflow.lambda_handler()
