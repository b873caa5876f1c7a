"""What each function answers, and what it refuses."""

import json
import math
from typing import Any

import pytest

import runstore
from runstore import (
    InvalidKeyError,
    InvalidRequestError,
    InvalidRunIdError,
    InvalidTokenError,
    InvalidValueError,
    KeyTypeMismatchError,
    ResultTooLargeError,
    ValueTooLargeError,
)
from tests.handlers.conftest import OPERATIONS, RUN, Call, Table


def test_set_and_get(table: Table, call: Call) -> None:
    """A value is set and found; null is told apart from not set."""
    assert call("get_value", runId=RUN, key="customer") == {"key": "customer", "value": None, "found": False}
    assert call("set_value", runId=RUN, key="customer", value={"id": "c-1"}) == {"key": "customer"}
    assert call("get_value", runId=RUN, key="customer") == {"key": "customer", "value": {"id": "c-1"}, "found": True}
    assert call("set_value", runId=RUN, key="customer", value=None) == {"key": "customer"}
    assert call("get_value", runId=RUN, key="customer") == {"key": "customer", "value": None, "found": True}
    assert table.store().get("customer", "default") is None


def test_push(table: Table, call: Call) -> None:
    """One element or several are appended, null too; a token makes a repetition safe."""
    assert call("push_item", runId=RUN, key="list", item={"id": 1}) == {"key": "list", "length": 1}
    assert call("push_item", runId=RUN, key="list", item=None, token="t") == {"key": "list", "length": 2}
    assert call("push_item", runId=RUN, key="list", item=None, token="t") == {"key": "list", "length": 2}
    assert call("push_item", runId=RUN, key="list", items=[3, None]) == {"key": "list", "length": 4}
    assert call("push_item", runId=RUN, key="list", items=[5, [6]], token="t") == {"key": "list", "length": 6}
    assert call("push_item", runId=RUN, key="list", items=[5, [6]], token="t") == {"key": "list", "length": 6}
    assert call("push_item", runId=RUN, key="empty", items=[]) == {"key": "empty", "length": 0}
    assert table.store().snapshot() == {"list": [{"id": 1}, None, 3, None, 5, [6]], "empty": []}


def test_ranges(table: Table, call: Call) -> None:
    """With start or limit, part of a list is read."""
    table.store().push_many("list", range(1_000))
    for fields, value in (
        ({"start": 998}, [998, 999]),
        ({"limit": 2}, [0, 1]),
        ({"start": 500, "limit": 3}, [500, 501, 502]),
        ({"start": 1_000}, []),
        ({"limit": 0}, []),
    ):
        assert call("get_value", runId=RUN, key="list", **fields) == {"key": "list", "value": value, "found": True}
    assert call("get_value", runId=RUN, key="none", start=0) == {"key": "none", "value": None, "found": False}


def test_increment(table: Table, call: Call) -> None:
    """A counter counts by 1 or by a delta; a token makes a repetition safe."""
    assert call("increment_counter", runId=RUN, key="n") == {"key": "n", "value": 1}
    assert call("increment_counter", runId=RUN, key="n", delta=-2.5) == {"key": "n", "value": -1.5}
    assert call("increment_counter", runId=RUN, key="n", delta=10, token="t") == {"key": "n", "value": 8.5}
    assert call("increment_counter", runId=RUN, key="n", delta=10, token="t") == {"key": "n", "value": 8.5}
    assert table.store().get("n") == 8.5


def test_delete(table: Table, call: Call) -> None:
    """A key is removed, and removing it again is no error."""
    table.store().set("key", 1)
    assert call("delete_key", runId=RUN, key="key") == {"key": "key"}
    assert call("delete_key", runId=RUN, key="key") == {"key": "key"}
    assert table.store().keys() == []


def test_complete(table: Table, call: Call) -> None:
    """Every item of the run is deleted, and no other run's; again is safe."""
    table.store().set("a", 1)
    table.store().set("b", [1])
    table.store("other").set("a", 1)
    assert call("complete_run", runId=RUN) == {"runId": RUN, "deleted": 2}
    assert call("complete_run", runId=RUN) == {"runId": RUN, "deleted": 0}
    assert table.store("other").get("a") == 1


GOOD: dict[str, dict[str, Any]] = {
    "get_value": {"runId": RUN, "key": "list", "start": 0, "limit": 1},
    "set_value": {"runId": RUN, "key": "list", "value": 1},
    "push_item": {"runId": RUN, "key": "list", "item": 1, "token": "u"},
    "increment_counter": {"runId": RUN, "key": "n", "delta": 1, "token": "u"},
    "delete_key": {"runId": RUN, "key": "list"},
    "complete_run": {"runId": RUN},
}
REQUIRED = {"runId", "key", "value", "item"}


def _refused(table: Table, call: Call, function: str, event: Any, error: type[Exception], *said: str) -> None:
    """Assert that the event is refused with this very error, which says all this, and that nothing is written."""
    store = table.store()
    if not store.keys():
        store.push("list", 1, token="t")
        store.increment("n", token="t")
    before = table.items()
    with pytest.raises(error) as caught:
        call(function, event)
    assert type(caught.value) is error
    assert [text for text in said if text not in str(caught.value)] == [], caught.value
    assert table.items() == before


@pytest.mark.parametrize("function", OPERATIONS)
def test_a_missing_field(table: Table, call: Call, function: str) -> None:
    """Each required field that is missing is named, with all that the function takes."""
    for field in GOOD[function].keys() & REQUIRED:
        event = {name: value for name, value in GOOD[function].items() if name != field}
        _refused(
            table,
            call,
            function,
            event,
            InvalidRequestError,
            field,
            "is missing",
            f"the event of {function} must be {{runId",
        )
    nothing = {
        "complete_run": "runId is missing",
        "set_value": "runId and key and value are missing",
        "push_item": "runId and key and one of item, items are missing",
    }
    said = nothing.get(function, "runId and key are missing")
    _refused(table, call, function, {}, InvalidRequestError, f"the event of {function} must be {{runId", f"; {said}")


@pytest.mark.parametrize("function", OPERATIONS)
def test_an_unknown_field(table: Table, call: Call, function: str) -> None:
    """A field that the function does not have is named: a misspelt token would otherwise make a retry unsafe."""
    for field in ("tokens", "runid", "store", "time_left", "Token", "", "default", "self"):
        event = {**GOOD[function], field: "x"}
        _refused(
            table,
            call,
            function,
            event,
            InvalidRequestError,
            f"the event of {function} must be",
            f"; got the unknown field {field!r}",
        )


@pytest.mark.parametrize("function", OPERATIONS)
def test_null_where_there_must_be_a_value(table: Table, call: Call, function: str) -> None:
    """Only value, item and elements may be null."""
    for field in GOOD[function].keys() - {"value", "item"}:
        event = {**GOOD[function], field: None}
        advice = "" if field in REQUIRED else ". Leave it out, or give it a value"
        said = f"the event of {function} must be", f"; {field} is null{advice}"
        _refused(table, call, function, event, InvalidRequestError, *said)
    if function == "push_item":
        event = {"runId": RUN, "key": "list", "items": None}
        _refused(table, call, function, event, InvalidRequestError, "; items is null")


@pytest.mark.parametrize("function", [*OPERATIONS, "retire_run"])
@pytest.mark.parametrize("event", [[], "text", 5, True], ids=repr)
def test_an_event_that_is_no_object(table: Table, call: Call, function: str, event: Any) -> None:
    """An event that is no object is refused."""
    _refused(table, call, function, event, InvalidRequestError, "event")


WRONG: dict[str, tuple[str, dict[str, Any], type[Exception], str]] = {
    "run id of a wrong type": (
        "get_value",
        {"runId": 5},
        InvalidRunIdError,
        "runId must be a string of 1 to 1,024 UTF-8 bytes without control characters; got int",
    ),
    "empty run id": (
        "complete_run",
        {"runId": ""},
        InvalidRunIdError,
        "runId must be a string of 1 to 1,024 UTF-8 bytes without control characters; got an empty string",
    ),
    "long run id": ("set_value", {"runId": "r" * 1_025}, InvalidRunIdError, "; got 1,025 bytes"),
    "control character": ("push_item", {"runId": "a\tb"}, InvalidRunIdError, "U+0009 at position 1"),
    "key of a wrong type": (
        "delete_key",
        {"key": ["k"]},
        InvalidKeyError,
        "key must be a string of 1 to 512 UTF-8 bytes without control characters; got list",
    ),
    "empty key": ("set_value", {"key": ""}, InvalidKeyError, "; got an empty string"),
    "long key": ("push_item", {"key": "k" * 513}, InvalidKeyError, "; got 513 bytes"),
    "key with a separator": ("increment_counter", {"key": "k\x1f"}, InvalidKeyError, "control character U+001F"),
    "token of a wrong type": (
        "push_item",
        {"token": 0},
        InvalidTokenError,
        "token must be a string of 1 to 256 UTF-8 bytes without control characters; got int",
    ),
    "empty token": ("increment_counter", {"token": ""}, InvalidTokenError, "; got an empty string"),
    "long token": (
        "push_item",
        {"token": "t" * 257},
        InvalidTokenError,
        "; got 257 bytes",
    ),
    "delta true": (
        "increment_counter",
        {"delta": True},
        InvalidValueError,
        "delta must be a finite number; got a bool",
    ),
    "delta text": ("increment_counter", {"delta": "1"}, InvalidValueError, "; got a str"),
    "delta NaN": ("increment_counter", {"delta": math.nan}, InvalidValueError, "; got nan"),
    "delta too large": (
        "increment_counter",
        {"delta": 1e300},
        runstore.CounterRangeError,
        "delta must have at most 38 significant digits",
    ),
    "negative start": ("get_value", {"start": -1}, InvalidRequestError, "start must be a whole number from 0; got -1"),
    "negative limit": ("get_value", {"limit": -5}, InvalidRequestError, "limit must be a whole number from 0; got -5"),
    "start text": ("get_value", {"start": "0"}, InvalidRequestError, "; got a str"),
    "limit true": ("get_value", {"limit": True}, InvalidRequestError, "; got a bool"),
    "fraction": ("get_value", {"limit": 1.5}, InvalidRequestError, "; got 1.5"),
    "value too large": (
        "set_value",
        {"value": "x" * 65_535},
        ValueTooLargeError,
        "value must have at most 65,536 bytes of compact JSON; got 65,537",
    ),
    "item too large": (
        "push_item",
        {"item": "x" * 65_535},
        ValueTooLargeError,
        "item must have at most 65,536 bytes of compact JSON; got 65,537",
    ),
    "value not finite": (
        "set_value",
        {"value": {"a": [math.inf]}},
        InvalidValueError,
        "value.a[0] must be a finite number; got inf",
    ),
    "push onto a number": (
        "push_item",
        {"key": "n"},
        KeyTypeMismatchError,
        "key 'n' must hold a list, or not be set, to push to it; it holds a number",
    ),
    "increment of a list": (
        "increment_counter",
        {"key": "list"},
        KeyTypeMismatchError,
        "key 'list' must hold a number, or not be set, to increment it; it holds a list",
    ),
    "range of a number": (
        "get_value",
        {"key": "n"},
        KeyTypeMismatchError,
        "key 'n' must hold a list to be read in parts; it holds a number",
    ),
}


@pytest.mark.parametrize(("function", "fields", "error", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_field(  # noqa: PLR0913 what is wrong and what comes of it
    *, table: Table, call: Call, function: str, fields: dict[str, Any], error: type[Exception], said: str
) -> None:
    """The error's class is the documented one, and it names the field, what it got and what it takes."""
    _refused(table, call, function, {**GOOD[function], **fields}, error, said)


@pytest.mark.parametrize("items", ["text", 5, {"a": 1}, True], ids=repr)
def test_items_that_are_no_list(table: Table, call: Call, items: Any) -> None:
    """Text is not pushed letter by letter."""
    event = {"runId": RUN, "key": "list", "items": items}
    _refused(table, call, "push_item", event, InvalidRequestError, "items must be a list; got")


def test_item_and_items_exclude_each_other(table: Table, call: Call) -> None:
    """One element or several, not both, and not neither."""
    event = {"runId": RUN, "key": "list", "item": 1, "items": [2]}
    _refused(table, call, "push_item", event, InvalidRequestError, "item and items exclude each other", "or {runId")
    _refused(
        table, call, "push_item", {"runId": RUN, "key": "list"}, InvalidRequestError, "one of item, items is missing"
    )


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


def test_the_errors_are_the_documented_ones() -> None:
    """The tree of errors: a state machine matches their names, and callers their bases."""
    tree = {
        "RunStoreError": "Exception",
        "InvalidRequestError": "RunStoreError",
        "InvalidRunIdError": "InvalidRequestError",
        "InvalidKeyError": "InvalidRequestError",
        "InvalidValueError": "InvalidRequestError",
        "ValueTooLargeError": "InvalidRequestError",
        "InvalidTokenError": "InvalidRequestError",
        "KeyTypeMismatchError": "RunStoreError",
        "CounterRangeError": "RunStoreError",
        "ResultTooLargeError": "RunStoreError",
        "ConfigurationError": "RunStoreError",
        "TransientError": "RunStoreError",
        "ThrottledError": "TransientError",
        "UnavailableError": "TransientError",
        "IncompleteCompletionError": "TransientError",
    }
    errors = {name: getattr(runstore, name) for name in runstore.__all__ if name.endswith("Error")}
    assert {name: error.__base__.__name__ for name, error in errors.items()} == tree
