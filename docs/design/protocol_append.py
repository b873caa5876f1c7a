"""Push and increment in the model of the per-key protocol, and the words that the whole model shares.

Items of the key:

    head     ("head",)                kind list|number|value; the first item of its chain
    segment  ("seg", chain, n)        n >= 1, the later items of a list or counter
    intent   ("intent", chain, token) the segment from which a token's attempts must look for its receipt

An item whose `weight` has reached CAPACITY is closed and never changes again, so segments are filled one after the
other. `length` (lists) and `n` (counters) are running totals over the chain. `receipts` maps a token, or the id of a
call without one, to the result of the operation. `origin` is the id of the `set` that wrote a head.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

CAPACITY = 2  # weight at which an item closes: bytes in the package, elements and receipts here
HEAD = ("head",)

Row = dict[str, Any]
Key = tuple[Any, ...]
Routine = Generator[tuple[Any, ...], Any, Any]
Condition = Callable[[Row | None], bool]
Change = Callable[[Row], None]
Write = tuple[Key, Change | None, Condition]  # a change of None deletes
Found = tuple[int, Row]  # a segment's number, and the segment; number 0 is the head


class TypeMismatch(Exception):  # noqa: N818 KeyTypeMismatchError in the package
    """The key holds another kind than the operation needs."""


class Unavailable(Exception):  # noqa: N818 UnavailableError in the package
    """A transient error: try again."""


class ChainReplaced(Exception):  # noqa: N818 control flow, as in the package
    """The chain was reset, or its run completed, during the operation: start again at the head."""


def is_closed(row: Row | None) -> bool:
    """A closed item is final."""
    return row is not None and row.get("weight", 0) >= CAPACITY


def is_open(row: Row | None) -> bool:
    """Absent, or not closed."""
    return not is_closed(row)


def is_absent(row: Row | None) -> bool:
    """Two writers that both found the item missing cannot both create it."""
    return row is None


def same_closed(chain: Any) -> Condition:
    """Return the condition that the head is closed and still names this chain."""
    return lambda row: is_closed(row) and row is not None and row["chain"] == chain


def is_large(operand: Any) -> bool:
    """Whether an element is too large for a head."""
    return str(operand).startswith("large")


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
        chain = ("chain", self.call, self.attempts)
        if is_large(self.operand):
            return (yield from self.begin_beyond_head(chain))
        done, head = yield self.addition(HEAD, chain, 0)
        return total(head) if done else (yield from self.pass_head(head))

    def pass_head(self, head: Row) -> Routine:
        """Return where to go from a head that was not written to."""
        result = self.result_or_mismatch(head)
        if result is not None:
            return result
        if not is_closed(head):
            raise ChainReplaced
        if head["chain"] == self.sealed_chain:
            yield from self.rekey_resurrected_head()
        self.chain = head["chain"]
        if self.token:
            intent = yield "get", ("intent", self.chain, self.token)
            if intent is not None:
                return (yield from self.find_receipt(intent["from"], (0, head)))
        tail = yield "segment", self.chain, 1, True
        return (yield from self.write_intent(self.after(tail or (0, head)), head))

    def begin_beyond_head(self, chain: Key) -> Routine:
        """Close the head, so that a large element goes into the chain; begin the list if there is none."""

        def close(row: Row) -> None:
            row["weight"] = CAPACITY
            row.setdefault("chain", chain)

        done, head = yield "write", (HEAD, close, lambda row: self.is_welcome(row, None))
        if head is None:
            return (yield from self.begin_chain(chain))
        if not done:
            return (yield from self.pass_head(head))
        self.chain = head["chain"]
        return (yield from self.write_intent(Target(1, total(head)), head))

    def begin_chain(self, chain: Key) -> Routine:
        """Write an empty closed head and the first segment; a late copy of this finds that segment in its way."""
        head = {"kind": "list", "items": [], "length": 0, "weight": CAPACITY, "chain": chain}
        first = {**head, "items": [self.operand], "length": 1, "receipts": {self.receipt: 1}}
        segment = ("seg", chain, 1)
        writes: list[Write] = [(HEAD, replaced_by(head), is_absent), (segment, replaced_by(first), is_absent)]
        if self.token:
            writes.append((("intent", chain, self.token), replaced_by({"from": 0}), is_absent))
        done, _ = yield "write", *writes
        if not done and (yield "get", segment) is None:
            raise ChainReplaced
        self.tail.update(chain=chain, n=1, total=1, closed=True)
        return 1

    def try_cached_tail(self) -> Routine:
        """Go to the cached tail. A closed one is asked for first, unless the head shows that its chain still lives."""
        self.chain, n, known, closed = (self.tail[name] for name in ("chain", "n", "total", "closed"))
        head = None
        if self.token:  # a receipt counts only in the present chain
            head = yield "get", HEAD
            if head is None or head.get("chain") != self.chain:
                raise ChainReplaced
            result = self.result_or_mismatch(head)
            if result is not None:
                return result
        if closed and head is None:
            tail = yield "segment", self.chain, n, True
            return self.after(tail)
        return (yield from self.write_intent(Target(n + 1, known) if closed else Target(n), head))

    def after(self, tail: Found | None) -> Target:
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

    def find_receipt(self, n: int, before: Found) -> Routine:
        """Read from segment `n` on, to the end of the chain; `before` is the last segment that is known."""
        last: Any = None
        result: Any = None
        for at in itertools.count(max(n, 1)):
            found = yield "segment", self.chain, at, False
            if found is None:
                break
            last, result = found, self.result_in(found[1])
            if result is not None or is_open(found[1]):
                break
        if last is None and before[0] != max(n, 1) - 1:
            return (yield from self.find_receipt(0, before))  # left behind by a straggler of a completed run
        if result is not None and is_closed(last[1]):
            last = yield "segment", self.chain, last[0], True  # a receipt counts only in a chain that is not sealed
        target = self.after(last or (before if result is None else None))
        return target if result is None else result

    def write(self, target: Target) -> Routine:
        """Write to a segment; return the next target if another writer has closed it."""
        done, row = yield self.addition(("seg", self.chain, target.n), self.chain, target.base)
        result = None if done or row is None else self.result_in(row)
        if result is not None:  # written while this operation ran, so it also counts if the chain was sealed since
            return result
        if row is None or row.get("sealed"):
            self.sealed_chain = self.chain if row else None
            raise ChainReplaced
        if done:
            self.tail.update(chain=self.chain, n=target.n, total=total(row), closed=is_closed(row))
            return total(row)
        if self.token:  # closed, hence final, and without the token: look at what comes after it
            return (yield from self.find_receipt(target.n + 1, (target.n, row)))
        tail = yield "segment", self.chain, target.n, True
        return self.after(tail)

    def rekey_resurrected_head(self) -> Routine:
        """Give a head another chain whose own chain was sealed: a late request has created this head a second time."""
        chain, new = self.sealed_chain, ("chain", self.call, "again", self.attempts)
        yield "write", (HEAD, lambda row: row.update(chain=new), same_closed(chain))
        raise ChainReplaced

    def result_in(self, row: Row) -> Any:
        """Return the result that an earlier attempt has left in this item."""
        return row.get("receipts", {}).get(self.receipt)

    def result_or_mismatch(self, head: Row) -> Any:
        """Return the result that the head's receipt records; refuse a head of another kind."""
        result = self.result_in(head)
        if result is None and head["kind"] != self.kind:
            raise TypeMismatch
        return result

    def is_welcome(self, row: Row | None, base: Any) -> bool:
        """Whether an item takes the operand; only with a base may it be created."""
        if row is None:
            return base is not None
        mine = row.get("kind") == self.kind and is_open(row) and not row.get("sealed")
        return mine and self.receipt not in row.get("receipts", {})

    def addition(self, key: Key, chain: Key, base: Any) -> tuple[Any, ...]:
        """Return the UpdateItem that adds the operand."""

        def change(row: Row) -> None:
            row["kind"] = self.kind
            row.setdefault("chain", chain)
            if self.kind == "list":
                row["items"] = [*row.get("items", []), self.operand]
                row["length"] = row.get("length", base) + 1
            else:
                row["n"] = row.get("n", base) + self.operand
            row["weight"] = row.get("weight", 0) + (CAPACITY if is_large(self.operand) else 1 if self.receipt else 0)
            if self.receipt:
                row["receipts"] = row.get("receipts", {}) | {self.receipt: total(row)}

        return "write", (key, change, lambda row: self.is_welcome(row, base))
