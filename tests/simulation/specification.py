"""What one key of a run is, in sequence: the specification that every history is held against."""

from dataclasses import dataclass
from typing import Any, TypeAlias

MISMATCH = "mismatch"  # the answer of a push to what is no list, of an increment of what is no number

State: TypeAlias = "tuple[str, Any] | None"  # None: not set; else the kind and its value
Receipts: TypeAlias = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Step:
    """One atomic change or look. `token` makes its repetition harmless until the key is set or deleted again."""

    name: str
    operand: Any = None
    token: str = ""


def kind_of(value: Any) -> str:
    """Return what a value is to push and increment."""
    if isinstance(value, (list, tuple)):
        return "list"
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else "value"


def plain(value: Any) -> Any:
    """Return a JSON value as something that can be compared and hashed."""
    if isinstance(value, (list, tuple)):
        return tuple(plain(element) for element in value)
    return tuple(sorted((name, plain(member)) for name, member in value.items())) if isinstance(value, dict) else value


def apply(state: State, step: Step) -> tuple[State, Any]:  # noqa: C901, PLR0911 one case for each operation
    """Return the state after a step, and the step's answer."""
    match step.name:
        case "set":
            return (kind_of(step.operand), plain(step.operand)), None
        case "setdefault":
            after = state or (kind_of(step.operand), plain(step.operand))
            return after, after
        case "delete":
            return None, None
        case "exists":
            return state, state is not None
        case "get":
            return state, state
        case "get_range":
            if state is not None and state[0] != "list":
                return state, MISMATCH
            start, limit = step.operand
            items = state[1] if state else ()
            return state, items[start:] if limit is None else items[start : start + limit]
        case "push":
            before = state or ("list", ())
            if before[0] != "list":
                return state, MISMATCH
            return ("list", before[1] + step.operand), len(before[1]) + len(step.operand)
        case "increment":
            before = state or ("number", 0)
            if before[0] != "number":
                return state, MISMATCH
            return ("number", before[1] + step.operand), before[1] + step.operand
    raise ValueError(step.name)


def apply_once(state: State, receipts: Receipts, step: Step) -> tuple[State, Receipts, Any]:
    """Return state, receipts and answer after a step whose token may have been used before."""
    for token, result in receipts if step.token else ():
        if token == step.token:
            return state, receipts, result
    after, result = apply(state, step)
    if step.name in ("set", "delete"):
        receipts = ((step.token, result),) if step.token else ()
    elif step.token and result != MISMATCH:
        receipts = tuple(sorted((*receipts, (step.token, result))))
    return after, receipts, result
