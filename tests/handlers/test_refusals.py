"""What each function refuses."""

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
    ValueTooLargeError,
)
from tests.handlers.conftest import OPERATIONS, RUN, Call, Table

GOOD: dict[str, dict[str, Any]] = {
    "get_value": {"runId": RUN, "key": "list", "start": 0, "limit": 1},
    "get_values": {"runId": RUN, "prefix": "li"},
    "set_value": {"runId": RUN, "key": "list", "value": 1, "ifAbsent": False},
    "push_item": {"runId": RUN, "key": "list", "item": 1, "token": "u"},
    "increment_counter": {"runId": RUN, "key": "n", "delta": 1, "token": "u"},
    "delete_key": {"runId": RUN, "key": "list"},
    "apply_operations": {"runId": RUN, "operations": [{"do": "get", "key": "n"}], "token": "u"},
    "complete_run": {"runId": RUN},
}
REQUIRED = {"runId", "key", "value", "item", "operations"}


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
        "get_values": "runId is missing",
        "apply_operations": "runId and operations are missing",
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


def test_an_operation_that_is_refused(table: Table, call: Call) -> None:
    """The error names the operation, and nothing of the call is written."""
    event = {"runId": RUN, "operations": [{"do": "set", "key": "k", "value": 1}, {"do": "increment", "key": "n"}]}
    _refused(table, call, "apply_operations", event, InvalidTokenError, "operations[1]: token must be given")
    event["operations"][1] = {"do": "push", "key": "n"}  # type: ignore[index]
    _refused(
        table, call, "apply_operations", event, InvalidRequestError, "operations[1]: it must be {do: push, key, item}"
    )


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
    "prefix of a wrong type": ("get_values", {"prefix": 5}, InvalidKeyError, "prefix must be a string"),
    "ifAbsent of a wrong type": ("set_value", {"ifAbsent": 1}, InvalidRequestError, "ifAbsent must be true or false"),
    "operations of a wrong type": (
        "apply_operations",
        {"operations": {}},
        InvalidRequestError,
        "must be a list; got a",
    ),
    "no operations": ("apply_operations", {"operations": []}, InvalidRequestError, "list of 1 to 100; got 0"),
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
