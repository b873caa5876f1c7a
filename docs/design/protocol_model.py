"""The per-key protocol as an executable model, checked over interleavings and faults.

    python docs/design/protocol_model.py            small programs exhaustively, then random ones
    python docs/design/protocol_model.py 20000      more random programs
    python docs/design/protocol_model.py --mutate   break the protocol on purpose; every break must be detected

The model has ONE key of ONE run. Each `yield` is one DynamoDB request and therefore atomic. A Query is not atomic: it
is modelled as one request per item, in sort-key order. `protocol.md` explains the protocol; `protocol_search.py`
schedules the clients, injects faults and checks the outcomes. Expiry and bytes are left to `tests/simulation`, which
runs the real package.

Items of the key:

    head     ("head",)                kind list|number|value; the first segment of its chain
    segment  ("seg", chain, n)        n >= 1, the later segments of a list or counter
    intent   ("intent", chain, token) the segment from which a token's attempts must look for its receipt

A segment whose `weight` has reached CAPACITY is closed and never changes again, so segments are filled one after the
other. `length` (lists) and `n` (counters) are running totals over the chain. `receipts` maps a token, or the id of a
call without one, to the result of the operation.
"""

from __future__ import annotations

import copy
import itertools
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

CAPACITY = 2  # weight at which a segment closes: bytes in the package, elements and receipts here
HEAD = ("head",)
READS = 9  # how often a reader starts again when the key changes under it

Row = dict[str, Any]
Key = tuple[Any, ...]
Request = tuple[Any, ...]
Routine = Generator[Request, Any, Any]
Condition = Callable[[Row | None], bool]
Change = Callable[[Row], None]


class TypeMismatch(Exception):  # noqa: N818 KeyTypeMismatchError in the package
    """The key holds another kind than the operation needs."""


class Unavailable(Exception):  # noqa: N818 UnavailableError in the package
    """A transient error: try again."""


class ChainReplaced(Exception):  # noqa: N818 control flow, as in the package
    """The chain was reset or completed meanwhile: start again at the head."""


class Table:
    """DynamoDB: conditional single-item requests, a transaction, and reads."""

    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}

    def get(self, key: Key) -> Row | None:
        """GetItem."""
        return copy.deepcopy(self.rows.get(key))

    def segment(self, chain: Key, at_least: int = 1, *, last: bool = False) -> tuple[int, Row] | None:
        """Return the first item of a Query over a chain, or with `last` of a descending one."""
        found = sorted(key for key in self.rows if key[:2] == ("seg", chain) and key[2] >= at_least)
        if not found:
            return None
        key = found[-1] if last else found[0]
        return key[2], copy.deepcopy(self.rows[key])

    def any_key(self) -> Key | None:
        """Return one key of those that are there; a completion works through all of them."""
        return min(self.rows, key=str, default=None)

    def write(self, *writes: tuple[Key, Change | None, Condition]) -> tuple[bool, Row | None]:
        """Write all or nothing; a change of None deletes.

        Returns whether it was done, and the first item: the new one, or the one that the condition met (ALL_OLD).
        """
        first = writes[0][0]
        if not all(condition(self.rows.get(key)) for key, _, condition in writes):
            return False, self.get(first)
        for key, change, _ in writes:
            if change is None:
                self.rows.pop(key, None)
            else:
                change(self.rows.setdefault(key, {}))
        return True, self.get(first)


def is_closed(row: Row | None) -> bool:
    """A closed item is final."""
    return row is not None and row.get("weight", 0) >= CAPACITY


def is_open(row: Row | None) -> bool:
    """Absent, or not closed."""
    return not is_closed(row)


def is_absent(row: Row | None) -> bool:
    """Two writers that both found the item missing cannot both create it."""
    return row is None


def total(row: Row) -> Any:
    """Return the running total at the end of a segment."""
    return row["length"] if row["kind"] == "list" else row["n"]


def replaced_by(new: Row) -> Change:
    """Return the change of a PutItem."""

    def change(row: Row) -> None:
        row.clear()
        row.update(copy.deepcopy(new))

    return change


# ---------------------------------------------------------------------------------------------- push and increment


class Target(NamedTuple):
    """The segment to write to next. `base`, the total before it, is known only to a writer that may create it."""

    n: int
    base: Any = None


@dataclass
class Append:
    """One push (kind "list") or increment (kind "number"). `tail` is what this client caches about the key."""

    kind: str
    operand: Any
    token: str | None
    call: str
    tail: Row
    chain: Key = ()
    sealed_chain: Key | None = None
    attempts: int = 0

    @property
    def receipt(self) -> str | None:
        """Every push leaves a receipt, so sending it again is harmless. A plain increment leaves none."""
        return self.token or (self.call if self.kind == "list" else None)

    def run(self) -> Routine:
        """Try the head; only when it is closed does anything else begin."""
        while True:
            try:
                target = yield from (self.try_cached_tail() if self.tail else self.try_head())
                while isinstance(target, Target):
                    target = yield from self.write(target)
            except ChainReplaced:
                self.tail.clear()
            else:
                return target

    def try_head(self) -> Routine:
        """One request, and all there is to do while the head is open."""
        self.attempts += 1
        done, head = yield self.addition(HEAD, ("chain", self.call, self.attempts), 0)
        if done:
            return total(head)
        result = self.result_in(head)
        if result is not None:
            return result
        if head["kind"] != self.kind:
            raise TypeMismatch
        if not is_closed(head):
            raise ChainReplaced
        if head["chain"] == self.sealed_chain:
            yield from self.rekey_resurrected_head()
        self.chain = head["chain"]
        tail = yield "segment", self.chain, 1, True
        return (yield from self.write_intent(self.after(tail or (0, head)), head))

    def try_cached_tail(self) -> Routine:
        """Go to the cached tail. A closed one is asked for first, unless the head shows that its chain still lives."""
        self.chain, n, known, closed = (self.tail[name] for name in ("chain", "n", "total", "closed"))
        head = None
        if self.token:  # a receipt counts only in the present chain
            head = yield "get", HEAD
            if head is None or head.get("chain") != self.chain:
                raise ChainReplaced
            result = self.result_in(head)
            if result is not None:
                return result
            if head["kind"] != self.kind:
                raise TypeMismatch
        if closed and head is None:
            tail = yield "segment", self.chain, n, True
            return self.after(tail)
        return (yield from self.write_intent(Target(n + 1, known) if closed else Target(n), head))

    def after(self, tail: tuple[int, Row] | None) -> Target:
        """Return the target that follows from a chain's last segment."""
        if tail is None or tail[1].get("sealed"):
            self.sealed_chain = self.chain if tail else None
            raise ChainReplaced
        n, row = tail
        if row["kind"] != self.kind:
            raise TypeMismatch
        return Target(n + 1, total(row)) if is_closed(row) else Target(n)

    def write_intent(self, target: Target, head: Row | None) -> Routine:
        """A token's first attempt finds the tail, THEN writes its intent: the token cannot be before that segment."""
        if not self.token or head is None:
            return target
        known = target.n if target.base is None else target.n - 1
        intent = ("intent", self.chain, self.token)
        fresh, row = yield "write", (intent, replaced_by({"from": known}), is_absent)
        if fresh:
            return target
        return (yield from self.find_receipt(row["from"], (0, head)))

    def find_receipt(self, n: int, before: tuple[int, Row]) -> Routine:
        """Read from segment `n` on, to the end of the chain; `before` is the last segment that is known."""
        last = None
        for at in itertools.count(max(n, 1)):
            found = yield "segment", self.chain, at, False
            if found is None:
                break
            result = self.result_in(found[1])
            if result is not None:
                return result
            last = found
            if is_open(found[1]):
                break
        if last is None and before[0] != max(n, 1) - 1:
            return (yield from self.find_receipt(0, before))  # left behind by a straggler of a completed run
        return self.after(last or before)

    def write(self, target: Target) -> Routine:
        """Write to a segment; if it was closed meanwhile return the next target."""
        done, row = yield self.addition(("seg", self.chain, target.n), self.chain, target.base)
        if row is None or row.get("sealed"):
            self.sealed_chain = self.chain if row else None
            raise ChainReplaced
        if done:
            self.tail.update(chain=self.chain, n=target.n, total=total(row), closed=is_closed(row))
            return total(row)
        result = self.result_in(row)
        if result is not None:
            return result
        if self.token:  # closed, hence final, and without the token: look at what comes after it
            return (yield from self.find_receipt(target.n + 1, (target.n, row)))
        tail = yield "segment", self.chain, target.n, True
        return self.after(tail)

    def rekey_resurrected_head(self) -> Routine:
        """Give a head another chain whose own chain was sealed: a late request has created this head a second time."""
        chain, new = self.sealed_chain, ("chain", self.call, "again", self.attempts)

        def same(row: Row | None) -> bool:
            return is_closed(row) and row is not None and row["chain"] == chain

        yield "write", (HEAD, lambda row: row.update(chain=new), same)
        raise ChainReplaced

    def result_in(self, row: Row) -> Any:
        """Return the result that an earlier attempt has left in this item."""
        return row.get("receipts", {}).get(self.receipt)

    def addition(self, key: Key, chain: Key, base: Any) -> Request:
        """Return the UpdateItem that adds the operand; only with a base may it create the item."""

        def change(row: Row) -> None:
            row["kind"] = self.kind
            row.setdefault("chain", chain)
            if self.kind == "list":
                row["items"] = [*row.get("items", []), self.operand]
                row["length"] = row.get("length", base) + 1
            else:
                row["n"] = row.get("n", base) + self.operand
            row["weight"] = row.get("weight", 0) + (1 if self.receipt else 0)
            if self.receipt:
                row["receipts"] = row.get("receipts", {}) | {self.receipt: total(row)}

        def condition(row: Row | None) -> bool:
            if row is None:
                return base is not None
            mine = row.get("kind") == self.kind and is_open(row) and not row.get("sealed")
            return mine and self.receipt not in row.get("receipts", {})

        return "write", (key, change, condition)


# ---------------------------------------------------------------------------------------------- get


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
    counter = head["kind"] == "number"
    for n in itertools.count(1):
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
    return None  # pragma: no cover - count() has no end


# ---------------------------------------------------------------------------------------------- set and delete

Write = tuple[Key, Change | None, Condition]


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

    A long list is written segments first, the last one together with the head: nobody sees half of it, and a late
    copy of the request finds that segment in its way.
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

    def same(row: Row | None) -> bool:
        return is_closed(row) and row is not None and row["chain"] == chain

    def seal(row: Row) -> None:
        row["sealed"] = True

    def unsealed_tail(row: Row | None) -> bool:
        return row is not None and is_open(row) and not row.get("sealed")

    head = (HEAD, change, same)
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


def start(op: Request, call: str, tail: Row) -> Routine:
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
