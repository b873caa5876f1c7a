"""EventBridge's event "Step Functions Execution Status Change", as retire_run receives it.

A caller of the function can send any event, and an event can delete the items of a run. So the function accepts events
only from `aws.states`, for an execution in its own account and region.
"""

from __future__ import annotations

import re
import reprlib
from datetime import datetime
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from runstore import clock
from runstore.errors import InvalidRequestError
from runstore.lifecycle.retirement import StatusChange
from runstore.model.identifiers import check_run_id

if TYPE_CHECKING:
    from typing import Any

_SOURCE = "aws.states"
_DETAIL_TYPE = "Step Functions Execution Status Change"
_MAX_SECONDS = 10**11  # the year 5138; a larger number is in another unit
_MAX_REDRIVES = 1_000_000  # Step Functions allows 1,000
_EXECUTION = re.compile(r"arn:[^:]+:states:(?P<region>[^:]+):(?P<account>[^:]+):execution:[^:]+:[^:]+")
_FUNCTION = re.compile(r"arn:[^:]+:lambda:(?P<region>[^:]+):(?P<account>[^:]+):function:.+")
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,10})?([eE]\+?[0-9]{1,2})?")


class Owner(NamedTuple):
    """An account in a region."""

    account: str
    region: str


def owner_of_function(context: Any) -> Owner | None:
    """Return whose function runs, from Lambda's context; None outside Lambda."""
    found = _FUNCTION.fullmatch(str(getattr(context, "invoked_function_arn", "")))
    return Owner(found["account"], found["region"]) if found else None


def parse(event: Any, owner: Owner | None) -> StatusChange:
    """Return the status change that an event reports.

    An input transformer turns numbers into text, and missing fields into empty text or "null"; these are accepted.

    Args:
        event: The event, whole or reduced to the fields that count.
        owner: Whose executions may be retired; None for those of the event's own account and region.

    Raises:
        InvalidRequestError: This is another kind of event, or a field is wrong; the message names it.
        InvalidRunIdError: `detail.executionArn` is not a valid run id.
    """
    if not isinstance(event, dict) or event.get("detail-type") != _DETAIL_TYPE:
        raise InvalidRequestError(f"the event must be EventBridge's {_DETAIL_TYPE!r}; got another one")
    if event.get("source") != _SOURCE:
        raise InvalidRequestError(f"source must be {_SOURCE!r}; got {_shown(event.get('source'))}")
    detail = event.get("detail")
    if not isinstance(detail, dict):
        raise InvalidRequestError(f"detail must be the object that Step Functions sends; got {_shown(detail)}")
    run_id = check_run_id(detail.get("executionArn"))
    _check_owner(event, run_id, owner)
    status = detail.get("status")
    if not isinstance(status, str):
        raise InvalidRequestError(f"detail.status must be text such as 'FAILED'; got {_shown(status)}")
    redrives = _number(detail.get("redriveCount")) or 0.0
    if not redrives.is_integer() or not 0 <= redrives <= _MAX_REDRIVES:
        shown = _shown(detail["redriveCount"])
        raise InvalidRequestError(
            f"detail.redriveCount must be a whole number from 0 to {_MAX_REDRIVES:,}; got {shown}"
        )
    field = "redriveDate" if status == "RUNNING" else "stopDate"
    moment = _number(detail.get(field))
    if moment is not None and not 0 < moment < _MAX_SECONDS * 1_000:
        raise InvalidRequestError(f"detail.{field} must be epoch milliseconds; got {_shown(detail[field])}")
    at = _time_of(event) if moment is None else ceil(moment / 1_000)
    return StatusChange(run_id, status, int(redrives), at)


def _check_owner(event: dict[str, Any], run_id: str, owner: Owner | None) -> None:
    sender = Owner(event.get("account", ""), event.get("region", ""))
    allowed = sender if owner is None else owner
    arn = _EXECUTION.fullmatch(run_id)
    execution = Owner(arn["account"], arn["region"]) if arn else None
    if not sender == execution == allowed:
        raise InvalidRequestError(
            f"the event and detail.executionArn must be of account {_shown(allowed.account)} and region "
            f"{_shown(allowed.region)}; got an event of {_shown(sender.account)} and {_shown(sender.region)} "
            f"with {_shown(run_id)}"
        )


def _number(value: Any) -> float | None:
    """Return a number of the event, NaN for anything else, None if the field is missing or empty."""
    if value is None or (isinstance(value, str) and value in {"", "null"}):
        return None
    if type(value) in {int, float}:
        return float(value) if abs(value) < _MAX_SECONDS**2 else float("inf")
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else float("nan")


def _time_of(event: dict[str, Any]) -> int:
    try:
        at = ceil(datetime.fromisoformat(event["time"]).timestamp())
    except (KeyError, OverflowError, TypeError, ValueError):
        return clock.now()
    return at if 0 < at < _MAX_SECONDS else clock.now()


def _shown(value: Any) -> str:
    huge = type(value) is int and abs(value) >= _MAX_SECONDS**2  # Python refuses to write 4,300 digits
    return "a huge number" if huge else reprlib.repr(value)
