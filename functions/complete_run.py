"""Delete every item of a run: {runId} -> {runId, deleted}. The completion state of a workflow; again is safe."""

from runstore import JSON, RunStore
from runstore.aws_lambda.entry_point import entry_point
from runstore.lifecycle import completion
from runstore.store import table_of


def complete(store: RunStore, time_left: completion.TimeLeft | None) -> dict[str, JSON]:
    """Delete the run's items."""
    return {"runId": store.run_id, "deleted": completion.complete(table_of(store), time_left)}


handler = entry_point(complete)
