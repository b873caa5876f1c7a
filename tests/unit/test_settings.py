"""Settings: their defaults, their bounds, and the environment that they are read from."""

from dataclasses import FrozenInstanceError, replace
from enum import Enum
from typing import Any

import pytest

from runstore import ConfigurationError, Settings

VARIABLES = {
    "max_value_bytes": ("RUNSTORE_MAX_VALUE_BYTES", 65_536, 1, 350_000),
    "ttl_days": ("RUNSTORE_TTL_DAYS", 366, 1, 3_660),
    "failed_retention_days": ("RUNSTORE_FAILED_RETENTION_DAYS", 30, 0, 366),
}


@pytest.mark.parametrize("field", VARIABLES)
def test_a_setting_and_its_bounds(field: str) -> None:
    """Each has a default and takes whole numbers within its bounds, from code and from the environment."""
    variable, default, least, most = VARIABLES[field]
    assert getattr(Settings("runs"), field) == default
    assert getattr(Settings.from_environment("runs", environment={variable: ""}), field) == default
    for number in (least, most):
        changed = replace(Settings("runs"), **{field: number})  # type: ignore[arg-type]  # any field
        assert getattr(changed, field) == number
        assert getattr(Settings.from_environment("runs", environment={variable: str(number)}), field) == number
    said = f"a whole number from {least:,} to {most:,}"
    for wrong in (least - 1, most + 1, 1.5, "7", True, None):
        with pytest.raises(ConfigurationError, match=f"^{variable} must be {said}; got"):
            replace(Settings("runs"), **{field: wrong})  # type: ignore[arg-type]
    for text in (str(least - 1), str(most + 1), "1.5", "many", "1e3", "0x10"):
        with pytest.raises(ConfigurationError, match=f"^{variable} must be {said}; got"):
            Settings.from_environment("runs", environment={variable: text})


class Tables(str, Enum):  # noqa: UP042 its str() is not the text
    """Tables as a user may name them."""

    RUNS = "runs"


def test_a_table_has_a_name() -> None:
    """A member of a string enum is taken as the text that it holds; what is no text is refused."""
    assert str(Settings(Tables.RUNS).table_name) == str(Settings.from_environment(Tables.RUNS).table_name) == "runs"
    for wrong in ("", 5, None, b"runs"):
        with pytest.raises(ConfigurationError, match="RUNSTORE_TABLE must be the table's name or ARN; got"):
            Settings(wrong)  # type: ignore[arg-type]


def test_the_bounds_of_a_segment() -> None:
    """A segment takes at least a byte, and no more than leaves room in an item for the largest push."""
    for number in (1, 16_384):
        assert Settings("runs", segment_bytes=number).segment_bytes == number
    for wrong in (0, -1, 16_385, 1.5, True):
        with pytest.raises(ConfigurationError, match=r"^segment_bytes must be a whole number from 1 to 16,384; got"):
            Settings("runs", segment_bytes=wrong)  # type: ignore[arg-type]


def test_the_table_comes_from_the_caller_or_the_environment() -> None:
    """A table that the caller names goes before RUNSTORE_TABLE; without either the error names the variable."""
    environment = {"RUNSTORE_TABLE": "from-environment"}
    assert Settings.from_environment(environment=environment).table_name == "from-environment"
    assert Settings.from_environment("named", environment=environment).table_name == "named"
    for missing in ({}, {"RUNSTORE_TABLE": ""}):
        with pytest.raises(ConfigurationError, match=r"environment variable RUNSTORE_TABLE must be .*; it is not set"):
            Settings.from_environment(environment=missing)
    with pytest.raises(ConfigurationError, match="RUNSTORE_TABLE"):
        Settings("")


def test_settings_do_not_change() -> None:
    """Settings are one frozen value: equal when all of it is equal."""
    settings: Any = Settings("runs")
    with pytest.raises(FrozenInstanceError):
        settings.ttl_days = 1
    assert settings == Settings("runs")
    assert settings != Settings("runs", ttl_days=1)
