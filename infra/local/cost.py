"""What a run's DynamoDB requests would cost on AWS."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

# US dollars for a million request units of a Standard table on demand.
WRITE_PRICE: Final = 0.625
READ_PRICE: Final = 0.125
# US dollars for a million state transitions of Standard executions.
TRANSITION_PRICE: Final = 25.0
PRICES_OF: Final = (
    "on demand in us-east-1 since November 2024: 0.625 USD a million write units, 0.125 USD a million read units"
)


@dataclass(frozen=True, slots=True)
class Usage:
    """Requests to DynamoDB and the request units that they consumed."""

    operations: Mapping[str, int]
    write_units: float
    read_units: float

    @classmethod
    def of(cls, requests: Iterable[Mapping[str, Any]]) -> "Usage":
        """Add up requests, as `LocalStack.requests` yields them."""
        seen = list(requests)
        return cls(
            operations=Counter(request["operation"] for request in seen),
            write_units=sum(request["write_units"] for request in seen),
            read_units=sum(request["read_units"] for request in seen),
        )

    @property
    def requests(self) -> int:
        """How many requests there were."""
        return sum(self.operations.values())

    @property
    def dollars(self) -> float:
        """Their price in US dollars."""
        return (self.write_units * WRITE_PRICE + self.read_units * READ_PRICE) / 1_000_000
