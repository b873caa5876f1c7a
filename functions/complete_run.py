"""Delete every item of a run: {runId} -> {runId, deleted}. The completion state of a workflow; again is safe."""

from runstore import JSON, RunStore
from runstore.aws_lambda.entry_point import entry_point
from runstore.lifecycle.completion import TimeLeft
from runstore.store import complete_within


def complete(store: RunStore, time_left: TimeLeft | None) -> dict[str, JSON]:
    """Delete the run's items."""
    return {"runId": store.run_id, "deleted": complete_within(store, time_left)}


handler = entry_point(complete)
