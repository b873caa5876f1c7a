"""One key, one kind: what does not fit is refused and changes nothing."""

from typing import Any

import pytest

from runstore import KeyTypeMismatchError
from tests.contract.implementations import Implementation


@pytest.mark.parametrize("token", [None, "t"])
def test_a_refusal_writes_nothing(implementation: Implementation, run_id: str, token: str | None) -> None:
    """A push or an increment that a key's kind refuses says what the key holds, and leaves every item as it is."""
    store = implementation.store(run_id)
    for key, value in {"text": "text", "number": 5, "list": [1], "long list": list(range(600))}.items():
        store.set(key, value)
    before = implementation.items(run_id)
    for key in ("text", "number"):
        holds = rf"'{key}' must hold a .*; it holds a"
        with pytest.raises(KeyTypeMismatchError, match=holds):
            store.push(key, 1, token=token)
        for count in (2_000, 0):
            with pytest.raises(KeyTypeMismatchError, match=holds):
                store.push_many(key, range(count), token=token)
        with pytest.raises(
            KeyTypeMismatchError,
            match=r"must hold a list to be read in parts; it holds a .*Read it without start and limit",
        ):
            store.get_range(key)
    for key in ("text", "list", "long list"):
        with pytest.raises(KeyTypeMismatchError, match=rf"'{key}' must hold a .*; it holds a"):
            store.increment(key, token=token)
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
