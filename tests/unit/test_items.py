"""The item model: keys, capacities, parts, and its wire form."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.model.identifiers import MAX_KEY_BYTES
from runstore.model.items import (
    MAX_PART_ELEMENTS,
    PART_SEGMENTS,
    Item,
    call_receipt,
    capacity,
    element_weight,
    from_wire,
    intent_key,
    new_chain,
    open_list,
    receipt_weight,
    segment_key,
    split,
    split_segment_key,
    to_wire,
    token_digest,
)

KEYS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)
SIZES = st.lists(st.integers(min_value=1, max_value=5_000), max_size=1_200)


@given(KEYS, st.integers(min_value=0, max_value=99_999_998))
def test_a_segment_s_sort_key_tells_what_it_is(key: str, n: int) -> None:
    """Key, chain and number can be read from it; segments sort by number, behind their head."""
    chain = new_chain()
    assert split_segment_key(segment_key(key, chain, n)) == (key, chain if n else "", n)
    assert segment_key(key, chain, n) < segment_key(key, chain, n + 1)


def test_every_sort_key_fits() -> None:
    """For the longest key, segments and intents stay within DynamoDB's 1,024 bytes."""
    key, chain = "k" * MAX_KEY_BYTES, new_chain()
    assert len(segment_key(key, chain, 99_999_999)) <= 1_024
    assert len(intent_key(key, chain, token_digest("t"))) <= 1_024


def test_receipts_of_tokens_and_calls_never_meet() -> None:
    """They have different lengths; different tokens have different ones, and equal tokens the same."""
    digests = {token_digest(f"token {number}") for number in range(5_000)}
    assert len(digests) == 5_000
    assert token_digest("t") == token_digest("t")
    assert len("r:" + token_digest("t")) != len(call_receipt())
    assert len({call_receipt() for _ in range(1_000)}) == 1_000


@given(
    st.integers(min_value=1, max_value=1_024),
    st.integers(min_value=1, max_value=540),
    st.integers(min_value=1, max_value=400_000),
    st.sampled_from([1, 64, 1_024, 4_096]),
)
def test_a_segment_is_filled_to_a_whole_unit(run_id_bytes: int, key_bytes: int, weight: int, unit: int) -> None:
    """Its first operation always fits, and what closes it begins within the unit that the first needs anyway."""
    most = capacity("r" * run_id_bytes, "k" * key_bytes, weight, unit)
    assert most >= 1
    assert most <= unit


@given(SIZES, st.integers(min_value=1, max_value=2_048))
def test_parts_hold_every_element_once_and_in_order(sizes: list[int], segment_bytes: int) -> None:
    """Parts follow each other without a gap, within both limits unless one element alone is larger."""
    position = 0
    for part, weight in split(sizes, segment_bytes):
        assert part.start == position
        position = part.stop
        assert part.stop - part.start <= MAX_PART_ELEMENTS
        assert weight == sum(map(element_weight, sizes[part]))
        assert weight <= PART_SEGMENTS * segment_bytes or part.stop - part.start == 1
    assert position == len(sizes)


@given(SIZES, st.lists(st.integers(min_value=1, max_value=5_000), max_size=5))
def test_parts_depend_on_the_elements_before_them_alone(sizes: list[int], more: list[int]) -> None:
    """A repeated push_many makes the same parts: all but the last are the same when elements follow."""
    parts, longer = list(split(sizes, 1_024)), list(split(sizes + more, 1_024))
    assert longer[: len(parts) - 1] == parts[:-1]


@given(st.lists(st.integers(min_value=1, max_value=400), max_size=12))
def test_a_list_that_is_set_into_one_head_leaves_it_open(sizes: list[int]) -> None:
    """A head is never closed by `set`: what does not fit is written in segments."""
    texts = tuple("x" * size for size in sizes)
    head = open_list("run", "key", texts, sizes, 1_024)
    if head is None:
        assert sum(map(element_weight, sizes)) > 400
    else:
        assert not head.closed
        assert head.items == texts
        assert head.length == len(texts)


ITEMS: dict[str, Item] = {
    "value": Item(kind="value", value='"text"'),
    "number": Item(kind="number", number="1.5", set_id="o"),
    "list": Item(kind="list", items=("1", '"a"'), length=2, weight=6, capacity=700, set_id="o"),
    "empty list": Item(kind="list", set_id="o"),
    "segment": Item(kind="list", items=("1",), length=9, chain="c", weight=800, capacity=700, n=3),
    "counter's segment": Item(kind="number", number="9", chain="c", weight=23, capacity=700, n=1),
}


@pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS.keys())
def test_an_item_comes_back_from_its_wire_form(item: Item) -> None:
    """What is written as a whole is read as it was."""
    wire: dict[str, Any] = {**to_wire(item), "key": {"S": segment_key("key", "c", item.n)}}
    assert from_wire(wire) == item


def test_receipts_are_read_from_their_attributes() -> None:
    """Each receipt is an attribute of its own; nothing else is taken for one."""
    wire = {"kind": {"S": "list"}, "r:abc": {"N": "4"}, "retired": {"N": "1"}, "run_id": {"S": "r"}}
    assert from_wire(wire).receipts == {"r:abc": "4"}
    assert receipt_weight("r:abc") > 5
    assert receipt_weight(None) == 0


@pytest.mark.parametrize(("expires_at", "expired"), [(-1, True), (0, True), (99, True), (100, True), (101, False)])
def test_an_item_expires_at_its_time(expires_at: int, expired: bool) -> None:  # noqa: FBT001 the expected answer
    """It is absent from that second on, as the condition of a write has it; without a time it never is."""
    assert from_wire({"expires_at": {"N": str(expires_at)}}).expired(100) == expired
    assert not from_wire({}).expired(100)
    assert not Item().expired(100)
