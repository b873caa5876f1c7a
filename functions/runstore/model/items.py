"""The item model: what is kept under which sort key, and its wire form.

    item        sort key                              attributes beside run_id, key and expires_at
    head        <key>                                 kind; value (S) or number (N) or items (L of S) and length;
                                                      chain, weight, capacity and r:<digest> once it has receipts;
                                                      set_id, which names the `set` that wrote it
    segment     <key> US <chain> US <n>               as a head of its kind; sealed when its chain has ended
    intent      RS <key> RS <chain> RS <digest>       search_from: the first segment that may hold a token's receipt
    record      GS ...                                the workflow engine's own

A list or counter is a chain of segments; the head is the first. `weight` counts the bytes of a segment's elements and
receipts. Once it reaches `capacity` the segment is closed: it never changes again. `length` and `number` are running
totals over the chain, so each segment says where it starts and ends. A sealed segment without a kind only marks the
end of a chain.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

Kind: TypeAlias = Literal["list", "number", "value"]
Wire: TypeAlias = "Mapping[str, Mapping[str, Any]]"  # an item in the form of DynamoDB's low-level API

UNIT_SEPARATOR, RECORD_SEPARATOR, GROUP_SEPARATOR = "\x1f", "\x1e", "\x1d"
FIRST_USER_KEY = " "  # intents and records sort before it: user keys hold no control characters
_DIGITS = 8  # of a segment's number
LAST_SEGMENT = 10**_DIGITS - 1
RECEIPT_PREFIX = "r:"
PART_SEGMENTS = 16  # a part of push_many has at most the bytes of this many segments: few requests, small reads
MAX_PART_ELEMENTS = 500
LARGE_BYTES = 1_536  # elements of this weight never go into a head: every writer that tries the head pays for its size
ELEMENTS = "#key, #items, #length, #sealed"  # the projection of `elements_from_wire`: receipts are left out
NEVER = 10**15  # epoch seconds: when an item without expires_at expires

_ELEMENT_OVERHEAD = 1  # what DynamoDB adds to each element of a list
_NUMBER_BYTES = 5  # of a receipt's result: two digits a byte, and one; counters may need up to 21
# Names and fixed-size values: run_id, key, kind, items (or number), length, chain, weight, capacity, expires_at.
_ITEM_OVERHEAD = 6 + 3 + (4 + 6) + (5 + 3) + (6 + 5) + (5 + 12) + (6 + 4) + (8 + 4) + (10 + 6)


def new_chain() -> str:
    """Return a random chain id of 72 bits: leftovers of an earlier chain are never mistaken for the current one."""
    return secrets.token_urlsafe(9)


def new_set_id() -> str:
    """Return a random id for one `set`: a retried request recognises its own result by it."""
    return secrets.token_urlsafe(6)


def call_receipt() -> str:
    """Return the receipt name of a call without a token: 48 random bits, unique among the receipts of a segment."""
    return RECEIPT_PREFIX + secrets.token_urlsafe(6)


def token_digest(token: str) -> str:
    """Return 96 bits that stand for a token; longer than a call's receipt, so the two never collide."""
    return urlsafe_b64encode(hashlib.blake2b(token.encode(), digest_size=12).digest()).decode()


def segment_key(key: str, chain: str, n: int) -> str:
    """Return the sort key of segment `n`; segment 0 is the head."""
    return f"{key}{UNIT_SEPARATOR}{chain}{UNIT_SEPARATOR}{n:0{_DIGITS}d}" if n else key


def intent_key(key: str, chain: str, digest: str) -> str:
    """Return the sort key of a token's intent."""
    return RECORD_SEPARATOR.join(("", key, chain, digest))


def split_segment_key(sort_key: str) -> tuple[str, str, int]:
    """Return key, chain and number of a segment's sort key; of a head's, the key, "" and 0."""
    key, _, rest = sort_key.partition(UNIT_SEPARATOR)
    chain, _, n = rest.partition(UNIT_SEPARATOR)
    return key, chain, int(n or 0)


def element_weight(size: int) -> int:
    """Return what an element of `size` bytes adds to its segment's weight."""
    return size + _ELEMENT_OVERHEAD


def receipt_weight(receipt: str | None) -> int:
    """Return what a receipt of this name adds to its segment's weight."""
    return len(receipt) + _NUMBER_BYTES if receipt else 0


def capacity(run_id: str, sort_key: str, weight: int, segment_bytes: int) -> int:
    """Return the weight at which a new segment closes, whose first operation adds `weight`.

    The item may fill the smallest multiple of `segment_bytes` that holds the first operation, less the size of another
    one like it. With 1,024 the whole item then stays within the write units that its elements need anyway.
    """
    fixed = _ITEM_OVERHEAD + len(run_id.encode()) + len(sort_key.encode()) + weight
    return max(1, -fixed % segment_bytes)


def split(sizes: Sequence[int], segment_bytes: int, *, small_head: bool = False) -> Iterator[tuple[slice, int]]:
    """Yield the parts of a long list of elements of these sizes, and each part's weight.

    The parts depend on the elements alone, not on the state of a list, so a repeated push_many has the same parts. With
    `small_head` the first part is only as large as closes any head: writers that do not know the tail pay for the
    head's size as long as the list lives.
    """
    most_bytes = PART_SEGMENTS * segment_bytes
    first = weight = 0
    for index, size in enumerate(sizes):
        more = element_weight(size)
        closes = small_head and first == 0 and weight >= segment_bytes
        if index > first and (closes or weight + more > most_bytes or index - first == MAX_PART_ELEMENTS):
            yield slice(first, index), weight
            first, weight = index, 0
        weight += more
    yield slice(first, len(sizes)), weight


def open_list(run_id: str, key: str, texts: tuple[str, ...], sizes: Sequence[int], segment_bytes: int) -> Item | None:
    """Return the head of a list that is set to these elements, or None if they do not fit an open head."""
    weight = sum(map(element_weight, sizes))
    limit = capacity(run_id, key, max(map(element_weight, sizes), default=0), segment_bytes)
    if not texts:  # the first push sets the capacity
        return Item(kind="list", set_id=new_set_id())
    if weight >= limit:
        return None
    return Item(kind="list", items=texts, length=len(texts), weight=weight, capacity=limit, set_id=new_set_id())


class Item(NamedTuple):
    """A head or a segment. A tuple, since reading a long list makes hundreds of them."""

    kind: Kind | None = None
    value: str = ""
    number: str = "0"
    items: tuple[str, ...] = ()
    length: int = 0
    chain: str = ""
    weight: int | None = None
    capacity: int = 0
    sealed: bool = False
    expires_at: int = NEVER
    set_id: str = ""
    n: int = 0
    receipts: Mapping[str, str] = MappingProxyType({})

    @property
    def closed(self) -> bool:
        """Whether it never changes again."""
        return self.weight is not None and self.weight >= self.capacity

    def expired(self, now: int) -> bool:
        """Whether it has expired. An expired item counts as absent, even before DynamoDB deletes it."""
        return self.expires_at <= now

    @property
    def total(self) -> str:
        """The running total at its end: a list's length, a counter's value."""
        return str(self.length) if self.kind == "list" else self.number

    @property
    def start(self) -> int:
        """The index of its first element in the whole list."""
        return self.length - len(self.items)


class Elements(NamedTuple):
    """What reading a list needs of a segment. Small, since a long list has hundreds of segments."""

    n: int
    items: list[str]
    start: int  # the index of its first element in the whole list
    length: int
    sealed: bool


def elements_from_wire(wire: Wire) -> Elements:
    """Return what `ELEMENTS` projects of a segment of a list."""
    items = [element["S"] for element in wire["items"]["L"]] if "items" in wire else []
    length = int(wire["length"]["N"]) if "length" in wire else 0
    return Elements(int(wire["key"]["S"][-_DIGITS:]), items, length - len(items), length, "sealed" in wire)


def from_wire(wire: Wire) -> Item:
    """Return the head or segment whose wire form, whole or projected, is `wire`."""
    if "kind" not in wire:
        return _from_projection(wire)
    weight, sort_key = wire.get("weight"), wire.get("key", _EMPTY)["S"]
    return Item(
        kind=wire.get("kind", _NULL).get("S"),
        value=wire.get("value", _EMPTY)["S"],
        number=wire.get("number", _ZERO)["N"],
        items=tuple(element["S"] for element in wire.get("items", _NONE)["L"]),
        length=int(wire.get("length", _ZERO)["N"]),
        chain=wire.get("chain", _EMPTY)["S"],
        weight=None if weight is None else int(weight["N"]),
        capacity=int(wire.get("capacity", _ZERO)["N"]),
        sealed="sealed" in wire,
        expires_at=int(wire.get("expires_at", _NEVER)["N"]),
        set_id=wire.get("set_id", _EMPTY)["S"],
        n=split_segment_key(sort_key)[2],
        receipts={name: result["N"] for name, result in wire.items() if name.startswith(RECEIPT_PREFIX)},
    )


def _from_projection(wire: Wire) -> Item:
    """Return an item that has the attributes by which long lists and keys are read: of those there are thousands."""
    return Item(
        items=tuple([element["S"] for element in wire["items"]["L"]]) if "items" in wire else (),
        length=int(wire["length"]["N"]) if "length" in wire else 0,
        sealed="sealed" in wire,
        expires_at=int(wire["expires_at"]["N"]) if "expires_at" in wire else NEVER,
        n=split_segment_key(wire["key"]["S"])[2] if "key" in wire else 0,
    )


def to_wire(item: Item) -> dict[str, dict[str, Any]]:
    """Return the attributes of a head or segment, without its keys and expires_at."""
    wire: dict[str, dict[str, Any]] = {"kind": {"S": item.kind}}
    if item.kind == "value":
        wire["value"] = {"S": item.value}
    elif item.kind == "number":
        wire["number"] = {"N": item.number}
    else:
        wire["items"] = {"L": strings(item.items)}
        wire["length"] = {"N": str(item.length)}
    if item.chain:
        wire["chain"] = {"S": item.chain}
    if item.set_id:
        wire["set_id"] = {"S": item.set_id}
    if item.weight is not None:
        wire["weight"] = {"N": str(item.weight)}
        wire["capacity"] = {"N": str(item.capacity)}
    return wire


def strings(texts: Iterable[str]) -> list[dict[str, str]]:
    """Return texts as the elements of a DynamoDB list."""
    return [{"S": text} for text in texts]


_EMPTY: Mapping[str, Any] = {"S": ""}
_ZERO: Mapping[str, Any] = {"N": "0"}
_NEVER: Mapping[str, Any] = {"N": str(NEVER)}
_NONE: Mapping[str, Any] = {"L": ()}
_NULL: Mapping[str, Any] = {}
