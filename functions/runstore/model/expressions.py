"""Condition and update expressions, each with the race it prevents.

Attribute names go through placeholders (`#name`): `key`, `value`, `items` and more are reserved words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from runstore.model.items import Kind, capacity, receipt_weight, strings

if TYPE_CHECKING:
    from typing import Any

# ---------------------------------------------------------------------------------------------- conditions

# The item does not exist: of two writers that both found it missing, one creates it.
ABSENT = "attribute_not_exists(#run_id)"

# Open. A closed item never changes again. Only items that hold receipts or elements have a weight.
OPEN = "(attribute_not_exists(#weight) OR #weight < #capacity)"

# Closed, and still the head that was read: another writer's reset or new chain is not replaced by mistake.
SAME_CLOSED_HEAD = "#chain = :chain AND #weight >= #capacity"

# Expired at write time; false if someone renewed the item meanwhile.
EXPIRED = "#expires_at <= :now"

# The key is not set, and can be written without sealing a chain: `setdefault` loses to the writer that was first.
NOT_SET = f"attribute_not_exists(#run_id) OR ({EXPIRED} AND {OPEN})"

# The chain's open tail. Once it is sealed, a writer with a cached tail cannot append behind the reset.
UNSEALED_TAIL = f"attribute_exists(#run_id) AND {OPEN} AND attribute_not_exists(#sealed)"

# No receipt of the same token, or of an earlier attempt of the same request: it has not taken effect yet.
_NOT_YET_APPLIED = "attribute_not_exists(#receipt)"

# An open item of the operation's kind. Anything else is examined before it is written to.
_SAME_KIND = f"#kind = :kind AND {OPEN}"

# A retried `set` must not overwrite its own result, which others may have pushed to since.
NOT_MINE = f"{OPEN} AND (attribute_not_exists(#set_id) OR #set_id <> :set_id)"

SEAL = "SET #sealed = :true, #expires_at = :expires_at"

# A status change applies until a newer one: an older event, or the same one again, changes nothing. What was written
# after the event expires later, and stays as it is; the mark does not say so, because a write keeps it.
RETIREMENT_DUE = (
    "attribute_exists(#run_id) AND (attribute_not_exists(#retired) OR #retired < :event) "
    "AND #expires_at <= :latest_expiry"
)
RETIRE = "SET #expires_at = :expires_at, #retired = :event"


# ---------------------------------------------------------------------------------------------- push and increment


@dataclass(frozen=True, slots=True)
class Change:
    """What a push or an increment does to a segment.

    `operand` is the elements' JSON texts, or the delta. `receipt` is the attribute that records the result. A change
    without one leaves no trace of having taken effect, so it is never sent twice.
    """

    kind: Kind
    operand: tuple[str, ...] | str
    weight: int
    receipt: str | None
    digest: str | None = None  # of the caller's token


def push(texts: tuple[str, ...], weight: int, receipt: str, digest: str | None) -> Change:
    """Return the change that appends elements of a total `weight`."""
    return Change("list", texts, weight + receipt_weight(receipt), receipt, digest)


def increment(delta: str, receipt: str | None, digest: str | None) -> Change:
    """Return the change that adds `delta`."""
    return Change("number", delta, receipt_weight(receipt), receipt, digest)


# `length` is kept because size() is not allowed in an update; the receipt is set from the same old value.
_PUSH = (
    "SET #items = list_append(if_not_exists(#items, :none), :operand), "
    "#length = if_not_exists(#length, :base) + :count, "
    "#receipt = if_not_exists(#length, :base) + :count, #kind = :kind, #chain = if_not_exists(#chain, :chain), "
    "#capacity = if_not_exists(#capacity, :capacity), #expires_at = :expires_at ADD #weight :weight"
)
_INCREMENT_WITH_RECEIPT = (
    "SET #number = if_not_exists(#number, :base) + :operand, #receipt = if_not_exists(#number, :base) + :operand, "
    "#kind = :kind, #chain = if_not_exists(#chain, :chain), #capacity = if_not_exists(#capacity, :capacity), "
    "#expires_at = :expires_at ADD #weight :weight"
)
_INCREMENT_SEGMENT = (  # a segment that this increment may create: it continues from the total before it
    "SET #number = if_not_exists(#number, :base) + :operand, #kind = :kind, #chain = if_not_exists(#chain, :chain), "
    "#capacity = if_not_exists(#capacity, :capacity), #expires_at = :expires_at ADD #weight :weight"
)
# A head that a retried request wrote again after a reset still names the sealed chain: it gets a new one.
NEW_CHAIN = "SET #chain = :new, #expires_at = :expires_at"

# Large elements go beyond the head, which is closed for them. A late attempt may close a newer head early.
CLOSE_HEAD = (
    "SET #capacity = :zero, #weight = if_not_exists(#weight, :zero), #chain = if_not_exists(#chain, :chain), "
    "#items = if_not_exists(#items, :none), #length = if_not_exists(#length, :zero)"
)

_INCREMENT_HEAD = "SET #kind = :kind, #expires_at = :expires_at ADD #number :operand"


@dataclass(frozen=True, slots=True)
class Target:
    """The segment that a change is applied to: its sort key, and what it starts from if it does not exist yet."""

    run_id: str
    sort_key: str
    chain: str
    base: str | None  # the running total before it; None: the segment must exist
    head: bool
    segment_bytes: int


def append(change: Change, target: Target, now: int, expires_at: int) -> dict[str, Any]:
    """Return the UpdateItem parameters, beside table and key, that apply `change` to `target`.

    Only a writer that knows the total before a missing segment creates it. An expired head is never written to: it is
    removed first.
    """
    condition = _SAME_KIND
    if change.receipt:
        condition += f" AND {_NOT_YET_APPLIED}"
    values: dict[str, dict[str, Any]] = {":kind": {"S": change.kind}, ":expires_at": {"N": str(expires_at)}}
    if target.head:
        condition += " AND NOT " + EXPIRED
        values[":now"] = {"N": str(now)}
    else:
        condition += " AND attribute_not_exists(#sealed)"
    if target.base is not None:
        condition = f"{ABSENT} OR ({condition})"

    if change.kind == "list":
        update = _PUSH
        values |= {
            ":operand": {"L": strings(change.operand)},
            ":none": {"L": []},
            ":count": _number(len(change.operand)),
        }
    else:
        values[":operand"] = {"N": change.operand}
        update = _INCREMENT_WITH_RECEIPT if change.receipt else _INCREMENT_HEAD if target.head else _INCREMENT_SEGMENT
    if update is not _INCREMENT_HEAD:
        values |= {
            ":base": {"N": target.base or "0"},
            ":chain": {"S": target.chain},
            ":weight": _number(change.weight),
            ":capacity": _number(capacity(target.run_id, target.sort_key, change.weight, target.segment_bytes)),
        }
    return {
        "UpdateExpression": update,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": attribute_names(update, condition)
        | ({"#receipt": change.receipt} if change.receipt else {}),
        "ExpressionAttributeValues": values,
    }


def close_head(change: Change, chain: str, now: int) -> dict[str, Any]:
    """Return the UpdateItem parameters, beside table and key, that close an open head of the change's kind."""
    condition = f"attribute_exists(#run_id) AND {_SAME_KIND} AND {_NOT_YET_APPLIED} AND NOT {EXPIRED}"
    return {
        "UpdateExpression": CLOSE_HEAD,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": attribute_names(CLOSE_HEAD, condition) | {"#receipt": change.receipt or ""},
        "ExpressionAttributeValues": {
            ":kind": {"S": change.kind},
            ":now": {"N": str(now)},
            ":zero": {"N": "0"},
            ":none": {"L": []},
            ":chain": {"S": chain},
        },
    }


# ---------------------------------------------------------------------------------------------- placeholders

_PLACEHOLDER = re.compile(r"#(\w+)")


def attribute_names(*expressions: str) -> dict[str, str]:
    """Return the attribute names behind the placeholders that the expressions use."""
    return dict(_names(expressions))


@lru_cache(maxsize=256)
def _names(expressions: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((f"#{name}", name) for name in dict.fromkeys(_PLACEHOLDER.findall(" ".join(expressions))))


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}
