"""What happens to a run's items when its execution ends without its completion state, or is redriven.

    attempt 0      FAILED 0   RUNNING 1   attempt 1      FAILED 1   RUNNING 2   attempt 2
    ──────────────────┤           ├──────────────────────────┤           ├──────────────▶ time
    written here: due for FAILED 0, FAILED 1, ...        written here: not due for FAILED 1, due for FAILED 2

Events arrive late, twice and in any order. Two facts about an item decide whether an event still applies to it:

- its mark, the number of the newest event that has changed it: an older event never undoes a newer one;
- its expiry, which says when it was last written: what was written after an event happened is not due for it. A write
  keeps the mark, so the mark alone would let a late FAILED 1 take what attempt 2 has written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from runstore import clock
from runstore.errors import error_context
from runstore.lifecycle import completion
from runstore.model import expressions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstore.dynamodb.table import Table
    from runstore.lifecycle.completion import TimeLeft

_FAILED = ("FAILED", "TIMED_OUT", "ABORTED")


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A change of an execution's status that EventBridge reported."""

    run_id: str
    status: str
    redrives: int
    at: int
    """Epoch seconds: when the execution stopped, or was redriven."""

    @property
    def order(self) -> int:
        """A number that grows with each change of one execution, however late and often its event arrives."""
        return 2 * self.redrives + (self.status != "RUNNING")


class Retirement(NamedTuple):
    """How many of a run's items an event has deleted, how many it keeps for a while, and how many it has skipped.

    Skipped are items that were written after the event happened, or changed by a newer event.
    """

    deleted: int = 0
    retained: int = 0
    skipped: int = 0


def retire(table: Table, change: StatusChange, time_left: TimeLeft | None = None) -> Retirement:
    """Delete, keep or restore a run's items, as the execution's new status requires.

    SUCCEEDED deletes them. FAILED, TIMED_OUT and ABORTED keep them for the failed retention, or delete them if that is
    0. RUNNING after a redrive restores the full expiry. An older event never undoes a newer one, and the event of an
    earlier failure never changes what a redriven execution has written. Every event can be repeated: it continues with
    the items that it has not changed yet. Costs a Query over the run, and a write for each item that it changes;
    SUCCEEDED deletes 25 items in a request.

    An item's write time is derived from its expiry, so `ttl_days` must be the same for all writers of the table. An
    item written with more days looks newer: it is skipped, and expires later. An item written with fewer days looks
    older: the late event of a failure may retire it although a redriven execution has just written it.

    Raises:
        IncompleteCompletionError: `time_left` came to its end first.
    """
    with error_context("retire", table.run_id):
        return _retire(table, change, time_left)


def _retire(table: Table, change: StatusChange, time_left: TimeLeft | None) -> Retirement:
    settings = table.settings
    full_expiry = change.at + settings.ttl_days * clock.SECONDS_PER_DAY
    if change.status == "SUCCEEDED":
        return Retirement(deleted=completion.complete(table, time_left))
    if change.status in _FAILED:
        if not settings.failed_retention_days:
            return _delete(table, RetirementScan(table, change.order, full_expiry, repeats=True), time_left)
        expires_at = change.at + settings.failed_retention_days * clock.SECONDS_PER_DAY
        return _keep_until(table, expires_at, RetirementScan(table, change.order, full_expiry), time_left)
    if change.status == "RUNNING" and change.redrives:
        # Only what expires sooner: a later expiry is that of an item which the redriven execution has written.
        return _keep_until(table, full_expiry, RetirementScan(table, change.order, full_expiry - 1), time_left)
    return Retirement()


def _keep_until(table: Table, expires_at: int, scan: RetirementScan, time_left: TimeLeft | None) -> Retirement:
    """Let the items that are due expire at `expires_at`, and mark them."""
    values = scan.values | {"expires_at": {"N": str(expires_at)}}

    def keep(batch: list[str]) -> int:
        return sum(
            table.update(table.update_request(sort_key, expressions.RETIRE, expressions.RETIREMENT_DUE, **values))
            for sort_key in batch
        )

    changed = completion.in_parallel(scan.due(), 1, keep, time_left)
    return Retirement(retained=scan.marked + changed, skipped=scan.skipped + scan.found - changed)


def _delete(table: Table, scan: RetirementScan, time_left: TimeLeft | None) -> Retirement:
    """Delete the items that are due."""

    def delete(batch: list[str]) -> int:
        requests = (table.delete_request(sort_key, expressions.RETIREMENT_DUE, **scan.values) for sort_key in batch)
        return sum(table.delete(request)[0] for request in requests)

    deleted = completion.in_parallel(scan.due(), 1, delete, time_left)
    return Retirement(deleted=deleted, skipped=scan.marked + scan.skipped + scan.found - deleted)


class RetirementScan:
    """The items of a run that are due for an event, and the values for the condition that they still are.

    `found` counts them, `marked` those that have the event's own mark already, and `skipped` the others. An item is due
    while its expiry is at most `latest_expiry`. With `repeats`, an item with the event's own mark is due as well.
    """

    def __init__(self, table: Table, event: int, latest_expiry: int, *, repeats: bool = False) -> None:
        self._table, self._latest_expiry = table, latest_expiry
        self._event = event + repeats
        self.found = self.marked = self.skipped = 0
        self.values = {"event": {"N": str(self._event)}, "latest_expiry": {"N": str(latest_expiry)}}

    def due(self) -> Iterator[str]:
        """Yield the sort keys of the items that are due: one Query over the run."""
        for wire in self._table.query(projection="#key, #expires_at, #retired"):
            mark = int(wire["retired"]["N"]) if "retired" in wire else None
            if mark == self._event:
                self.marked += 1
            elif (mark is not None and mark > self._event) or int(wire["expires_at"]["N"]) > self._latest_expiry:
                self.skipped += 1
            else:
                self.found += 1
                yield wire["key"]["S"]
