"""Lists and counters of more than one item: how they are kept, replaced and ended."""

from typing import Any

import pytest

from runstore import JSON
from runstore.model.items import RECORD_SEPARATOR, UNIT_SEPARATOR, from_wire
from tests.contract.implementations import AnyStore, Implementation, RunItems, TableImplementation

LONG = "x" * 190


def _pushed(store: AnyStore, count: int, key: str = "list") -> list[JSON]:
    elements: list[JSON] = [[number, LONG] for number in range(count)]
    for element in elements:
        store.push(key, element)
    return elements


def _size(item: dict[str, Any]) -> int:
    """Return an item's size as AWS documents it: names, texts, two digits a byte and one, 3 a list and 1 an element."""

    def value(wire: dict[str, Any]) -> int:
        ((kind, content),) = wire.items()
        if kind == "S":
            return len(content.encode())
        if kind == "N":
            return (len(content.strip("-0.").replace(".", "")) + 1) // 2 + 1
        assert kind == "L"
        return 3 + sum(1 + value(element) for element in content)

    return sum(len(name) + value(wire) for name, wire in item.items())


def test_items_stay_within_one_write_unit(table: TableImplementation, run_id: str) -> None:
    """However long a list of small elements, or a counter with tokens, gets: none of its items is larger than 1 KB."""
    store = table.store(run_id)
    for number in range(40):
        store.push("list", [number, LONG])
        store.push("tokens", [number, LONG], token=f"branch {number}")
        store.increment("counter", token=f"branch {number}")
    sizes = [_size(item) for item in table.items(run_id)]
    assert len(sizes) > 20
    assert max(sizes) <= 1_024


def test_segments_are_dense_and_final(table: TableImplementation, run_id: str) -> None:
    """Segments are numbered from 1 without a gap, begin where the one before ended, and never change once closed."""
    store, other = table.store(run_id), table.store(run_id)
    seen: dict[str, dict[str, Any]] = {}
    for number in range(30):
        (store if number % 3 else other).push("list", [number, LONG])
        for wire in table.items(run_id):
            if from_wire(wire).closed:
                assert seen.setdefault(wire["key"]["S"], wire) == wire
    chain = [from_wire(wire) for wire in table.items(run_id)]
    assert [item.n for item in chain] == list(range(len(chain)))
    assert [item.start for item in chain] == [0, *(item.length for item in chain[:-1])]
    assert len({item["key"]["S"].split(UNIT_SEPARATOR)[1] for item in table.items(run_id)[1:]}) == 1


def test_every_item_expires(table: TableImplementation, run_id: str) -> None:
    """Each head, segment, seal and intent carries the time at which it expires."""
    store = table.store(run_id)
    _pushed(store, 10)
    store.push("list", 1, token="t")
    store.set("list", list(range(700)))
    store.set("list", 5)
    store.increment("n")
    store.set("text", "text")
    items = table.items(run_id)
    assert any(item["key"]["S"].startswith(RECORD_SEPARATOR) for item in items)
    assert any("sealed" in item for item in items)
    assert all(int(item["expires_at"]["N"]) > 0 for item in items)


def test_a_long_list_is_written_before_it_is_seen(table: TableImplementation, run_id: str) -> None:
    """A long list that is set has a small head without elements, so that nobody ever reads half of it."""
    store = table.store(run_id)
    store.set("list", [LONG] * 300)
    head, *segments = table.items(run_id)
    assert from_wire(head).closed
    assert from_wire(head).items == ()
    assert sum(len(from_wire(segment).items) for segment in segments) == 300


# ---------------------------------------------------------------------------------------------- resets behind a writer


@pytest.mark.parametrize("length", [4, 5, 8])
@pytest.mark.parametrize("token", [None, "t"])
@pytest.mark.parametrize("reset", ["delete", "set short", "set long", "set text", "complete"])
def test_a_writer_never_writes_behind_a_reset(
    implementation: Implementation, run_id: str, reset: str, token: str | None, length: int
) -> None:
    """A writer that remembers where the list ended pushes onto what came instead, wherever in a segment it ended."""
    writer, other = implementation.store(run_id), implementation.store(run_id)
    _pushed(writer, length)
    now: list[JSON] = []
    if reset == "delete":
        other.delete("list")
    elif reset == "complete":
        other.complete()
    else:
        now = {"set short": [1], "set long": list(range(400)), "set text": []}[reset]  # type: ignore[assignment]
        other.set("list", "text" if reset == "set text" else now)
        if reset == "set text":
            other.set("list", now)
    assert writer.push("list", "new", token=token) == len(now) + 1
    assert writer.push("list", "newer") == len(now) + 2
    for reader in (writer, other, implementation.store(run_id)):
        assert reader.get("list") == [*now, "new", "newer"]


@pytest.mark.parametrize("count", [30, 31, 32, 33, 45])
def test_a_counter_s_writer_never_counts_behind_a_reset(
    implementation: Implementation, run_id: str, count: int
) -> None:
    """The same for a counter that has used many tokens, for increments with a token and without."""
    writer, other = implementation.store(run_id), implementation.store(run_id)
    for number in range(count):
        assert writer.increment("n", token=f"t{number}") == number + 1
    other.set("n", 1_000)
    assert writer.increment("n") == 1_001
    assert writer.increment("n", token="t0") == 1_002
    other.delete("n")
    assert writer.increment("n", token="t0") == 1
    assert implementation.store(run_id).get("n") == 1


def test_resets_in_turn_by_writers_that_remember(implementation: Implementation, run_id: str) -> None:
    """Several writers fill and reset one key in turn: each sees exactly what was pushed since the last reset."""
    stores = [implementation.store(run_id) for _ in range(3)]
    expected: list[JSON] = []
    for number in range(60):
        store = stores[number % 3]
        if number % 14 == 13:
            stores[number % 2].delete("list")
            expected = []
        elif number % 23 == 22:
            expected = [LONG] * 8
            stores[(number + 1) % 3].set("list", expected)
        assert store.push("list", [number, LONG]) == len(expected) + 1
        expected = [*expected, [number, LONG]]
        assert stores[(number + 1) % 3].get("list") == expected


def test_a_reset_leaves_no_way_back(table: TableImplementation, run_id: str) -> None:
    """What a replaced long list leaves behind is sealed at its end, and completion removes it."""
    store = table.store(run_id)
    _pushed(store, 9)
    store.set("list", "text")
    store.set("other", list(range(500)))
    store.delete("other")
    left = [item for item in table.items(run_id) if UNIT_SEPARATOR in item["key"]["S"]]
    chains = {item["key"]["S"].split(UNIT_SEPARATOR)[1] for item in left}
    assert len(chains) == 2
    assert len([item for item in left if "sealed" in item]) == 2
    assert store.snapshot() == {"list": "text"}
    store.complete()
    assert table.items(run_id) == []


def test_keys_that_begin_alike_have_chains_of_their_own(implementation: Implementation, run_id: str) -> None:
    """Long lists under names that are beginnings of each other, or sort between each other's items, stay apart."""
    store = implementation.store(run_id)
    keys = ["a", "a ", "a!", "aa", "a~", "a\xa0b"]
    for key in keys:
        _pushed(store, 9, key)
    store.delete("aa")
    expected = {key: [[number, LONG] for number in range(9)] for key in keys if key != "aa"}
    assert store.snapshot() == expected
    assert sorted(store.keys()) == sorted(expected)


def _without_intents(items: RunItems) -> RunItems:
    return [item for item in items if not item["key"]["S"].startswith(RECORD_SEPARATOR)]


def test_a_token_s_intent_is_written_once(table: TableImplementation, run_id: str) -> None:
    """Beyond the first item each token leaves one intent, however often it is repeated."""
    store = table.store(run_id)
    _pushed(store, 5)
    for _ in range(3):
        store.push("list", 1, token="t")
        table.store(run_id).push("list", 1, token="t")
    items = table.items(run_id)
    assert len(items) - len(_without_intents(items)) == 1
