"""What the claims cost, before they are settled: list prices of us-east-1 in US dollars, without any free tier."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

PRICES: Final = {
    "transitions": 25 / 1_000_000,  # of a Standard state machine
    "invocations": 0.20 / 1_000_000 + 0.5 * 0.0000133334,  # at most half a second of 1 GB each
    "writes": 0.625 / 1_000_000,  # a write unit, on demand
    "reads": 0.125 / 1_000_000,
    "key_hours": 1 / 730,  # a customer managed key, a dollar a month
    "alarm_hours": 2.80 / 730,  # the stack's alarms, a month
    "snapshot_hours": (8 * 0.25 + 1) * 0.0000015046 * 3_600,  # the operations' snapshots: eight of 256 MB, one of 1 GB
    "traces": 5 / 1_000_000,
}


@dataclass(frozen=True)
class Usage:
    """How much of each thing that costs."""

    transitions: float = 0
    invocations: float = 0
    writes: float = 0
    reads: float = 0
    key_hours: float = 0
    alarm_hours: float = 0
    snapshot_hours: float = 0
    traces: float = 0

    @property
    def dollars(self) -> float:
        """What it costs."""
        return float(sum(getattr(self, each.name) * PRICES[each.name] for each in fields(self)))


NOTHING: Final = Usage()
# For the stack itself, while the claims are being settled: about an hour.
DEPLOYED: Final = Usage(alarm_hours=1)
