"""Refusals: what cannot be done raises its typed error and changes nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from runstore import (
    CounterRangeError,
    InvalidKeyError,
    InvalidRequestError,
    InvalidRunIdError,
    InvalidTokenError,
    InvalidValueError,
    KeyTypeMismatchError,
    ValueTooLargeError,
)
from runstore.testing.contract.base import Contract

if TYPE_CHECKING:
    from collections.abc import Callable

    from runstore import Store

# What a key holds, and its kind as the error names it.
NO_LIST: dict[str, tuple[Any, str]] = {
    "text": ("text", "value"), "number": (5, "number"), "fraction": (0.5, "number"), "object": ({"a": [1]}, "value"),
    "null": (None, "value"), "true": (True, "value"), "a number too large for a counter": (10**40 + 1, "value"),
}  # fmt: skip
NO_NUMBER: dict[str, tuple[Any, str]] = {
    "text": ("5", "value"), "list": ([1], "list"), "empty list": ([], "list"), "long list": (list(range(600)), "list"),
    "object": ({}, "value"), "null": (None, "value"), "true": (True, "value"),
}  # fmt: skip
BAD_TEXTS: dict[str, Any] = {
    "empty": "",
    "null": None,
    "a number": 7,
    "a control character": "a\x1fb",
    "half a pair": "\ud800",
}
NOT_JSON: dict[str, Any] = {
    "an object of a class": object(),
    "bytes": b"",
    "a set": {1},
    "infinity": math.inf,
    "not a number": math.nan,
}
LONGEST_KEY, LONGEST_RUN_ID, LONGEST_TOKEN = 512, 1_024, 256  # bytes

OPERATIONS: dict[str, Callable[[Store, Any], object]] = {
    "get": lambda store, key: store.get(key),
    "find": lambda store, key: store.find(key),
    "get_range": lambda store, key: store.get_range(key),
    "set": lambda store, key: store.set(key, 1),
    "push": lambda store, key: store.push(key, 1),
    "push_many": lambda store, key: store.push_many(key, [1]),
    "increment": lambda store, key: store.increment(key),
    "delete": lambda store, key: store.delete(key),
}
WITH_TOKEN: dict[str, Callable[[Store, Any], object]] = {
    "push": lambda store, token: store.push("list", 1, token=token),
    "push_many": lambda store, token: store.push_many("list", [1], token=token),
    "increment": lambda store, token: store.increment("number", token=token),
}
WITH_VALUE: dict[str, Callable[[Store, Any], object]] = {
    "set": lambda store, value: store.set("key", value),
    "push": lambda store, value: store.push("list", value),
    "push_many": lambda store, value: store.push_many("list", ["fits", value]),
}


class RefusalsContract(Contract):
    """Refusals: what cannot be done raises its typed error and changes nothing."""

    @pytest.fixture
    def written(self, store: Store) -> Store:
        """Return a store whose contents must not change."""
        store.set("key", "kept")
        store.set("list", ["kept"])
        store.set("number", 7)
        return store

    def unchanged(self, store: Store) -> bool:
        """Return whether `written` is as it was, for another writer too."""
        kept = {"key": "kept", "list": ["kept"], "number": 7}
        return store.snapshot() == self.new_store(store.run_id).snapshot() == kept

    @pytest.mark.parametrize(("value", "kind"), NO_LIST.values(), ids=NO_LIST.keys())
    @pytest.mark.parametrize("token", [None, "t"])
    def test_push_refuses_another_kind(self, store: Store, value: Any, kind: str, token: str | None) -> None:
        """A push onto something that is not a list changes nothing, with a token or without."""
        store.set("key", value)
        for push in (
            lambda: store.push("key", 1, token=token),
            lambda: store.push_many("key", range(2_000), token=token),
            lambda: store.push_many("key", [], token=token),
            lambda: store.get_range("key"),
        ):
            with pytest.raises(KeyTypeMismatchError) as caught:
                push()
            assert caught.value.holds == kind
        assert store.find("key") == (True, value)

    @pytest.mark.parametrize(("value", "kind"), NO_NUMBER.values(), ids=NO_NUMBER.keys())
    @pytest.mark.parametrize("token", [None, "t"])
    def test_increment_refuses_another_kind(self, store: Store, value: Any, kind: str, token: str | None) -> None:
        """An increment of something that is not a number changes nothing, with a token or without."""
        store.set("key", value)
        with pytest.raises(KeyTypeMismatchError) as caught:
            store.increment("key", token=token)
        assert caught.value.holds == kind
        assert (caught.value.run_id, caught.value.key, caught.value.operation) == (store.run_id, "key", "increment")
        assert store.find("key") == (True, value)

    @pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
    def test_a_bad_key(self, written: Store, operation: Callable[[Store, Any], object]) -> None:
        """A key that is no text, empty, too long, or holds a control character is refused by every operation."""
        for key in (*BAD_TEXTS.values(), "k" * (LONGEST_KEY + 1), "é" * (LONGEST_KEY // 2 + 1)):
            with pytest.raises(InvalidKeyError):
                operation(written, key)
        assert self.unchanged(written)

    def test_a_bad_run_id(self) -> None:
        """A run id is checked when its store is made, and the longest one works."""
        for run_id in (*BAD_TEXTS.values(), "r" * (LONGEST_RUN_ID + 1)):
            with pytest.raises(InvalidRunIdError):
                self.new_store(run_id)
        assert self.new_store("r" * LONGEST_RUN_ID).get("key") is None

    @pytest.mark.parametrize("operation", WITH_TOKEN.values(), ids=WITH_TOKEN.keys())
    def test_a_bad_token(self, written: Store, operation: Callable[[Store, Any], object]) -> None:
        """A token has the same form as a key, and may be left out."""
        bad = {name: text for name, text in BAD_TEXTS.items() if text is not None}
        for token in (*bad.values(), "t" * (LONGEST_TOKEN + 1)):
            with pytest.raises(InvalidTokenError):
                operation(written, token)
        assert self.unchanged(written)

    @pytest.mark.parametrize("operation", WITH_VALUE.values(), ids=WITH_VALUE.keys())
    @pytest.mark.parametrize("value", NOT_JSON.values(), ids=NOT_JSON.keys())
    def test_what_is_not_json(self, written: Store, operation: Callable[[Store, Any], object], value: Any) -> None:
        """What JSON cannot hold is refused, also deep inside a value, and the message says where."""
        with pytest.raises(InvalidValueError):
            operation(written, value)
        with pytest.raises(InvalidValueError, match=r"\[1\]\.when"):
            operation(written, [1, {"when": value}])
        assert self.unchanged(written)

    @pytest.mark.parametrize("operation", WITH_VALUE.values(), ids=WITH_VALUE.keys())
    def test_a_value_that_is_too_large(self, written: Store, operation: Callable[[Store, Any], object]) -> None:
        """A value beyond the limit is refused; nothing of a push_many before it is pushed."""
        with pytest.raises(ValueTooLargeError):
            operation(written, "x" * 350_001)
        assert self.unchanged(written)

    def test_a_bad_range(self, written: Store) -> None:
        """A start or limit is a whole number that is not negative."""
        for number in (-1, 1.5, "1", True):
            with pytest.raises(InvalidRequestError):
                written.get_range("list", number)  # type: ignore[arg-type]
            with pytest.raises(InvalidRequestError):
                written.get_range("list", 0, number)  # type: ignore[arg-type]

    def test_bad_items(self, written: Store) -> None:
        """Text and objects are not several items, although Python can iterate over them."""
        items: Any
        for items in ("abc", {"a": 1}, 7, None):
            with pytest.raises(InvalidRequestError):
                written.push_many("list", items)
        assert self.unchanged(written)

    @pytest.mark.parametrize("delta", ["1", None, True, math.inf, math.nan, [1]], ids=str)
    def test_a_bad_delta(self, written: Store, delta: Any) -> None:
        """A delta is a finite number."""
        with pytest.raises((InvalidRequestError, CounterRangeError)):
            written.increment("number", delta)
        assert self.unchanged(written)
