"""What a step gets as `data`: its payload, with what it waited for or what it handles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runstore.workflow.errors import RunEndedError
from runstore.workflow.waits import WaitRecords

if TYPE_CHECKING:
    from typing import Any

    from runstore.dynamodb.table import Table
    from runstore.workflow.machine import State
    from runstore.workflow.records import Records


def step_data(table: Table, records: Records, given: State) -> Any:
    """Return the data of a step whose input is `given`; `machine` lists the kinds of input."""
    if "data" in given:
        return json.loads(given["data"])
    if "ref" in given:
        return records.payload(given["of"], given["ref"])
    if "wait" in given:
        event = WaitRecords(table, given["wait"]["of"], given["wait"]["name"]).event()
        data = {"payload": step_data(table, records, given["input"])}
        return data if event is None or event.timed_out else data | {"event": event.body}
    failed = given["failed"]
    outcome = records.outcome(failed["id"])
    if outcome is None or outcome.failure is None:
        raise RunEndedError(f"the outcome of step {failed['id']} is gone: the run was completed meanwhile")
    return {
        "error": {"name": outcome.failure.name, "message": outcome.failure.message},
        "action": failed["action"],
        "step_id": failed["id"],
        "attempts": outcome.attempts,
        "data": step_data(table, records, given["input"]),
    }
