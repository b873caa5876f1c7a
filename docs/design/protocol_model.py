"""The per-key protocol as an executable model, checked over interleavings and faults.

    python docs/design/protocol_model.py            small programs exhaustively, then random ones
    python docs/design/protocol_model.py 20000      more random programs
    python docs/design/protocol_model.py --mutate   break the protocol on purpose; every break must be detected

The model has ONE key of ONE run. Each `yield` is one DynamoDB request and therefore atomic. A Query is not atomic: it
is modelled as one request per item, in sort-key order. Expiry and bytes are left to `tests/simulation`, which runs the
real package. `protocol.md` explains the protocol. The model is read in this order:

    protocol_append.py   the items of a key, push and increment
    protocol_model.py    get, set, setdefault, delete, complete
    protocol_world.py    the table, clients that take turns, faults, and the check of what the clients saw
    protocol_search.py   the programs that are searched, and the deliberate breaks
"""

from __future__ import annotations

import sys
from typing import Any

from protocol_append import (
    CAPACITY,
    HEAD,
    Append,
    ChainReplaced,
    Change,
    Routine,
    Row,
    TypeMismatch,
    Unavailable,
    Write,
    is_absent,
    is_closed,
    is_open,
    replaced_by,
    same_closed,
)

__all__ = ["TypeMismatch", "Unavailable", "start"]  # what the search needs

READS = 9  # how often a reader starts again when the key changes under it


def get() -> Routine:
    """Read the head and, when it is closed, its chain."""
    for _ in range(READS):
        head = yield "get", HEAD
        if head is None:
            return None
        if head["kind"] == "value":
            return "value", head["v"]
        try:
            rows = (yield from chain_of(head)) if is_closed(head) else []
        except ChainReplaced:
            continue
        if head["kind"] == "number":
            return "number", (rows or [head])[-1]["n"]
        items: list[Any] = []
        for row in (head, *rows):
            if row["length"] - len(row["items"]) != len(items):
                break  # a segment was filled while the Query ran: read again
            items += row["items"]
        else:
            return "list", tuple(items)
    raise Unavailable


def chain_of(head: Row) -> Routine:
    """Return the segments beyond a closed head; of a counter only the last."""
    rows: list[Row] = []
    counter, n = head["kind"] == "number", 0
    while True:
        n += 1
        found = yield "segment", head["chain"], n, counter
        if found is None:
            return rows
        if found[1].get("sealed"):
            present = yield "get", HEAD
            if present is None or present.get("chain") != head["chain"]:
                raise ChainReplaced
            return []  # the head was resurrected: what its chain holds beyond it is dead
        if not counter and found[0] != n:
            raise ChainReplaced
        rows.append(found[1])
        if counter:
            return rows


def new_head(value: Any, call: str) -> tuple[Row, list[Write]]:
    """Return the head that a set writes, and the segments of a list that does not fit an open one."""
    if isinstance(value, int):
        return {"kind": "number", "n": value, "origin": call}, []
    if not isinstance(value, list):
        return {"kind": "value", "v": value, "origin": call}, []
    head = {"kind": "list", "items": value, "length": len(value), "weight": len(value), "origin": call}
    if len(value) < CAPACITY:
        return head, []
    chain = ("chain", call)
    segments: list[Write] = []
    for n, start in enumerate(range(0, len(value), CAPACITY), 1):
        part = value[start : start + CAPACITY]
        row = {"kind": "list", "items": part, "length": start + len(part), "weight": CAPACITY, "chain": chain}
        segments.append((("seg", chain, n), replaced_by(row), is_absent))
    return head | {"items": [], "length": 0, "weight": CAPACITY, "chain": chain}, segments


def replace(value: Any, call: str, *, delete: bool = False) -> Routine:
    """Set (or delete): one conditional request for an open head, a transaction that seals the chain for a closed one.

    A long list is written segments first, the last one together with the head: no reader sees half of it, and a late
    copy of the request fails, because that segment exists.
    """
    new, segments = ({}, []) if delete else new_head(value, call)
    change = None if delete else replaced_by(new)
    for segment in segments[:-1]:
        yield "write", (segment[0], segment[1], lambda _: True)

    def not_mine(row: Row | None) -> bool:
        """A repeated set must not overwrite its own result, which others may have pushed to since."""
        return is_open(row) and (delete or row is None or row.get("origin") != call)

    while True:
        done, old = yield "write", (HEAD, change, not_mine), *segments[-1:]
        if done or (old or {}).get("origin", "") == call:
            return None
        if segments and (yield "get", segments[-1][0]) is not None:
            return None  # an earlier copy of this request has taken effect
        if not is_closed(old):
            continue
        done, _ = yield "write", *(yield from sealing(old, change)), *segments[-1:]
        if done:
            return None


def sealing(old: Row, change: Change | None) -> Routine:
    """Return the writes that replace a closed head and seal its chain's tail, so that no cached tail is ever used."""
    chain = old["chain"]

    def seal(row: Row) -> None:
        row["sealed"] = True

    def unsealed_tail(row: Row | None) -> bool:
        return row is not None and is_open(row) and not row.get("sealed")

    head = (HEAD, change, same_closed(chain))
    tail = yield "segment", chain, 1, True
    if tail is not None and tail[1].get("sealed"):
        return [head]  # someone has just replaced this head, or it was resurrected and its chain needs no second seal
    if tail is None or is_closed(tail[1]):  # a stub where the next segment would go
        return [head, (("seg", chain, tail[0] + 1 if tail else 1), seal, is_absent)]
    return [head, (("seg", chain, tail[0]), seal, unsealed_tail)]


def setdefault(value: Any, call: str) -> Routine:
    """Write only if the key is not set; return what it holds afterwards."""
    new, segments = new_head(value, call)
    for segment in segments[:-1]:
        yield "write", (segment[0], segment[1], lambda _: True)
    while True:
        done, _ = yield "write", (HEAD, replaced_by(new), is_absent), *segments[-1:]
        if done:
            return new["kind"], tuple(value) if isinstance(value, list) else value
        found = yield from get()
        if found is not None:
            return found
        if segments:  # written, and deleted since: begin again under another chain
            return (yield from setdefault(value, f"{call}+"))


def complete() -> Routine:
    """Delete whatever is there, until nothing is."""
    while True:
        key = yield ("any_key",)
        if key is None:
            return None
        yield "write", (key, None, lambda _: True)


def start(op: tuple[Any, ...], call: str, tail: Row) -> Routine:
    """Return the routine of an operation: a name and its arguments."""
    name, *arguments = op
    operand, token = (*arguments, None, None)[:2]
    if name in {"push", "inc"}:
        return Append("list" if name == "push" else "number", operand, token, call, tail).run()
    if name == "set":
        return replace(operand, call)
    if name == "delete":
        return replace(None, call, delete=True)
    return setdefault(operand, call) if name == "setdefault" else {"get": get, "complete": complete}[name]()


if __name__ == "__main__":
    import protocol_search

    sys.exit(protocol_search.main(sys.argv[1:]))
