"""One key, one kind: what does not fit is refused and changes nothing."""

from typing import Any

import pytest

from runstore import KeyTypeMismatchError
from tests.contract.implementations import Implementation

NO_LIST: dict[str, Any] = {
    "text": "text", "number": 5, "fraction": 0.5, "object": {"a": [1]}, "null": None, "true": True,
    "a number too large for a counter": 10**40 + 1,
}  # fmt: skip
NO_NUMBER: dict[str, Any] = {
    "text": "5", "list": [1], "empty list": [], "long list": list(range(600)), "object": {}, "null": None, "true": True,
}  # fmt: skip
KIND = {str: "value", int: "number", float: "number", dict: "value", type(None): "value", bool: "value", list: "list"}


@pytest.mark.parametrize("value", NO_LIST.values(), ids=NO_LIST.keys())
@pytest.mark.parametrize("token", [None, "t"])
def test_push_refuses_what_is_no_list(
    implementation: Implementation, run_id: str, value: Any, token: str | None
) -> None:
    """A push onto another kind says what the key holds, and nothing changes, with a token either."""
    store = implementation.store(run_id)
    store.set("key", value)
    before = implementation.items(run_id)
    for push in (
        lambda: store.push("key", 1, token=token),
        lambda: store.push_many("key", range(2_000), token=token),
        lambda: store.push_many("key", [], token=token),
        lambda: store.get_range("key"),
    ):
        with pytest.raises(KeyTypeMismatchError, match=r"'key' must hold a .*; it holds") as caught:
            push()
        assert caught.value.holds == ("value" if value == 10**40 + 1 else KIND[type(value)])
    with pytest.raises(
        KeyTypeMismatchError,
        match=r"must hold a list to be read in parts; it holds a .*Read it without start and limit",
    ):
        store.get_range("key")
    assert implementation.items(run_id) == before
    assert store.get("key") == value


@pytest.mark.parametrize("value", NO_NUMBER.values(), ids=NO_NUMBER.keys())
@pytest.mark.parametrize("token", [None, "t"])
def test_increment_refuses_what_is_no_number(
    implementation: Implementation, run_id: str, value: Any, token: str | None
) -> None:
    """An increment of another kind says what the key holds, and nothing changes, with a token either."""
    store = implementation.store(run_id)
    store.set("key", value)
    before = implementation.items(run_id)
    with pytest.raises(KeyTypeMismatchError, match=r"'key' must hold a .*; it holds") as caught:
        store.increment("key", token=token)
    assert caught.value.holds == KIND[type(value)]
    assert (caught.value.run_id, caught.value.key, caught.value.operation) == (run_id, "key", "increment")
    assert implementation.items(run_id) == before


@pytest.mark.parametrize("token", [None, "t"])
def test_a_writer_that_remembers_a_list_cannot_increment_it(
    implementation: Implementation, run_id: str, token: str | None
) -> None:
    """Also beyond the first item of a list, and of a counter, the wrong kind is refused and changes nothing."""
    store = implementation.store(run_id)
    for number in range(40):
        store.push("list", "x" * 100)
        store.increment("counter", token=str(number))
    before = implementation.items(run_id)
    for writer in (store, implementation.store(run_id)):
        with pytest.raises(KeyTypeMismatchError, match="it holds a list"):
            writer.increment("list", token=token)
        with pytest.raises(KeyTypeMismatchError, match="it holds a number"):
            writer.push("counter", 1, token=token)
    assert [item for item in implementation.items(run_id) if not _intent(item)] == [
        item for item in before if not _intent(item)
    ]


def _intent(item: dict[str, Any]) -> bool:
    key: Any = item["key"]
    return str(key["S"]).startswith("\x1e")
