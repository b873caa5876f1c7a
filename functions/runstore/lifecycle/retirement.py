"""What becomes of a run's state when Step Functions says that its execution has ended, or was redriven."""

import reprlib
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import TYPE_CHECKING

from runstore import clock
from runstore.errors import InvalidRequestError, error_context
from runstore.lifecycle import completion
from runstore.lifecycle.completion import Retirement
from runstore.model.identifiers import check_run_id

if TYPE_CHECKING:
    from typing import Any

    from runstore.dynamodb.table import Table
    from runstore.lifecycle.completion import TimeLeft

_MOST_SECONDS = 10**11  # the year 5138; beyond it somebody mistook one unit for another
_MOST_REDRIVES = 1_000_000  # Step Functions allows 1,000
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
    if type(redrives) is not int or not 0 <= redrives <= _MOST_REDRIVES:
        raise InvalidRequestError(
            f"detail.redriveCount is {_shown(redrives)}: it takes a whole number from 0 to {_MOST_REDRIVES:,}"
        )
    field = "redriveDate" if status == "RUNNING" else "stopDate"
    moment = detail.get(field)
    if moment is None:
        at = _time_of(event)
    elif type(moment) in {int, float} and 0 < moment < _MOST_SECONDS * 1_000:
        at = ceil(moment / 1_000)
    else:
        raise InvalidRequestError(f"detail.{field} is {_shown(moment)}: it takes epoch milliseconds")
    return StatusChange(check_run_id(detail.get("executionArn")), status, redrives, at)


def retire(table: "Table", change: StatusChange, time_left: "TimeLeft | None" = None) -> Retirement:
    """Do with a run's items what its new status asks for; return how many were deleted, are retained and were left.

    SUCCEEDED deletes them. FAILED, TIMED_OUT and ABORTED keep them for the failed retention, or delete them when that
    is 0. RUNNING after a redrive restores the full expiry. An older event never undoes a newer one, and each can be
    repeated: it goes on with what it has not dealt with. Costs a Query over the run, and a write per item, or per 25
    items when they are deleted unconditionally.

    What a redriven execution has written since a failure is left alone. When an item was written follows from its
    expiry, so `ttl_days` must be the same for all that write to the table: what was written with more days here looks
    new, is left and expires by itself; what was written with fewer looks old, and the late event of a failure may take
    it although a redriven execution has just written it.
    """
    with error_context("retire", table.run_id):
        return _retire(table, change, time_left)


def _retire(table: "Table", change: StatusChange, time_left: "TimeLeft | None") -> Retirement:
    settings = table.settings
    if change.status == "SUCCEEDED":
        return Retirement(deleted=completion.complete(table, time_left))
    if change.status in _FAILED:
        before = change.at + settings.ttl_days * clock.SECONDS_PER_DAY
        if settings.failed_retention_days:
            until = change.at + settings.failed_retention_days * clock.SECONDS_PER_DAY
            return completion.keep_until(table, until, change.order, before, time_left)
        return completion.delete_older(table, change.order, before, time_left)
    if change.status == "RUNNING" and change.redrives:
        until = change.at + settings.ttl_days * clock.SECONDS_PER_DAY
        return completion.keep_until(table, until, change.order, None, time_left)
    return Retirement()


def _time_of(event: "dict[str, Any]") -> int:
    try:
        at = ceil(datetime.fromisoformat(event["time"]).timestamp())
    except (KeyError, OverflowError, TypeError, ValueError):
        return clock.now()
    return at if 0 < at < _MOST_SECONDS else clock.now()


def _shown(value: "Any") -> str:
    huge = type(value) is int and abs(value) >= _MOST_SECONDS**2  # Python refuses to write 4,300 digits
    return "a huge number" if huge else reprlib.repr(value)
