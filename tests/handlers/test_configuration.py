"""Functions whose environment is incomplete or wrong."""

from typing import Any

import pytest

from runstore import ConfigurationError
from tests.handlers.conftest import OPERATIONS, RUN, Call, Output, Table

EVENTS: dict[str, dict[str, Any]] = {
    **{function: {"runId": RUN, "key": "key"} for function in OPERATIONS},
    "set_value": {"runId": RUN, "key": "key", "value": 1},
    "push_item": {"runId": RUN, "key": "key", "item": 1},
    "complete_run": {"runId": RUN},
    "get_values": {"runId": RUN},
    "apply_operations": {"runId": RUN, "operations": [{"do": "get", "key": "key"}]},
    "retire_run": {
        "source": "aws.states",
        "account": "123456789012",
        "region": "eu-central-1",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"executionArn": RUN, "status": "FAILED", "stopDate": 1},
    },
}


@pytest.mark.parametrize("function", EVENTS)
def test_a_missing_table_name(table: Table, call: Call, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    """Without RUNSTORE_TABLE the first invocation says so, by name, before any request; importing is no error."""
    for value in (None, ""):
        if value is None:
            monkeypatch.delenv("RUNSTORE_TABLE")
        else:
            monkeypatch.setenv("RUNSTORE_TABLE", value)
        with pytest.raises(ConfigurationError, match=r"environment variable RUNSTORE_TABLE must be .*; it is not set"):
            call(function, EVENTS[function])
    assert table.database.requests == 0


@pytest.mark.parametrize(
    ("variable", "value", "takes"),
    [
        ("RUNSTORE_MAX_VALUE_BYTES", "64k", "a whole number from 1 to 350,000"),
        ("RUNSTORE_MAX_VALUE_BYTES", "0", "a whole number from 1 to 350,000"),
        ("RUNSTORE_MAX_VALUE_BYTES", "350001", "a whole number from 1 to 350,000"),
        ("RUNSTORE_MAX_VALUE_BYTES", "-5", "a whole number from 1 to 350,000"),
        ("RUNSTORE_TTL_DAYS", "0", "a whole number from 1 to 3,660"),
        ("RUNSTORE_TTL_DAYS", "1.5", "a whole number from 1 to 3,660"),
        ("RUNSTORE_TTL_DAYS", "3661", "a whole number from 1 to 3,660"),
        ("RUNSTORE_FAILED_RETENTION_DAYS", "-1", "a whole number from 0 to 366"),
        ("RUNSTORE_FAILED_RETENTION_DAYS", "a month", "a whole number from 0 to 366"),
    ],
)
@pytest.mark.parametrize("function", ["set_value", "retire_run"])
def test_a_variable_out_of_bounds(  # noqa: PLR0913 the variable and what comes of it
    *, table: Table, call: Call, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, takes: str, function: str
) -> None:
    """A setting that is no number, or out of bounds, is named with its value and its bounds, before any request."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"^{variable} must be {takes}; got .*{value}"):
        call(function, EVENTS[function])
    assert table.database.requests == 0


def test_variables_are_read(table: Table, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of the environment are used; an empty variable is the default."""
    monkeypatch.setenv("RUNSTORE_MAX_VALUE_BYTES", "10")
    monkeypatch.setenv("RUNSTORE_TTL_DAYS", "")
    call("set_value", runId=RUN, key="key", value="12345678")
    with pytest.raises(Exception, match="at most 10 bytes of compact JSON; got 11"):
        call("set_value", runId=RUN, key="key", value="123456789")
    assert table.store().get("key") == "12345678"


def test_a_configuration_error_is_logged_as_one(
    table: Table, call: Call, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an error of the deployment, not of the request: it is logged so, and counts as a defect."""
    monkeypatch.delenv("RUNSTORE_TABLE")
    with pytest.raises(ConfigurationError):
        call("get_value", runId=RUN, key="key")
    (line,), (metrics,) = output.lines()
    assert (line["level"], line["error"], line["operation"]) == ("ERROR", "ConfigurationError", "get_value")
    assert metrics["Defects"] == [1.0]
    assert "RUNSTORE_TABLE" in line["reason"]
    assert table.items() == {}
