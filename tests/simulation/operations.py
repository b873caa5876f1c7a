"""What simulated clients do: operations on a RunStore, and what each means to the specification."""

import json
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from runstore import KeyTypeMismatchError, RunStore
from runstore.model import items
from tests.simulation.specification import MISMATCH, State, Step, kind_of, plain

KEYS = "keys"
SNAPSHOT = "snapshot"
COMPLETE = "complete"
SWEEP = "sweep"  # not of the store: DynamoDB deletes what has expired
_ABSENT = object()


@dataclass(frozen=True)
class Op:
    """One call of a RunStore's method. `operand` is the item, the items, the delta, the value, or (start, limit)."""

    name: str
    operand: Any = None
    token: str | None = None
    key: str = "k"

    @property
    def counts_plainly(self) -> bool:
        """Whether this is an increment without a token, which is never sent again."""
        return self.name == "increment" and not self.token

    @override
    def __repr__(self) -> str:
        """Show the call as a user would write it."""
        key = [] if self.name in {COMPLETE, KEYS, SNAPSHOT, SWEEP} else [repr(self.key)]
        operand = [repr(self.operand)] if self.operand is not None else []
        token = [f"token={self.token!r}"] if self.token else []
        return f"{self.name}({', '.join(key + operand + token)})"


def perform(store: RunStore, op: Op) -> Any:  # noqa: C901, PLR0911, PLR0912 one case for each operation
    """Carry an operation out; MISMATCH stands for KeyTypeMismatchError."""
    try:
        match op.name:
            case "get":
                return seen(store.get(op.key, _ABSENT))
            case "get_range":
                start, limit = op.operand
                return plain(store.get_range(op.key, start, limit))
            case "set":
                return store.set(op.key, op.operand)
            case "delete":
                return store.delete(op.key)
            case "setdefault":
                return seen(store.setdefault(op.key, op.operand))
            case "apply":
                pushes = [{"do": "push", "key": op.key, "item": item} for item in op.operand]
                return store.apply(pushes, token=op.token)[-1]["length"]
            case "push":
                return store.push(op.key, op.operand, token=op.token)
            case "push_many":
                return store.push_many(op.key, op.operand, token=op.token)
            case "increment":
                return store.increment(op.key, op.operand, token=op.token)
            case "keys":
                return tuple(store.keys())
            case "snapshot":
                return {key: seen(value) for key, value in store.snapshot().items()}
            case "complete":
                return store.complete()
    except KeyTypeMismatchError:
        return MISMATCH
    raise ValueError(op.name)


def seen(value: Any) -> State:
    """Return what a get tells about the state."""
    return None if value is _ABSENT else (kind_of(value), plain(value))


def steps(op: Op, call: str, parts: list[list[Any]] | None) -> tuple[Step, ...]:
    """Return what an operation does to its key, one atomic step after the other.

    Args:
        op: the operation.
        call: a name for this call; it stands in for the token where the caller gave none.
        parts: how push_many splits its items, which it does by the items alone.
    """
    token = op.token or (call if op.name in {"push", "push_many", "set"} else "")
    if op.name == "push":
        return (Step("push", (plain(op.operand),), token),)
    if op.name == "apply":
        return tuple(Step("push", (plain(item),), f"{token}@{i}") for i, item in enumerate(op.operand))
    if op.name == "push_many":
        return tuple(Step("push", plain(part), f"{token}#{i}") for i, part in enumerate(parts or [op.operand]))
    return (Step(op.name, op.operand, token),)


def parts_of(elements: list[Any], segment_bytes: int) -> list[list[Any]]:
    """Return how push_many splits its items."""
    sizes = [len(json.dumps(element)) for element in elements]
    return [elements[part] for part, _ in items.split(sizes, segment_bytes, small_head=True)]


def fits_head(key: str, elements: list[Any], segment_bytes: int) -> bool:
    """Return whether a list that is set goes into a head."""
    texts = tuple(json.dumps(element) for element in elements)
    return items.open_list("run", key, texts, [*map(len, texts)], segment_bytes) is not None
