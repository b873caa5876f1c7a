"""Large elements: wherever they stand in a list, no head holds one."""

import pytest

from tests.contract.implementations import TableImplementation

LARGE = "x" * 60_000


def _size(item: dict[str, dict[str, object]]) -> int:
    return sum(len(name) + len(str(value)) for name, value in item.items())


@pytest.mark.parametrize("before", [[], ["small"], None], ids=["empty", "short", "not set"])
@pytest.mark.parametrize("token", [None, "t"])
def test_a_head_stays_small_whatever_is_pushed_first(
    table: TableImplementation, run_id: str, before: list[str] | None, token: str | None
) -> None:
    """A writer that does not know the list pays for its head: that stays below two write units."""
    store = table.store(run_id)
    if before is not None:
        store.set("list", before)
    elements = [*(before or []), LARGE, "second", LARGE]
    for attempt in (store, table.store(run_id)):
        assert attempt.push("list", LARGE, token=token and f"{token}1") == len(before or []) + 1
        if token is None:
            break
    assert store.push("list", "second", token=token and f"{token}2") == len(before or []) + 2
    assert table.store(run_id).push("list", LARGE, token=token and f"{token}3") == len(elements)
    assert table.store(run_id).get("list") == elements
    assert store.get_range("list", len(elements) - 1) == [LARGE]
    heads = [item for item in table.items(run_id) if item["key"]["S"] == "list"]
    assert [_size(head) < 2_048 for head in heads] == [True]
    store.delete("list")
    assert table.store(run_id).push("list", LARGE) == 1


def test_a_large_first_part_of_push_many(table: TableImplementation, run_id: str) -> None:
    """The same for the first of many elements, repeated under its token."""
    for _ in range(2):
        assert table.store(run_id).push_many("list", [LARGE, "a", LARGE], token="t") == 3
    assert table.store(run_id).get("list") == [LARGE, "a", LARGE]
    (head,) = (item for item in table.items(run_id) if item["key"]["S"] == "list")
    assert _size(head) < 2_048
