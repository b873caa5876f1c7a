"""Delays: seconds as a number, or text such as "5 min"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runstore.model.values import describe
from runstore.workflow.errors import InvalidDelayError

if TYPE_CHECKING:
    from typing import Any

YEAR = 365 * 86_400  # the longest Standard execution
_SECONDS = {
    unit: seconds
    for units, seconds in (
        ("s sec secs second seconds", 1),
        ("m min mins minute minutes", 60),
        ("h hr hrs hour hours", 3_600),
        ("d day days", 86_400),
        ("w wk wks week weeks", 604_800),
    )
    for unit in units.split()
}
_LARGE = 10**18
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.ASCII | re.IGNORECASE)
_ALLOWED = 'a number of seconds from 0 or text such as "30 sec", "5 min", "2 hours", "1 day" or "1 week"'


def seconds(delay: Any, name: str = "delay", bounds: str = "up to 365 days") -> float:
    """Return a delay in seconds.

    Raises InvalidDelayError for anything else: negative numbers, text without a unit, months and years (whose length
    varies), more than 365 days.
    """
    if isinstance(delay, str):
        found = _TEXT.fullmatch(delay)
        unit = found and _SECONDS.get(found[2].lower())
        if not found or not unit:
            raise InvalidDelayError(f"{name} must be {_ALLOWED}, {bounds}; got {shown(delay)}")
        number = float(found[1]) * unit
    elif isinstance(delay, (int, float)) and not isinstance(delay, bool):
        number = delay
    else:
        raise InvalidDelayError(f"{name} must be {_ALLOWED}, {bounds}; got {shown(delay)}")
    if not 0 <= number <= YEAR:  # never true of NaN
        raise InvalidDelayError(f"{name} must be {_ALLOWED}, {bounds}; got {shown(delay)}")
    return float(number)


def shown(value: Any) -> str:
    """Return what an error message says of a value: short text and numbers themselves, the kind of anything else."""
    if isinstance(value, str):
        return f"{str.__str__(value)!r:.60}"
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or (isinstance(value, int) and abs(value) >= _LARGE):  # Python may refuse to write it
        return describe(value)
    return f"{value!r:.60}"
