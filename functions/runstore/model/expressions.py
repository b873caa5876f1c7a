"""Every condition and update that the store sends, each with the race that it closes.

Attribute names go through placeholders (`#name`): `key`, `value`, `items` and more are reserved words.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore.model.items import Kind, capacity, receipt_weight, strings

if TYPE_CHECKING:
    from typing import Any

# ---------------------------------------------------------------------------------------------- conditions

# Nobody has begun this item: two writers that both found it missing cannot both make it.
ABSENT = "attribute_not_exists(#run_id)"

# A closed item is final. An item has a weight only once receipts or elements count towards its capacity.
OPEN = "(attribute_not_exists(#weight) OR #weight < #capacity)"

# Closed and still the head that was read: somebody else's reset, or a new chain, is not replaced by mistake.
SAME_CLOSED_HEAD = "#chain = :chain AND #weight >= #capacity"

# The time is over for this item, also at the moment of the write: a writer that has renewed it keeps it.
EXPIRED = "#expires_at <= :now"

# The chain's open tail: once sealed, a writer that remembers it can never append behind the reset.
UNSEALED_TAIL = f"attribute_exists(#run_id) AND {OPEN} AND attribute_not_exists(#sealed)"

# A receipt of the same token, or of the same request sent before, means that it has taken effect already.
_NOT_YET_APPLIED = "attribute_not_exists(#receipt)"

# What an operation adds to: an open item of its kind. Anything else is looked at before it is touched.
_SAME_KIND = f"#kind = :kind AND {OPEN}"

# A `set` that is sent again meets the head that it wrote itself, perhaps pushed to since: it must not write it anew.
NOT_MINE = f"{OPEN} AND (attribute_not_exists(#origin) OR #origin <> :origin)"

SEAL = "SET #sealed = :true, #expires_at = :expires_at"

# What a run's end, or its redrive, has set counts until a newer event: neither an older one nor the same once more
# changes it. And what was written after the event is left alone.
NOT_YET_RETIRED = "attribute_exists(#run_id) AND (attribute_not_exists(#retired) OR #retired < :event)"
WRITTEN_BEFORE = f"{NOT_YET_RETIRED} AND (attribute_exists(#retired) OR #expires_at <= :before)"
RETIRE = "SET #expires_at = :expires_at, #retired = :event"


# ---------------------------------------------------------------------------------------------- push and increment


@dataclass(frozen=True, slots=True)
class Change:
    """What a push or an increment does to the segment that takes it.

    `operand` is the elements' JSON texts, or the delta. `receipt` is the attribute that records the result; without one
    nothing tells that it has taken effect, and it is never sent twice.
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
_INCREMENT_SEGMENT = (  # a segment of a counter that this increment may begin: it needs its base
    "SET #number = if_not_exists(#number, :base) + :operand, #kind = :kind, #chain = if_not_exists(#chain, :chain), "
    "#capacity = if_not_exists(#capacity, :capacity), #expires_at = :expires_at ADD #weight :weight"
)
# A head that a re-sent request made anew still names the chain that was sealed when its key was reset.
NEW_CHAIN = "SET #chain = :new, #expires_at = :expires_at"

_INCREMENT_HEAD = "SET #kind = :kind, #expires_at = :expires_at ADD #number :operand"


@dataclass(frozen=True, slots=True)
class Target:
    """The segment that a change is applied to: its sort key, and what it begins with if it is not there yet."""

    run_id: str
    sort_key: str
    chain: str
    base: str | None  # the running total before it; None: it must exist
    head: bool
    segment_bytes: int


def append(change: Change, target: Target, now: int, expires_at: int) -> "dict[str, Any]":
    """Return the UpdateItem parameters, beside table and key, that apply `change` to `target`.

    A missing item is begun only by who knows the total before it. An expired head takes nothing: it is removed first.
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
        "ExpressionAttributeNames": names(update, condition) | ({"#receipt": change.receipt} if change.receipt else {}),
        "ExpressionAttributeValues": values,
    }


# ---------------------------------------------------------------------------------------------- placeholders

_PLACEHOLDER = re.compile(r"#(\w+)")


def names(*expressions: str) -> dict[str, str]:
    """Return the attribute names behind the placeholders that the expressions use."""
    return {f"#{name}": name for name in _PLACEHOLDER.findall(" ".join(expressions))}


def _number(value: int) -> "dict[str, str]":
    return {"N": str(value)}
