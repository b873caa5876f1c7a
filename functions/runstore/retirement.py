"""What becomes of a run's state when Step Functions says that its execution has ended, or was redriven."""

from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import TYPE_CHECKING

from runstore import clock, completion
from runstore.errors import InvalidRequestError
from runstore.names import check_run_id

if TYPE_CHECKING:
    from typing import Any

    from runstore.completion import TimeLeft
    from runstore.table import Table

_DAY = 86_400
_DETAIL_TYPE = "Step Functions Execution Status Change"
_FAILED = ("FAILED", "TIMED_OUT", "ABORTED")


@dataclass(frozen=True, slots=True)
class StatusChange:
    """An EventBridge event of the type "Step Functions Execution Status Change"."""

    run_id: str
    status: str
    redrives: int
    at: int  # epoch seconds: when the execution stopped, or was redriven

    @property
    def order(self) -> int:
        """A number that grows with each change of one execution, however late and often its event comes."""
        return 2 * self.redrives + (self.status != "RUNNING")


def parse(event: "Any") -> StatusChange:
    """Return the status change that `event` tells of, or raise InvalidRequestError that names what is missing."""
    if not isinstance(event, dict) or event.get("detail-type") != _DETAIL_TYPE:
        raise InvalidRequestError(f"the event is not EventBridge's {_DETAIL_TYPE!r}: retire_run takes no other")
    detail = event.get("detail")
    if not isinstance(detail, dict):
        raise InvalidRequestError("detail is missing: it takes the object that Step Functions sends")
    status, redrives = detail.get("status"), detail.get("redriveCount") or 0
    if not isinstance(status, str):
        raise InvalidRequestError("detail.status is missing: it takes text such as 'FAILED'")
    if type(redrives) is not int or redrives < 0:
        raise InvalidRequestError(f"detail.redriveCount is {redrives!r}: it takes a whole number from 0")
    moment = detail.get("redriveDate" if status == "RUNNING" else "stopDate")
    if type(moment) not in {int, float, type(None)}:
        raise InvalidRequestError(f"detail has the time {moment!r}: it takes epoch milliseconds")
    at = ceil(moment / 1000) if moment else _time_of(event)
    return StatusChange(check_run_id(detail.get("executionArn")), status, redrives, at)


def retire(table: "Table", change: StatusChange, time_left: "TimeLeft | None" = None) -> tuple[int, int]:
    """Do with a run's items what its new status asks for; return how many were deleted and how many are kept.

    SUCCEEDED deletes them. FAILED, TIMED_OUT and ABORTED keep them for the failed retention, or delete them when that
    is 0. RUNNING after a redrive restores the full expiry. An older event never undoes a newer one, and each can be
    repeated. Costs a Query over the run, and a write per item, or per 25 items when they are deleted unconditionally.
    """
    settings = table.settings
    if change.status == "SUCCEEDED":
        return completion.complete(table, time_left), 0
    if change.status in _FAILED:
        before = change.at + settings.ttl_days * _DAY
        if settings.failed_retention_days:
            until = change.at + settings.failed_retention_days * _DAY
            return 0, completion.keep_until(table, until, change.order, before, time_left)
        return completion.delete_older(table, change.order, before, time_left), 0
    if change.status == "RUNNING" and change.redrives:
        until = change.at + settings.ttl_days * _DAY
        return 0, completion.keep_until(table, until, change.order, None, time_left)
    return 0, 0


def _time_of(event: "dict[str, Any]") -> int:
    try:
        return ceil(datetime.fromisoformat(event["time"]).timestamp())
    except (KeyError, TypeError, ValueError):
        return clock.now()
