"""Values: what is set comes back equal, JSON's every kind."""

from typing import Any

from tests.contract.implementations import Implementation


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


def test_the_largest_value_and_none_larger(implementation: Implementation, run_id: str) -> None:
    """A value of exactly the largest size is stored, alone, as an element, and as a list that set writes."""
    store = implementation.store(run_id, max_value_bytes=65_536)
    text = "x" * 65_534  # and its two quotes
    store.set("key", text)
    store.push("list", text)
    store.push("list", text)
    long = ["y" * 1_021] * 63 + ["z" * 1_020]  # and two quotes each, 63 commas and two brackets
    store.set("long", long)
    assert store.get("key") == text
    assert store.get("list") == [text, text]
    assert store.get("long") == long


def test_the_hard_limit_fits_an_item(implementation: Implementation, run_id: str) -> None:
    """With the largest setting a value of 350,000 bytes is stored, pushed to a list that has elements, and read."""
    store = implementation.store(run_id, max_value_bytes=350_000)
    text = "x" * 349_998
    store.push("list", "a" * 600, token="first")
    store.push("list", text, token="second")
    store.push("list", text)
    store.set("key", text)
    assert store.get("list") == ["a" * 600, text, text]
    assert store.get("key") == text
