"""Bad input at the store: it is named, what is allowed is said, and nothing changes."""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from runstore import (
    CounterRangeError,
    InvalidKeyError,
    InvalidRequestError,
    InvalidRunIdError,
    InvalidTokenError,
    InvalidValueError,
    RunStoreError,
    ValueTooLargeError,
)
from tests.contract.implementations import AnyStore, Implementation

Operation = Callable[[AnyStore, Any], Any]


@pytest.fixture
def written(implementation: Implementation, run_id: str) -> Iterator[AnyStore]:
    """A store with some state, which nothing in the test may change."""
    store = implementation.store(run_id)
    store.set("text", "text")
    store.push("list", 1, token="t")
    store.increment("n", token="t")
    before = implementation.items(run_id)
    yield store
    assert implementation.items(run_id) == before


def _texts(limit: int) -> dict[str, tuple[Any, str]]:
    """Return what is no text of 1 to `limit` bytes without control characters, and what the error says of it."""
    return {
        "empty": ("", "an empty string"),
        "too long": ("x" * (limit + 1), f"{limit + 1:,} bytes"),
        "too many bytes": ("ß" * (limit // 2 + 1), f"{limit + 2:,} bytes"),
        "line feed": ("a\nb", r"the control character U\+000A at position 1"),
        "unit separator": ("list\x1fchain", r"the control character U\+001F at position 4"),
        "delete": ("\x7f", r"the control character U\+007F at position 0"),
        "a C1 control": ("a\x85", r"the control character U\+0085 at position 1"),
        "NUL": ("\0", r"the control character U\+0000 at position 0"),
        "lone surrogate": ("a\ud800", "a lone surrogate at position 1"),
        "null": (None, "null"),
        "number": (7, "int"),
        "bytes": (b"key", "bytes"),
        "list": (["key"], "list"),
    }


BY_KEY: dict[str, Operation] = {
    "get": lambda store, key: store.get(key),
    "find": lambda store, key: store.find(key),
    "get_range": lambda store, key: store.get_range(key),
    "set": lambda store, key: store.set(key, 1),
    "set a list": lambda store, key: store.set(key, list(range(900))),
    "push": lambda store, key: store.push(key, 1),
    "push_many": lambda store, key: store.push_many(key, [1]),
    "increment": lambda store, key: store.increment(key),
    "delete": lambda store, key: store.delete(key),
}


@pytest.mark.parametrize("operation", BY_KEY.values(), ids=BY_KEY.keys())
def test_a_bad_key(written: AnyStore, operation: Operation) -> None:
    """Every operation refuses every key that is no key and says what one is."""
    for key, reason in _texts(512).values():
        with pytest.raises(InvalidKeyError, match=f"^key must be a string of 1 to 512 UTF-8 bytes .*; got {reason}"):
            operation(written, key)


@pytest.mark.parametrize(("run", "reason"), _texts(1_024).values(), ids=_texts(1_024).keys())
def test_a_bad_run_id(implementation: Implementation, run: Any, reason: str) -> None:
    """No store is made for a run id that is none."""
    with pytest.raises(InvalidRunIdError, match=f"^runId must be a string of 1 to 1,024 UTF-8 bytes .*; got {reason}"):
        implementation.store(run)


BY_TOKEN: dict[str, Operation] = {
    "push": lambda store, token: store.push("list", 1, token=token),
    "push_many": lambda store, token: store.push_many("list", [1], token=token),
    "push_many of nothing": lambda store, token: store.push_many("list", [], token=token),
    "increment": lambda store, token: store.increment("n", token=token),
}


@pytest.mark.parametrize("operation", BY_TOKEN.values(), ids=BY_TOKEN.keys())
def test_a_bad_token(written: AnyStore, operation: Operation) -> None:
    """Every operation with a token refuses what is none; None, as everywhere in Python, is no token at all."""
    for token, reason in _texts(256).values():
        if token is not None:
            with pytest.raises(
                InvalidTokenError, match=f"^token must be a string of 1 to 256 UTF-8 bytes .*; got {reason}"
            ):
                operation(written, token)


def _cycle() -> list[Any]:
    inside: list[Any] = []
    inside.append({"again": inside})
    return inside


def _deep(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = {"a": value}
    return value


NO_JSON: dict[str, tuple[Any, str]] = {
    "NaN": (math.nan, "^{0} must be a finite number; got nan"),
    "infinity": ([1, {"a": math.inf}], r"^{0}\[1\]\.a must be a finite number; got inf"),
    "negative infinity": ({"a b": -math.inf}, r"^{0}\['a b'\] must be a finite number; got -inf"),
    "a datetime": (
        {"items": [0, 1, 2, {"when": datetime(2026, 11, 22, tzinfo=UTC)}]},
        r"^{0}\.items\[3\]\.when must be a string, a number, true, false, null, a list or an object; got a datetime",
    ),
    "bytes": (b"bytes", "^{0} must be .*; got a bytes"),
    "a set": ({1, 2}, "^{0} must be .*; got a set"),
    "a Decimal": ([Decimal(1)], r"^{0}\[0\] must be .*; got a Decimal"),
    "an object": (object(), "^{0} must be .*; got an object"),
    "a tuple as a name": ({(1, 2): 3}, "^the names in {0} must be strings; got a tuple"),
    "NaN as a name": ({"a": {math.nan: 3}}, r"^the names in {0}\.a must be strings; got nan"),
    "one name twice": ({1: "a", "1": "b"}, "^the names in {0} must differ in JSON; got '1' twice"),
    "a number of too many digits": (10**5_000, "^{0} must be JSON that Python can write; got: .*4300 digits"),
    "a name of too many digits": ({10**5_000: 1}, "^{0} .*4300 digits"),
    "too deep": (_deep(257), "{0} must be nested at most 256 levels deep"),
    "much too deep": (_deep(100_000), "{0} must be nested at most 256 levels deep"),
    "a cycle": (_cycle(), "contains itself"),
}
BY_VALUE: dict[str, tuple[Operation, str]] = {
    "set": (lambda store, value: store.set("key", value), "value"),
    "push": (lambda store, value: store.push("list", value), "item"),
    "push with a token": (lambda store, value: store.push("list", value, token="u"), "item"),
    "set a list": (lambda store, value: store.set("key", [0, value]), r"value\[1\]"),
    "push_many": (lambda store, value: store.push_many("list", [0] * 600 + [value]), r"items\[600\]"),
}


@pytest.mark.parametrize(("operation", "name"), BY_VALUE.values(), ids=BY_VALUE.keys())
def test_what_is_not_json(written: AnyStore, operation: Operation, name: str) -> None:
    """The path to the offender inside the value is named, and what it is; nothing changes."""
    for value, reason in NO_JSON.values():
        if isinstance(value, list) and name == "value":
            continue  # the elements of a list that is set are named from the list's own index on: see below
        with pytest.raises(InvalidValueError, match=reason.format(name)):
            operation(written, value)
    with pytest.raises(InvalidValueError, match=r"^value\[1\]\.a must be a finite number; got inf"):
        written.set("key", [1, {"a": math.inf}])


@pytest.mark.parametrize(("operation", "name"), list(BY_VALUE.values())[:3], ids=list(BY_VALUE)[:3])
def test_too_large(written: AnyStore, operation: Operation, name: str) -> None:
    """One byte more than allowed is refused: the size, the limit and what to do instead are said."""
    for value in ("x" * 65_535, "ß" * 32_767 + "x", {"a": "x" * 65_529}):
        with pytest.raises(
            ValueTooLargeError, match=f"^{name} must have at most 65,536 bytes of compact JSON; got 65,537"
        ) as caught:
            operation(written, value)
        assert "keep a reference to it here" in str(caught.value)


def test_too_large_inside_a_list(written: AnyStore) -> None:
    """A list that is set is measured as a whole, one that is pushed element by element, before anything is written."""
    with pytest.raises(ValueTooLargeError, match=r"^value must have .*; got 65,537"):
        written.set("key", ["y" * 1_021] * 64)
    with pytest.raises(ValueTooLargeError, match=r"^items\[700\] must have .*; got 65,537"):
        written.push_many("list", ["y"] * 700 + ["x" * 65_535])


@pytest.mark.parametrize("setting", [1, 100, 349_999])
def test_the_limit_is_the_settings_own(implementation: Implementation, run_id: str, setting: int) -> None:
    """A value of the largest size is taken, and one byte more is not."""
    store = implementation.store(run_id, max_value_bytes=setting)
    fits: Any = 7 if setting == 1 else "x" * (setting - 2)
    store.push("list", fits)
    with pytest.raises(
        ValueTooLargeError, match=f"must have at most {setting:,} bytes of compact JSON; got {setting + 1:,}"
    ):
        store.push("list", 77 if setting == 1 else fits + "x")
    assert store.get("list") == [fits]


@pytest.mark.parametrize(
    ("delta", "shown"),
    [(True, "a bool"), ("1", "a str"), (None, "null"), (math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"),
     (Decimal(1), "a Decimal"), ([1], "a list"), (1j, "a complex")],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("token", [None, "u"])
def test_a_bad_delta(written: AnyStore, delta: Any, shown: str, token: str | None) -> None:
    """A delta that is no finite number is named and refused."""
    with pytest.raises(InvalidValueError, match=f"^delta must be a finite number; got {shown}"):
        written.increment("n", delta, token=token)


@pytest.mark.parametrize(
    ("number", "shown"),
    [(-1, "-1"), (1.0, "1.0"), (True, "a bool"), ("1", "a str"), (math.nan, "nan"), ([0], "a list")],
    ids=repr,
)
def test_a_bad_range(store: AnyStore, number: Any, shown: str) -> None:
    """Start and limit are whole numbers from 0; a limit may be None."""
    store.push("list", 1)
    with pytest.raises(InvalidRequestError, match=f"^start must be a whole number from 0; got {shown}"):
        store.get_range("list", number)
    with pytest.raises(InvalidRequestError, match=f"^limit must be a whole number from 0; got {shown}"):
        store.get_range("list", 0, number)
    with pytest.raises(InvalidRequestError, match=r"^start must be a whole number from 0; got null"):
        store.get_range("list", None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("items", "shown"),
    [("text", "a str"), (b"ab", "a bytes"), ({"a": 1}, "a dict"), (None, "null"), (5, "an int")],
    ids=repr,
)
def test_bad_items(written: AnyStore, items: Any, shown: str) -> None:
    """What is no list is not pushed letter by letter, nor an object name by name."""
    with pytest.raises(InvalidRequestError, match=f"^items must be a list; got {shown}"):
        written.push_many("list", items)


def test_errors_say_where(store: AnyStore, run_id: str) -> None:
    """An error carries the run, the key and the operation, as far as there is one."""
    cases: list[tuple[Callable[[], Any], str, str | None]] = [
        (lambda: store.get(""), "get", ""),
        (lambda: store.get_range("k", -1), "get_range", "k"),
        (lambda: store.set("k", math.nan), "set", "k"),
        (lambda: store.push("k", 1, token=""), "push", "k"),
        (lambda: store.push_many("k", "text"), "push_many", "k"),
        (lambda: store.increment("k", "1"), "increment", "k"),  # type: ignore[arg-type]
        (lambda: store.delete(5), "delete", None),  # type: ignore[arg-type]
    ]
    for operation, name, key in cases:
        with pytest.raises(RunStoreError) as caught:
            operation()
        assert (caught.value.run_id, caught.value.operation, caught.value.key) == (run_id, name, key)


def test_setdefault_refuses_what_set_refuses(store: AnyStore) -> None:
    """What set refuses is refused, also where the key is set."""
    for _ in range(2):
        with pytest.raises(InvalidValueError, match=r"^value must be a finite number; got nan"):
            store.setdefault("key", float("nan"))
        with pytest.raises(ValueTooLargeError) as caught:
            store.setdefault("key", "x" * 70_000)
        assert (caught.value.operation, caught.value.key) == ("setdefault", "key")
        store.set("key", 1)


@pytest.mark.parametrize(
    ("prefix", "got"),
    [
        (None, "null"),
        (7, "int"),
        ("a\n", "the control character"),
        ("x" * 513, "513 bytes"),
        ("\ud800", "a lone surrog"),
    ],
)
def test_a_bad_prefix(store: AnyStore, prefix: Any, got: str) -> None:
    """A prefix is the beginning of a key: anything else is refused."""
    for operation in (store.keys, store.snapshot):
        with pytest.raises(InvalidKeyError, match=f"^prefix must be a string of 0 to 512 UTF-8 bytes .*; got {got}"):
            operation(prefix)


@pytest.mark.parametrize("delta", [10**39 + 1, 1e-131, 5e-324, 1e126, 10**126], ids=str)
def test_a_delta_beyond_the_range_changes_nothing(implementation: Implementation, run_id: str, delta: float) -> None:
    """A delta that DynamoDB's numbers cannot hold is refused before anything is sent."""
    store = implementation.store(run_id)
    with pytest.raises(CounterRangeError, match="delta must have at most 38 significant digits"):
        store.increment("n", delta)
    assert implementation.items(run_id) == []
