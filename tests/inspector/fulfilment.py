"""A workflow that has everything the page can show: parallel steps, a retry, a wait for an event, a join, a failure."""

from __future__ import annotations

import time
from typing import Any

from runstore.workflow import PermanentError, StepApi, Workflow, step


class FulfilmentWorkflow(Workflow):
    """Takes `data` with `{"items": [{"id": ..., "seconds": ..., "flaky": ...}], "card": ...}`."""

    def start(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Check the card, then pack all items and ask for an approval at the same time."""
        api.run_store.set("customer", {"id": "c-1815", "name": "Ada Lovelace", "vip": True})
        api.schedule_next_step(delay=0, action="charge", payload=data)

    @step(attempts=3, backoff=1)
    def charge(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Charge the card, and go on with the items."""
        time.sleep(0.6)
        if data["card"] == "declined":
            raise PermanentError("the card ending in 4242 was declined: insufficient funds")
        api.run_store.set("payment", {"amount": 129.9, "currency": "EUR", "card": "4242"})
        api.schedule_steps("pack_item", data["items"], per_second=1)
        api.wait_for_event("approve", timeout="2 hours", on_timeout="escalate")
        api.join("ship")

    @step(attempts=4, backoff=4)
    def pack_item(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Pack one item; the scanner of some does not answer at first."""
        time.sleep(data.get("seconds", 0.5))
        if data.get("flaky") and api.attempt < 3:
            raise ConnectionError(f"the scanner of shelf {data['id']} does not answer")
        api.run_store.push("packed", {"id": data["id"], "weight": 0.4})
        api.run_store.increment("packedCount")

    def approve(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Keep who has approved."""
        api.run_store.set("approval", data["event"])

    def escalate(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Nobody has approved in time."""

    def ship(self, _data: Any, _headers: Any, api: StepApi) -> None:
        """Everything is packed and approved."""
        api.run_store.set("shipped", {"carrier": "DHL"})


handler = FulfilmentWorkflow.lambda_handler()
