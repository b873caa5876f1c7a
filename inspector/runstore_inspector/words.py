"""Numbers and times as people read them, for the command and the page alike."""

from __future__ import annotations

import json
from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_KIB = 1_024


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: `2 h 5 min`."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1_000))} ms"
    if seconds < 10:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller, smaller_unit in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size:,} {unit}" + (f" {rest} {smaller_unit}" if rest else "")
    return f"{whole} s"


def age(seconds: float) -> str:
    """Return a duration in its largest unit alone: `8 min`, for how long ago something was."""
    whole = max(0, round(seconds))
    for length, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if whole >= length:
            return f"{whole // length:,} {unit}"
    return f"{whole} s"


def size(count: int, *, exact: bool = True) -> str:
    """Return a number of bytes: `12.4 KB`; with a tilde when it is estimated."""
    number, unit = float(count), "B"
    for larger in ("KB", "MB", "GB"):
        if number < _KIB:
            break
        number, unit = number / _KIB, larger
    text = f"{count:,} B" if unit == "B" else f"{number:.1f} {unit}"
    return text if exact else f"~{text}"


def moment(seconds: float) -> str:
    """Return a time in UTC: `2026-11-24 17:43:02 UTC`."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):  # a time beyond the year 9999
        return "never"


def iso(seconds: float | None) -> str | None:
    """Return a time in ISO 8601, for programs."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    except (OverflowError, OSError, ValueError):
        return None


def units(count: float) -> str:
    """Return read or write units without needless digits."""
    return f"{count:,.1f}".removesuffix(".0")


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: `1 key`, `1,204 keys`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def explained(cause: str) -> tuple[str, str]:
    """Return the message in an error's cause, and the rest of it: Lambda and Step Functions write JSON there."""
    try:
        told = json.loads(cause)
    except (ValueError, RecursionError):
        return cause, ""
    if not isinstance(told, dict):
        return cause, ""
    if "errorMessage" in told:
        trace = told.get("stackTrace") or []
        lines = "".join(f"{line}".rstrip("\n") + "\n" for line in trace) if isinstance(trace, list) else str(trace)
        return str(told["errorMessage"]), lines.strip("\n")
    if isinstance(told.get("Cause"), str):  # a child execution's description
        return explained(told["Cause"])
    return cause, ""


def shortened(text: str, characters: int) -> str:
    """Return at most so many characters of a text, the last an ellipsis if it is cut."""
    return text if len(text) <= characters else text[: characters - 1] + "…"
