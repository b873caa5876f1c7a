"""The arguments of each operation, checked: the same for every implementation of the store.

Each function raises InvalidRequestError or one of its kind, or CounterRangeError, before anything is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore.model import expressions, items, values
from runstore.model.identifiers import check_token

if TYPE_CHECKING:
    from typing import Any

    from runstore.settings import Settings


@dataclass(frozen=True, slots=True)
class ListValue:
    """A list to be set: its elements' JSON texts and their sizes in bytes."""

    texts: tuple[str, ...]
    sizes: list[int]


@dataclass(frozen=True, slots=True)
class Part:
    """One request of push_many: the change, and the index of its first item."""

    first: int
    change: expressions.Change


def set_value(value: Any, settings: Settings) -> items.Item | ListValue:
    """Return the head that holds `value`, or the list to be set."""
    limit = settings.max_value_bytes
    if isinstance(value, (list, tuple)):
        texts, sizes = _split(values.encode_list(value, "value", limit))
        size = sum(sizes) + max(1, len(sizes)) + 1  # with its commas and brackets
        if size > limit:
            raise values.too_large("value", size, limit)
        return ListValue(texts, sizes)
    text, _ = values.encode(value, "value", limit)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = values.encode_number(value)
        if number is not None:
            return items.Item(kind="number", number=number, set_id=items.new_set_id())
    return items.Item(kind="value", value=text)


def token_name(token: Any) -> str | None:
    """Return a caller's token as a plain string, or None if there is none."""
    return None if token is None else check_token(token)


def derived_token(token: str, number: int) -> str:
    """Return the token of the n-th operation of an `apply`.

    It can be neither a caller's token, which has no control characters, nor that of a part of push_many, which has no
    record separator unless it is derived from this one.
    """
    return f"{token}{items.RECORD_SEPARATOR}{number}"


def push(item: Any, token: str | None, settings: Settings) -> expressions.Change:
    """Return the change that appends one item."""
    digest = _digest(token)
    text, size = values.encode(item, "item", settings.max_value_bytes)
    return _push((text,), items.element_weight(size), digest)


def push_many(elements: Any, token: str | None, settings: Settings) -> tuple[int, list[Part]]:
    """Return the number of items, and the changes that append them in order."""
    texts, sizes = _split(values.encode_list(elements, "items", settings.max_value_bytes))
    parts = []
    for number, (part, weight) in enumerate(items.split(sizes, settings.segment_bytes, small_head=True)):
        digest = None if token is None else items.token_digest(f"{token}{items.UNIT_SEPARATOR}{number}")
        parts.append(Part(part.start, _push(texts[part], weight, digest)))
    return len(texts), parts


def increment(delta: Any, token: str | None) -> expressions.Change:
    """Return the change that adds `delta`."""
    digest = _digest(token)
    receipt = items.RECEIPT_PREFIX + digest if digest else None
    return expressions.increment(values.encode_delta(delta), receipt, digest)


def get_range(start: Any, limit: Any) -> tuple[int, int | None]:
    """Return the index of the first element, and the index to stop before; None: the end of the list."""
    start = values.check_count("start", start)
    return start, None if limit is None else start + values.check_count("limit", limit)


def _push(texts: tuple[str, ...], weight: int, digest: str | None) -> expressions.Change:
    receipt = items.RECEIPT_PREFIX + digest if digest else items.call_receipt()
    return expressions.push(texts, weight, receipt, digest)


def _digest(token: str | None) -> str | None:
    return None if token is None else items.token_digest(token)


def _split(encoded: list[tuple[str, int]]) -> tuple[tuple[str, ...], list[int]]:
    """Return the texts and the sizes of encoded elements."""
    return tuple(text for text, _ in encoded), [size for _, size in encoded]
