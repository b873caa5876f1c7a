"""Delete every item of a run: {runId} -> {runId, deleted}. The completion state of a workflow; again is safe."""

from runstore import JSON, RunStore
from runstore.completion import TimeLeft
from runstore.handler import entry_point


def complete(store: RunStore, time_left: TimeLeft | None) -> dict[str, JSON]:
    """Delete the run's items."""
    return {"runId": store.run_id, "deleted": store.complete(time_left=time_left)}


handler = entry_point(complete)
