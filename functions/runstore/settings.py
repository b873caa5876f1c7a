"""The settings of a deployment: one frozen dataclass, parsed once from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from runstore.errors import ConfigurationError

TABLE_VARIABLE = "RUNSTORE_TABLE"
MAX_VALUE_BYTES = 350_000  # an item holds 400 KB; the rest is for the sort key, receipts and what a segment held before

_VARIABLES = {  # field: (environment variable, least, most)
    "max_value_bytes": ("RUNSTORE_MAX_VALUE_BYTES", 1, MAX_VALUE_BYTES),
    "ttl_days": ("RUNSTORE_TTL_DAYS", 1, 3_660),
    "failed_retention_days": ("RUNSTORE_FAILED_RETENTION_DAYS", 0, 366),
}
# A push of 16 segments' bytes, or of the largest value, still fits an item that was nearly full.
_BOUNDS = _VARIABLES | {"segment_bytes": ("segment_bytes", 1, 16_384)}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a store is configured with. Raises ConfigurationError for a value outside its bounds.

    `max_value_bytes`: the largest compact JSON of one value or element, 1 to 350,000 bytes.
    `ttl_days`: how long after its last write an item expires, 1 to 3,660 days. The default is longer than the
    longest Standard execution (one year): an expiry inside a living run would lose data. The same for all that use
    a table: retiring a failed run judges by it when an item was written.
    `failed_retention_days`: how long the state of a failed run is kept, 0 (not at all) to 366 days. Step Functions
    lets an execution be redriven for 14 days.
    `segment_bytes`: the size up to which an item of a list or counter is filled, 1 to 16,384 bytes. The default is one
    DynamoDB write unit: a larger item costs more per push, a smaller one makes more segments.
    """

    table_name: str
    max_value_bytes: int = 65_536
    ttl_days: int = 366
    failed_retention_days: int = 30
    segment_bytes: int = 1_024

    def __post_init__(self) -> None:
        """Hold the numbers to their bounds."""
        if not self.table_name:
            raise ConfigurationError(f"{TABLE_VARIABLE} is {self.table_name!r}: it takes the table's name or ARN")
        for field, (variable, least, most) in _BOUNDS.items():
            value = getattr(self, field)
            if type(value) is not int or not least <= value <= most:
                raise ConfigurationError(f"{variable} is {value!r}: it takes a whole number from {least:,} to {most:,}")

    @classmethod
    def from_environment(
        cls, table_name: str | None = None, *, environment: Mapping[str, str] | None = None
    ) -> "Settings":
        """Read the environment variables RUNSTORE_...; `table_name` goes before RUNSTORE_TABLE.

        Raises ConfigurationError, which names the variable, before anything is sent.
        """
        environment = os.environ if environment is None else environment
        table_name = environment.get(TABLE_VARIABLE) if table_name is None else table_name
        if not table_name:
            raise ConfigurationError(
                f"the environment variable {TABLE_VARIABLE} is not set: it takes the name of the run store's table "
                "(the output TableName of the stack), or pass table_name=..."
            )
        return cls(table_name, **{field: number for field in _VARIABLES for number in _number(environment, field)})


def _number(environment: Mapping[str, str], field: str) -> list[int]:
    variable, least, most = _VARIABLES[field]
    text = environment.get(variable, "")
    if not text:
        return []
    try:
        return [int(text)]
    except ValueError:
        raise ConfigurationError(
            f"{variable} is {text!r}: it takes a whole number from {least:,} to {most:,}"
        ) from None
