"""The settings of a deployment: one frozen dataclass, parsed once from the environment."""

from __future__ import annotations

import os
import reprlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore.errors import ConfigurationError, InvalidRunIdError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

TABLE_VARIABLE = "RUNSTORE_TABLE"
PREFIXES_VARIABLE = "RUNSTORE_RUN_ID_PREFIXES"
MAX_VALUE_BYTES = 350_000  # an item holds 400 KB; the rest is for the sort key, receipts and what a segment held before

_VARIABLES = {  # field: (environment variable, minimum, maximum)
    "max_value_bytes": ("RUNSTORE_MAX_VALUE_BYTES", 1, MAX_VALUE_BYTES),
    "ttl_days": ("RUNSTORE_TTL_DAYS", 1, 3_660),
    "failed_retention_days": ("RUNSTORE_FAILED_RETENTION_DAYS", 0, 366),
}
# A push of 16 segments' bytes, or of the largest value, must still fit an item that was nearly full.
_BOUNDS = _VARIABLES | {"segment_bytes": ("segment_bytes", 1, 16_384)}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a store.

    Attributes:
        table_name: The DynamoDB table's name or ARN.
        max_value_bytes: The largest compact JSON of one value or element, 1 to 350,000 bytes.
        ttl_days: How long after its last write an item expires, 1 to 3,660 days. The default is longer than the longest
            Standard execution (one year), because an expiry during a run would lose data. It must be the same for
            everyone who uses a table: the retirement of a failed run derives from it when an item was written.
        failed_retention_days: How long the state of a failed run is kept, 0 (not at all) to 366 days. Step Functions
            allows a redrive for 14 days.
        segment_bytes: How far one item of a list or counter is filled, 1 to 16,384 bytes. The default is one DynamoDB
            write unit. Larger items cost more for each push, smaller ones make more segments.
        run_id_prefixes: Only runs whose ids begin with one of these are served; empty serves every run.

    Raises:
        ConfigurationError: A value is outside its bounds.
    """

    table_name: str
    max_value_bytes: int = 65_536
    ttl_days: int = 366
    failed_retention_days: int = 30
    segment_bytes: int = 1_024
    run_id_prefixes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the bounds."""
        name: Any = self.table_name
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"{TABLE_VARIABLE} must be the table's name or ARN; got {name!r}")
        # A member of a string enum is taken as the text that it holds: its str() may be something else.
        object.__setattr__(self, "table_name", str.__str__(name))
        for field, (variable, minimum, maximum) in _BOUNDS.items():
            value = getattr(self, field)
            if type(value) is not int or not minimum <= value <= maximum:
                raise _out_of_bounds(variable, minimum, maximum, value)
        if not all(self.run_id_prefixes):
            raise ConfigurationError(
                f"{PREFIXES_VARIABLE} must be prefixes of run ids, none of them empty; got {self.run_id_prefixes!r}"
            )

    @classmethod
    def from_environment(
        cls, table_name: str | None = None, *, environment: Mapping[str, str] | None = None
    ) -> Settings:
        """Read the environment variables RUNSTORE_...; `table_name` overrides RUNSTORE_TABLE.

        Raises ConfigurationError, which names the variable.
        """
        environment = os.environ if environment is None else environment
        table_name = environment.get(TABLE_VARIABLE) if table_name is None else table_name
        if not table_name:
            raise ConfigurationError(
                f"the environment variable {TABLE_VARIABLE} must be the name of the run store's table; it is not set. "
                "Set it to the stack's output TableName, or pass table_name=..."
            )
        prefixes = environment.get(PREFIXES_VARIABLE, "")
        numbers = {field: number for field in _VARIABLES for number in _number(environment, field)}
        return cls(table_name, **numbers, run_id_prefixes=tuple(prefixes.split(",")) if prefixes else ())

    def check_served(self, run_id: str) -> None:
        """Raise InvalidRunIdError if `run_id_prefixes` excludes the run."""
        if self.run_id_prefixes and not run_id.startswith(self.run_id_prefixes):
            raise InvalidRunIdError(
                f"runId must begin with {' or '.join(map(repr, self.run_id_prefixes))}, as {PREFIXES_VARIABLE} says; "
                f"got {reprlib.repr(run_id)}"
            )


def _number(environment: Mapping[str, str], field: str) -> list[int]:
    variable, minimum, maximum = _VARIABLES[field]
    text = environment.get(variable, "")
    if not text:
        return []
    try:
        return [int(text)]
    except ValueError:
        raise _out_of_bounds(variable, minimum, maximum, text) from None


def _out_of_bounds(variable: str, minimum: int, maximum: int, value: object) -> ConfigurationError:
    return ConfigurationError(f"{variable} must be a whole number from {minimum:,} to {maximum:,}; got {value!r}")
