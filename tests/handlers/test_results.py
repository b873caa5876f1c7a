"""What a function can return: what fits a Step Functions state, and text that Lambda can write."""

import json
from typing import Any

import pytest

from runstore import InvalidValueError, ResultTooLargeError
from tests.handlers.conftest import RUN, Call, Table


def test_a_result_that_fits_no_state(table: Table, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """get_value says that the value would not fit, and how to read it; a part of it is returned as always."""
    monkeypatch.setenv("RUNSTORE_MAX_VALUE_BYTES", "350000")
    table.store().push_many("list", ["x" * 1_000] * 262)
    with pytest.raises(ResultTooLargeError, match="262,144: read a list in parts with start and limit") as caught:
        call("get_value", runId=RUN, key="list")
    assert caught.value.key == "list"
    assert call("get_value", runId=RUN, key="list", start=10, limit=200)["value"] == ["x" * 1_000] * 200
    with pytest.raises(ResultTooLargeError):
        call("get_value", runId=RUN, key="list", start=0, limit=262)


def test_reading_stops_where_a_result_cannot_fit(table: Table, call: Call) -> None:
    """Of a huge list, and of a run of huge lists, not much more is read than a result can hold."""
    for key in ("a", "b", "c"):
        table.store().push_many(key, ["x" * 1_000] * 5_000)
    table.database.page = 100  # items
    before = table.database.requests
    for function, fields in (("get_value", {"key": "b"}), ("get_values", {}), ("get_value", {"key": "b", "start": 9})):
        with pytest.raises(ResultTooLargeError, match="262,144"):
            call(function, runId=RUN, **fields)
    with pytest.raises(ResultTooLargeError, match="262,144") as caught:
        call("apply_operations", runId=RUN, operations=[{"do": "delete", "key": "x"}, {"do": "get", "key": "b"}])
    assert (caught.value.index, caught.value.key) == (1, "b")
    with pytest.raises(ResultTooLargeError, match="262,144"):
        call("set_value", runId=RUN, key="b", value=1, ifAbsent=True)
    assert table.database.requests - before < 40


def test_results_that_do_not_fit_together(table: Table, call: Call) -> None:
    """get_values asks for a narrower prefix; apply_operations names the first operation too many."""
    for number in range(6):
        table.store().set(f"k{number}", "x" * 60_000)
    with pytest.raises(ResultTooLargeError, match="narrow the prefix"):
        call("get_values", runId=RUN)
    assert len(call("get_values", runId=RUN, prefix="k1")["values"]["k1"]) == 60_000
    operations = [{"do": "get", "key": f"k{number}"} for number in range(6)]
    with pytest.raises(ResultTooLargeError) as caught:
        call("apply_operations", runId=RUN, operations=operations)
    assert caught.value.index == 4
    assert len(call("apply_operations", runId=RUN, operations=operations[:4])["results"]) == 4


@pytest.mark.parametrize("value", ["x" * 259_000, "\ud800"], ids=["large", "surrogate"])
def test_if_absent_writes_nothing_that_it_could_not_return(
    table: Table, call: Call, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """A value that no result can hold is refused before it is written, also within apply_operations."""
    monkeypatch.setenv("RUNSTORE_MAX_VALUE_BYTES", "350000")
    error = ResultTooLargeError if len(value) > 1 else InvalidValueError
    with pytest.raises(error):
        call("set_value", runId=RUN, key="key", value=value, ifAbsent=True)
    operations = [
        {"do": "set", "key": "other", "value": 1},
        {"do": "set", "key": "key", "value": value, "ifAbsent": True},
    ]
    with pytest.raises(error) as caught:
        call("apply_operations", runId=RUN, operations=operations)
    assert caught.value.index == 1
    assert table.items() == {}


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    "value", ["x" * 257_000, "ß" * 128_500, ["\\" * 100] * 1_200], ids=["ascii", "unicode", "escapes"]
)
def test_every_result_fits_a_state(call: Call, monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    """What is returned fits the limit with what lambda:invoke adds to it, however Lambda writes it."""
    monkeypatch.setenv("RUNSTORE_MAX_VALUE_BYTES", "350000")
    call("set_value", runId=RUN, key="key", value=value)
    result = call("get_value", runId=RUN, key="key")
    assert len(json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode()) <= 262_144 - 4_096


@pytest.mark.parametrize("value", ["half \ud83e", {"\udd17": 1}, [1, ["\ud800"]]], ids=ascii)
def test_half_of_a_surrogate_pair_is_stored_but_not_returned(table: Table, call: Call, value: Any) -> None:
    """Lambda sends results as UTF-8, which has no half pairs: get_value says so, and the package reads the value."""
    call("set_value", runId=RUN, key="key", value=value)
    call("push_item", runId=RUN, key="list", items=["whole", value])
    for fields in ({"key": "key"}, {"key": "list"}, {"key": "list", "start": 1}):
        with pytest.raises(InvalidValueError, match=r"half of a surrogate pair.* with the package") as caught:
            call("get_value", runId=RUN, **fields)
        assert caught.value.key == fields["key"]
    assert call("get_value", runId=RUN, key="list", limit=1)["value"] == ["whole"]
    assert table.store().snapshot() == {"key": value, "list": ["whole", value]}
