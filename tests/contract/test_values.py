"""Values: what is set comes back equal, JSON's every kind."""

from typing import Any

import pytest

from tests.contract.places import AnyStore, Place


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


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_value_comes_back_equal(store: AnyStore, value: Any) -> None:
    """Whatever JSON has is stored and returned as it was, as a value and as an element of a list."""
    store.set("key", value)
    store.push("list", value)
    assert store.find("key") == (True, value)
    assert type(store.get("key")) in {type(value), int}, "1.0 may come back as 1; nothing else changes its type"
    assert store.find("list") == (True, [value])
    assert store.get_range("list") == [value]
    assert store.snapshot() == {"key": value, "list": [value]}


def test_minus_zero_comes_back_equal(store: AnyStore) -> None:
    """-0.0 equals 0 in JSON, and an element of a list keeps even its sign."""
    store.set("key", -0.0)
    store.set("list", [-0.0])
    assert store.get("key") == 0
    assert str(store.get("list")) == "[-0.0]"


def test_booleans_are_no_numbers(store: AnyStore) -> None:
    """True comes back as true and not as 1."""
    store.set("key", True)  # noqa: FBT003 the value is the point
    assert store.get("key") is True


def test_null_is_told_apart_from_not_set(store: AnyStore) -> None:
    """A stored null is found; a key that was never set is not, and gets the caller's default."""
    assert store.find("key") == (False, None)
    assert store.get("key") is None
    assert store.get("key", "nothing") == "nothing"
    store.set("key", None)
    assert store.find("key") == (True, None)
    assert store.get("key", "nothing") is None


def test_what_json_dumps_accepts_is_accepted(store: AnyStore) -> None:
    """Tuples become lists, and keys of an object become text as `json.dumps` writes them."""
    store.set("key", {7: "a", 2.5: "b", None: "c", True: ("d", ("e",))})
    store.set("list", ("f", ("g",)))
    assert store.get("key") == {"7": "a", "2.5": "b", "null": "c", "true": ["d", ["e"]]}
    assert store.get("list") == ["f", ["g"]]


def test_set_replaces_whatever_was_there(store: AnyStore) -> None:
    """A key takes each kind of value after each other kind."""
    kinds: list[Any] = ["text", 5, [1, 2], {"a": 1}, None, [], 1.5, True]
    for before in kinds:
        for after in kinds:
            store.set("key", before)
            store.set("key", after)
            assert store.get("key") == after


def test_a_value_belongs_to_its_caller(store: AnyStore) -> None:
    """What a caller does to a value after `set`, or to what `get` returned, changes nothing in the store."""
    value = {"list": [1]}
    store.set("key", value)
    store.push("items", value)
    value["list"].append(2)
    got: Any = store.get("key")
    got["list"].append(3)
    assert store.get("key") == {"list": [1]}
    assert store.get("items") == [{"list": [1]}]


def test_delete_removes_a_key(store: AnyStore) -> None:
    """A deleted key is not set, whatever it held, and to delete it again is no error."""
    for value in ("text", 7, [1, 2, 3], None):
        store.set("key", value)
        store.delete("key")
        store.delete("key")
        assert store.find("key") == (False, None)
    assert store.keys() == []


def test_delete_leaves_other_keys_alone(store: AnyStore) -> None:
    """Keys that begin with each other's names are different keys."""
    for key in ("a", "a b", "ab", "A", "a/b"):
        store.set(key, key)
    store.delete("a")
    assert store.snapshot() == {key: key for key in ("a b", "ab", "A", "a/b")}


@pytest.mark.parametrize("key", ["k" * 512, "ключ" * 64, "a b/c#d.e:f", "🧾", "value", ":run_id", "#key", "\u2028"])
def test_any_text_without_control_characters_is_a_key(store: AnyStore, key: str) -> None:
    """Keys of up to 512 bytes in any script work for all operations, reserved words too."""
    store.set(key, 1)
    assert store.increment(key, token="t") == 2
    store.set(key, [0] * 3)
    assert [store.push(key, number, token=f"t{number}") for number in range(3)] == [4, 5, 6]
    assert store.get(key) == [0, 0, 0, 0, 1, 2]
    assert store.keys() == [key]
    store.delete(key)
    assert store.keys() == []


def test_the_largest_value_and_none_larger(place: Place, run_id: str) -> None:
    """A value of exactly the largest size is stored, alone, as an element, and as a list that set writes."""
    store = place.store(run_id, max_value_bytes=65_536)
    text = "x" * 65_534  # and its two quotes
    store.set("key", text)
    store.push("list", text)
    store.push("list", text)
    long = ["y" * 1_021] * 63 + ["z" * 1_020]  # and two quotes each, 63 commas and two brackets
    store.set("long", long)
    assert store.get("key") == text
    assert store.get("list") == [text, text]
    assert store.get("long") == long


def test_the_hard_limit_fits_an_item(place: Place, run_id: str) -> None:
    """With the largest setting a value of 350,000 bytes is stored, pushed to a list that has elements, and read."""
    store = place.store(run_id, max_value_bytes=350_000)
    text = "x" * 349_998
    store.push("list", "a" * 600, token="first")
    store.push("list", text, token="second")
    store.push("list", text)
    store.set("key", text)
    assert store.get("list") == ["a" * 600, text, text]
    assert store.get("key") == text
