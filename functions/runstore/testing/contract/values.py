"""What is set comes back equal: every kind of JSON value, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runstore import KeyTypeMismatchError
from runstore.testing.contract.base import Contract

if TYPE_CHECKING:
    from runstore import Store


def _nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


VALUES: dict[str, Any] = {
    "text": "customer 7",
    "empty text": "",
    "text of every plane": 'ß漢字🧾\u2028\u0000\u001f\u007f\\"/',
    "a lone surrogate": "half of a pair: \ud83e",
    "surrogates in the wrong order": "\udd17\ud83e",
    "text that looks like an escape": "\\ud83e \\n",
    "true": True,
    "false": False,
    "null": None,
    "zero": 0,
    "a negative number": -17,
    "38 digits": 10**38 - 1,
    "39 digits": 10**38 + 1,
    "10 to the 40": 10**40,
    "a thousand digits": 7**1180,
    "a fraction": 0.1,
    "a negative fraction": -123.456,
    "1e23, which no decimal fraction is": 1e23,
    "a sum with rounding": 0.1 + 0.2,
    "the largest float": 1.7976931348623157e308,
    "the smallest float": 5e-324,
    "beyond DynamoDB's least magnitude": 1e-131,
    "DynamoDB's least magnitude": 1e-130,
    "DynamoDB's largest power": 1e125,
    "beyond DynamoDB's largest power": 1e126,
    "17 digits": 0.30000000000000004,
    "a whole float": 3.0,
    "an empty list": [],
    "an empty object": {},
    "lists in lists": [[], [[]], [[[1]]]],
    "every kind in one": {"a": [1, 2.5, "x", None, True, {"b": {}}], "": {"": ""}, "ünïcode": ["\ud800"]},
    "a list of every kind": [1, -0.5, "two", None, False, [], {}, {"a": [None]}, 10**40, 1e-200],
    "names that look like the store's own": {"kind": "list", "items": [], "r:abc": 1, "run_id": 2},
    "256 levels": _nested(256),
}


class ValuesContract(Contract):
    """What is set comes back equal: every kind of JSON value, and no other."""

    @pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
    def test_a_value_comes_back_equal(self, store: Store, value: Any) -> None:
        """Whatever JSON has is stored and returned as it was, as a value and as an element of a list."""
        store.set("key", value)
        store.push("list", value)
        assert store.find("key") == (True, value)
        assert type(store.get("key")) in {type(value), int}, "1.0 may come back as 1; nothing else changes its type"
        assert store.find("list") == (True, [value])
        assert store.get_range("list") == [value]
        assert store.snapshot() == {"key": value, "list": [value]}

    def test_minus_zero_comes_back_equal(self, store: Store) -> None:
        """-0.0 equals 0 in JSON, and an element of a list keeps even its sign."""
        store.set("key", -0.0)
        store.set("list", [-0.0])
        assert store.get("key") == 0
        assert str(store.get("list")) == "[-0.0]"

    def test_booleans_are_no_numbers(self, store: Store) -> None:
        """True comes back as true and not as 1."""
        store.set("key", True)  # noqa: FBT003 the value is the point
        assert store.get("key") is True

    def test_null_is_told_apart_from_not_set(self, store: Store) -> None:
        """A stored null is found; a key that was never set is not, and gets the caller's default."""
        assert store.find("key") == (False, None)
        assert store.get("key") is None
        assert store.get("key", "nothing") == "nothing"
        store.set("key", None)
        assert store.find("key") == (True, None)
        assert store.get("key", "nothing") is None

    def test_what_json_dumps_accepts_is_accepted(self, store: Store) -> None:
        """Tuples become lists, and keys of an object become text as `json.dumps` writes them."""
        store.set("key", {7: "a", 2.5: "b", None: "c", True: ("d", ("e",))})
        store.set("list", ("f", ("g",)))
        assert store.get("key") == {"7": "a", "2.5": "b", "null": "c", "true": ["d", ["e"]]}
        assert store.get("list") == ["f", ["g"]]

    def test_set_replaces_whatever_was_there(self, store: Store) -> None:
        """A key takes each kind of value after each other kind."""
        kinds: list[Any] = ["text", 5, [1, 2], {"a": 1}, None, [], 1.5, True]
        for before in kinds:
            for after in kinds:
                store.set("key", before)
                store.set("key", after)
                assert store.get("key") == after

    def test_a_value_belongs_to_its_caller(self, store: Store) -> None:
        """What a caller does to a value after `set`, or to what `get` returned, changes nothing in the store."""
        value = {"list": [1]}
        store.set("key", value)
        store.push("items", value)
        value["list"].append(2)
        got: Any = store.get("key")
        got["list"].append(3)
        assert store.get("key") == {"list": [1]}
        assert store.get("items") == [{"list": [1]}]

    def test_delete_removes_a_key(self, store: Store) -> None:
        """A deleted key is not set, whatever it held, and to delete it again is no error."""
        for value in ("text", 7, [1, 2, 3], None):
            store.set("key", value)
            store.delete("key")
            store.delete("key")
            assert store.find("key") == (False, None)
        assert store.keys() == []

    def test_delete_leaves_other_keys_alone(self, store: Store) -> None:
        """Keys that begin with each other's names are different keys."""
        for key in ("a", "a b", "ab", "A", "a/b"):
            store.set(key, key)
        store.delete("a")
        assert store.snapshot() == {key: key for key in ("a b", "ab", "A", "a/b")}

    @pytest.mark.parametrize("key", ["k" * 512, "ключ" * 64, "a b/c#d.e:f", "🧾", "value", ":run_id", "#key", "\u2028"])
    def test_any_text_without_control_characters_is_a_key(self, store: Store, key: str) -> None:
        """Keys of up to 512 bytes in any script work for all operations, reserved words too."""
        store.set(key, 1)
        assert store.increment(key, token="t") == 2
        store.set(key, [0] * 3)
        assert [store.push(key, number, token=f"t{number}") for number in range(3)] == [4, 5, 6]
        assert store.get(key) == [0, 0, 0, 0, 1, 2]
        assert store.keys() == [key]
        store.delete(key)
        assert store.keys() == []

    def test_a_refused_token_is_not_used_up(self, store: Store) -> None:
        """A token whose operation was refused works once the key is of the right kind."""
        store.set("key", "text")
        with pytest.raises(KeyTypeMismatchError):
            store.push("key", 1, token="t")
        store.set("key", [])
        assert store.push("key", 1, token="t") == 1
        assert store.push("key", 1, token="t") == 1

    def test_a_key_changes_its_kind_by_set_and_delete(self, store: Store) -> None:
        """After `set` or `delete` a key takes the operations of its new kind."""
        store.push("key", 1)
        store.set("key", 1)
        assert store.increment("key") == 2
        store.delete("key")
        assert store.push("key", "a") == 1
        store.delete("key")
        assert store.increment("key") == 1
