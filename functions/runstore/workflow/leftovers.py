"""What an earlier run of the same name has left: found and deleted before a new run begins.

The name of an execution can be used again 90 days after its end, and then has the same ARN: the same partition. The run
record keeps the execution's start time, so a Begin with another one knows that the record is not its own.

    Begin of the new run                                a Begin of it that comes late or twice
    note start and `clearing` in the run record
    list the items; is `clearing` still noted?          lists the items
    delete what has not changed since
    remove `clearing`, answer: steps begin              `clearing` is gone: deletes nothing
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from runstore.aws_api.time_limit import keep_limit
from runstore.workflow.errors import WorkflowUnavailableError
from runstore.workflow.run_record import PRESENT, RUN, patiently, read_run, run_attributes

if TYPE_CHECKING:
    from typing import Any

    from runstore.dynamodb.table import Table
    from runstore.workflow.run_record import Run

_WORKERS = 8
_PASSES = 9
_UNCHANGED = "#expires_at = :expires_at"
_CLEARING = f"{PRESENT} AND #started = :started AND attribute_exists(#clearing)"
_SAME_OLD_RUN = "attribute_not_exists(#run_id) OR #started = :old"


def claim(table: Table, run: Run, headers: str) -> Run:
    """Begin a run in a partition that holds items already; return its record.

    Deletes what an earlier run has left. Requests: three, and one for each item to delete.
    """
    for _ in range(_PASSES):
        wire = table.get_raw(RUN)
        found = None if wire is None else read_run(wire)
        if found is None or found.started != run.started:
            old = {"old": {"S": found.started if found else ""}}
            attributes = run_attributes(run, headers) | {"clearing": {"BOOL": True}}
            patiently(table.put, table.put_request(RUN, attributes, _SAME_OLD_RUN, **old))
        elif not found.clearing:
            return found
        else:
            _clear(table, run.started)
    raise WorkflowUnavailableError("what an earlier run of this name has left could not be deleted yet: try again")


def _clear(table: Table, started: str) -> None:
    seen = [wire for wire in table.query(projection="#key, #expires_at") if wire["key"]["S"] != RUN]
    wire = table.get_raw(RUN)
    if wire is None or read_run(wire).started != started or "clearing" not in wire:
        return  # another Begin has finished, and steps may have written what was listed
    delete = keep_limit(partial(_delete, table))
    with ThreadPoolExecutor(_WORKERS, "runstore") as workers:
        list(workers.map(delete, seen))
    if not seen:
        request = table.update_request(RUN, "REMOVE #clearing", _CLEARING, started={"S": started})
        patiently(table.update, request)


def _delete(table: Table, item: Any) -> None:
    request = table.delete_request(item["key"]["S"], _UNCHANGED, expires_at=dict(item["expires_at"]))
    patiently(table.delete, request)
