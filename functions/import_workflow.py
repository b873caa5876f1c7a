"""Example: imports rows in chunks, in parallel, collects those that fail, and reports when all are through."""

from typing import Any

from runstore.workflow import HookApi, PermanentError, StepApi, Workflow, step


class ImportWorkflow(Workflow):
    """Takes `data` with `{"rows": [{"id": ..., "price": ...}], "chunkSize": 100 by default}`.

    A real import would get the name of a file and pass row ranges: payloads are for references, not for data.
    """

    def start(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Import the rows in chunks, twenty chunks a second, and report when the last one has ended."""
        rows, size = data["rows"], data.get("chunkSize", 100)
        chunks = [rows[start : start + size] for start in range(0, len(rows), size)]
        api.schedule_steps("import_chunk", chunks, per_second=20)
        api.join("report", payload={"rows": len(rows)})

    def import_chunk(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Import each row in a branch: one that fails stops no other."""
        api.schedule_steps("import_row", data)

    @step(attempts=2, on_failure="note_failure")
    def import_row(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Import one row."""
        if data["price"] < 0:
            raise PermanentError(f"price must be 0 or more; got {data['price']}")
        api.run_store.increment("imported")

    def note_failure(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Keep the row that has failed, and why."""
        api.run_store.push("failed", {"id": data["data"]["id"], "reason": data["error"]["message"]})

    def report(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Sum up: every row has been imported or noted by now."""
        failed = api.run_store.get("failed", [])
        api.run_store.set("summary", {**data, "imported": api.run_store.get("imported", 0), "failed": failed})

    def on_workflow_complete(self, api: HookApi) -> Any:
        """Return the summary: the state itself is deleted."""
        return api.run_store.get("summary")


handler = ImportWorkflow.lambda_handler()
