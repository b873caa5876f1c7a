"""Push and increment: the protocol model's `append`.

Each tries the head. Only when that is closed does anything else begin: find the chain's tail and add to it, or begin
the next segment. A token's first attempt there finds the tail and *then* writes its intent, so that every later
attempt knows from which segment on to look for the receipt.
"""

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore import clock
from runstore.errors import KeyTypeMismatchError
from runstore.model import items
from runstore.model.expressions import ABSENT, NEW_CHAIN, SAME_CLOSED_HEAD, Change, Target
from runstore.model.items import Item, from_wire, intent_key, segment_key
from runstore.protocol.replace import remove_expired
from runstore.protocol.tails import Tail, TailMemory

if TYPE_CHECKING:
    from runstore.dynamodb.table import Table

# The pause after a lost race, jittered: so many times what the lost request took (the longer it took, the more writers
# wait in line), doubled at each race.
_PAUSE = 12
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.005, 1.0  # seconds
_LOOK_PAGE = 4  # a receipt is mostly near its intent: the first page is short, the following ones grow


@dataclass(frozen=True, slots=True)
class _Place:
    """The segment to write to; `base` is the total before it, for who may begin it."""

    n: int
    base: str | None = None

    @property
    def known(self) -> int:
        """The last segment that is there, 0 for the head: where a token's attempts begin to look."""
        return self.n if self.base is None else self.n - 1


class _ChainOverError(Exception):
    """The chain was reset or completed meanwhile: begin again at the head."""


def append(table: "Table", memory: TailMemory, key: str, change: Change) -> str:
    """Apply `change` to the key and return the running total after it. With a token, exactly once."""
    return _Append(table, memory, key, change).run()


class _Append:
    """One push or increment on its way. Where a method returns text, the operation has ended with that total."""

    def __init__(self, table: "Table", memory: TailMemory, key: str, change: Change) -> None:
        self.table, self.memory, self.key, self.change = table, memory, key, change
        self.patience = 1.0
        self.sealed_chain = ""
        self.chain = self.intent = ""  # of the chain beyond the head, once that is known
        self.head_expires_at = 0

    def run(self) -> str:
        at = self.table.settings.table_name, self.table.run_id, self.key
        while True:
            tail = self.memory.recall(*at)
            try:
                place = self.at_head() if tail is None else self.after_memory(tail)
                while isinstance(place, _Place):
                    place = self.write(place)
            except _ChainOverError:
                self.memory.forget(*at)
            else:
                return place

    def at_head(self) -> str | _Place:
        """Try the head: one request, and all there is to it while the head is open."""
        done, head = self.send(0, items.new_chain(), "0")
        if head is None:  # removed between the write and the reading of what was in its way
            raise _ChainOverError
        if done:
            return head.total
        if head.expired(clock.now()):
            remove_expired(self.table, self.key, head)
            raise _ChainOverError
        if (result := self.result_in(head)) is not None:
            return result
        if head.kind != self.change.kind:
            raise mismatch(self.key, head.kind or "value")
        if not head.closed:
            raise _ChainOverError
        if head.chain == self.sealed_chain:
            self.leave_sealed_chain(head)
        self.enter(head.chain, head.expires_at)
        if self.change.digest and (intent := self.table.get_raw(self.intent)) is not None:
            return self.look(int(intent["from"]["N"]), head)
        return self.declare(self.after(self.table.tail(self.key, self.chain), head), head)

    def after_memory(self, tail: Tail) -> str | _Place:
        """Go to the remembered tail, asking first where it is now if that is in doubt."""
        self.enter(tail.chain, tail.head_expires_at)
        head = None
        if self.change.digest:  # a receipt counts only in the present chain
            head_wire, intent = self.table.get_both(self.key, self.intent)
            head = None if head_wire is None else from_wire(head_wire)
            if head is None or head.chain != self.chain or head.expired(clock.now()):
                raise _ChainOverError
            if (result := self.result_in(head)) is not None:
                return result
            if head.kind != self.change.kind:
                raise mismatch(self.key, head.kind or "value")
            if intent is not None:
                return self.look(int(intent["from"]["N"]), head)
        if tail.old or (tail.closed and head is None):
            # A closed segment is followed by the next only where the chain is known to be there still: after a
            # completion nothing else would tell, and what is pushed behind a dead chain is lost.
            return self.declare(self.after(self.table.tail(self.key, self.chain, tail.n)), head)
        return self.declare(_Place(tail.n + 1, tail.total) if tail.closed else _Place(tail.n), head)

    def after(self, tail: Item | None, head: Item | None = None) -> _Place:
        """Return the place that follows from a chain's last segment (None: it has only the head)."""
        tail = head if tail is None else tail
        if tail is None or tail.sealed:
            self.sealed_chain = self.chain if tail else ""
            raise _ChainOverError
        if tail.kind != self.change.kind:
            raise mismatch(self.key, tail.kind or "value")
        return _Place(tail.n + 1, tail.total) if tail.closed else _Place(tail.n)

    def declare(self, place: _Place, head: Item | None) -> str | _Place:
        """Write the token's intent. Whoever finds one looks first: another attempt may have got further."""
        if head is None or not self.change.digest:
            return place
        request = self.table.put_request(self.intent, {"from": {"N": str(place.known)}}, ABSENT)
        done, intent = self.table.put(request)
        if done or intent is None:
            return place
        return self.look(int(intent["from"]["N"]), head)

    def look(self, n: int, before: Item) -> str | _Place:
        """Read from segment `n` on for the receipt, to the chain's end; `before` is the head or segment n - 1."""
        last = before if before.n == max(n, 1) - 1 else None
        for segment in self.table.segments(self.key, self.chain, max(n, 1), page=_LOOK_PAGE):
            if (result := self.result_in(segment)) is not None:
                return result
            last = segment
            if not segment.closed:
                break
        if last is None:  # what a straggler of a completed run left behind: its chain begins again after the head
            return self.look(0, before)
        return self.after(last)

    def write(self, place: _Place) -> str | _Place:
        """Write to a segment; when it was closed meanwhile return the next place."""
        sent_at = clock.elapsed()
        done, segment = self.send(place.n, self.chain, place.base)
        if segment is None or segment.sealed:
            self.sealed_chain = self.chain if segment else ""
            raise _ChainOverError
        if done:
            tail = Tail(self.chain, place.n, segment.total, segment.closed, self.head_expires_at, clock.elapsed())
            self.memory.remember(self.table.settings.table_name, self.table.run_id, self.key, tail)
            return segment.total
        if (result := self.result_in(segment)) is not None:
            return result
        self.pause(clock.elapsed() - sent_at)
        if self.change.digest:  # the segment is final and does not hold the token: look at those after it
            return self.look(place.n + 1, segment)
        return self.after(self.table.tail(self.key, self.chain, place.n))

    def pause(self, took: float) -> None:
        """Let the others go first after a lost race, so that fewer lose the next."""
        most = max(_SHORTEST_PAUSE, _PAUSE * took) * self.patience
        self.patience *= 2
        clock.sleep(random.uniform(0, min(_LONGEST_PAUSE, most)))  # noqa: S311 not for secrecy

    def send(self, n: int, chain: str, base: str | None) -> tuple[bool, Item | None]:
        sort_key = segment_key(self.key, self.chain, n) if n else self.key
        target = Target(self.table.run_id, sort_key, chain, base, not n, self.table.settings.segment_bytes)
        return self.table.append(self.change, target)

    def enter(self, chain: str, head_expires_at: int) -> None:
        """Go beyond the head of this chain."""
        self.chain, self.head_expires_at = chain, head_expires_at
        if self.change.digest:
            self.intent = intent_key(self.key, chain, self.change.digest)

    def result_in(self, item: Item) -> str | None:
        return item.receipts.get(self.change.receipt or "")

    def leave_sealed_chain(self, head: Item) -> None:
        """Give a head another chain, that was found closed again after its chain had been sealed.

        A seal comes together with another head, so this one was made anew by a request that was re-sent after
        a reset: what its chain holds beyond the head is dead.
        """
        values = {"chain": {"S": head.chain}, "new": {"S": items.new_chain()}}
        expires_at = {"expires_at": {"N": str(self.table.expires_at())}}
        self.table.update(self.table.update_request(self.key, NEW_CHAIN, SAME_CLOSED_HEAD, **values, **expires_at))
        raise _ChainOverError


def mismatch(key: str, kind: str) -> KeyTypeMismatchError:
    """Return the error for a push or an increment on what holds another `kind`."""
    holds = {"list": "a list", "number": "a number", "value": "a value that is neither a list nor a number"}[kind]
    error = KeyTypeMismatchError(
        f"key {key!r} holds {holds}: push takes a list, increment a number (or a key that is not set). "
        "Nothing was changed; set or delete the key first, or use another one"
    )
    error.holds = kind
    return error
