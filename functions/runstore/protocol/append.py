"""Push and increment: the protocol model's `append`.

Each tries the head first. If that is closed, the operation finds the chain's tail and writes to it, or creates the next
segment. With a token, the first attempt finds the tail and *then* writes its intent, so that every later attempt knows
from which segment on it must search for the receipt.

A resurrected head is a closed head that names a chain which is sealed. A seal and a new head are written together, so
this head was written again by a request that was retried after a reset. What its chain holds beyond the head is dead.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore import clock
from runstore.model import items
from runstore.model.expressions import ABSENT, NEW_CHAIN, NOT_SET, SAME_CLOSED_HEAD, Change, Target
from runstore.model.items import Item, from_wire, intent_key, segment_key, to_wire
from runstore.protocol.kinds import mismatch, warn_of_other_operand
from runstore.protocol.replace import remove_expired
from runstore.protocol.tails import Tail, TailCache

if TYPE_CHECKING:
    from runstore.dynamodb.table import Table

# The pause after a lost race is jittered, proportional to the time that the lost request took (the longer it took, the
# more writers wait in line), and doubled at each race.
_PAUSE_FACTOR = 12
_MIN_PAUSE, _MAX_PAUSE = 0.005, 1.0  # seconds
_SEARCH_PAGE = 4  # a receipt is mostly near its intent: the first page is short, the following ones grow


@dataclass(frozen=True, slots=True)
class _SegmentTarget:
    """The segment to write to. `base` is the total before it, if the segment is to be created."""

    n: int
    base: str | None = None

    @property
    def last_existing(self) -> int:
        """The last segment that exists, 0 for the head: a token's attempts search from there on."""
        return self.n if self.base is None else self.n - 1


class _ChainReplacedError(Exception):
    """The chain was reset, or its run completed, during the operation: start again at the head."""


def append(table: Table, tails: TailCache, key: str, change: Change) -> str:
    """Apply `change` to the key and return the running total after it. With a token, exactly once."""
    return _Append(table, tails, key, change).run()


class _Append:
    """One push or increment. Where a method returns a string, the operation has ended with that total."""

    def __init__(self, table: Table, tails: TailCache, key: str, change: Change) -> None:
        self.table, self.tails, self.key, self.change = table, tails, key, change
        self.pause_growth = 1.0
        self.sealed_chain = ""
        self.chain = self.intent = ""  # of the chain beyond the head, once that is known
        self.head_expires_at = 0

    def run(self) -> str:
        cached = self.table.settings.table_name, self.table.run_id, self.key
        while True:
            tail = self.tails.get(*cached)
            try:
                target = self.try_head() if tail is None else self.try_cached_tail(tail)
                while isinstance(target, _SegmentTarget):
                    target = self.write(target)
            except _ChainReplacedError:
                self.tails.forget(*cached)
            else:
                return target

    def try_head(self) -> str | _SegmentTarget:
        """Write to the head: one request, and the whole operation while the head is open."""
        if self.is_large():
            return self.begin_beyond_head()
        done, head = self.send(0, items.new_chain(), "0")
        if head is None:  # removed after it made the condition false
            raise _ChainReplacedError
        return head.total if done else self.pass_head(head)

    def pass_head(self, head: Item) -> str | _SegmentTarget:
        """Return where to go from a head that was not written to."""
        if head.expired(clock.now()):
            remove_expired(self.table, self.key, head)
            raise _ChainReplacedError
        if (result := self.result_or_mismatch(head)) is not None:
            return result
        if not head.closed:
            raise _ChainReplacedError
        if head.chain == self.sealed_chain:
            self.rekey_resurrected_head(head)
        self.use_chain(head.chain, head.expires_at)
        if self.change.digest and (intent := self.table.get_raw(self.intent)) is not None:
            return self.find_receipt(_search_from(intent), head)
        return self.write_intent(self.after(self.table.tail(self.key, self.chain), head), head)

    def is_large(self) -> bool:
        """Whether the elements would make a head expensive for every writer that tries it."""
        limit = max(items.LARGE_BYTES, self.table.settings.segment_bytes * 3 // 2)
        return self.change.kind == "list" and self.change.weight >= limit

    def begin_beyond_head(self) -> str | _SegmentTarget:
        """Close the head, so that large elements go into the chain; begin the list if there is none."""
        done, head = self.table.close_head(self.key, self.change, items.new_chain())
        if head is None:
            return self.begin_chain()
        if not done:
            return self.pass_head(head)
        self.use_chain(head.chain, head.expires_at)
        return self.write_intent(self.after(None, head), head)

    def begin_chain(self) -> str:
        """Begin a list with an empty closed head and the elements in the first segment, all or nothing.

        If the request is retried after the key was reset, that segment makes its condition false.
        """
        chain, total = items.new_chain(), len(self.change.operand)
        segment = Item(
            kind="list",
            items=tuple(self.change.operand),
            length=total,
            chain=chain,
            weight=self.change.weight,
            capacity=1,
        )
        head = Item(kind="list", chain=chain, weight=1, capacity=1)
        first = {**to_wire(segment), str(self.change.receipt): {"N": str(total)}}
        now = {"now": {"N": str(clock.now())}}
        writes = [
            {"Put": self.table.put_request(self.key, to_wire(head), NOT_SET, **now)},
            {"Put": self.table.put_request(segment_key(self.key, chain, 1), first, ABSENT)},
        ]
        self.use_chain(chain, self.table.expires_at())
        if self.change.digest:
            writes.append({"Put": self.table.put_request(self.intent, {"search_from": {"N": "0"}}, ABSENT)})
        if not self.table.transact(*writes) and self.table.get_raw(segment_key(self.key, chain, 1)) is None:
            raise _ChainReplacedError  # another writer was faster; not an earlier attempt of this request
        tail = Tail(chain, 1, str(total), closed=True, head_expires_at=self.head_expires_at, seen_at=clock.elapsed())
        self.tails.put(self.table.settings.table_name, self.table.run_id, self.key, tail)
        return str(total)

    def try_cached_tail(self, tail: Tail) -> str | _SegmentTarget:
        """Go to the cached tail, and ask first where the tail is now if that is in doubt."""
        self.use_chain(tail.chain, tail.head_expires_at)
        head = None
        if self.change.digest:  # a receipt counts only in the current chain
            head_wire, intent = self.table.get_both(self.key, self.intent)
            head = None if head_wire is None else from_wire(head_wire)
            if head is None or head.chain != self.chain or head.expired(clock.now()):
                raise _ChainReplacedError
            if (result := self.result_or_mismatch(head)) is not None:
                return result
            if intent is not None:
                return self.find_receipt(_search_from(intent), head)
        if tail.stale or (tail.closed and head is None):
            # Create the next segment only in a chain that is known to exist. After a completion nothing else would
            # show that the chain is gone, and what is pushed to a dead chain is lost.
            return self.write_intent(self.after(self.table.tail(self.key, self.chain, tail.n)), head)
        return self.write_intent(
            _SegmentTarget(tail.n + 1, tail.total) if tail.closed else _SegmentTarget(tail.n), head
        )

    def after(self, tail: Item | None, head: Item | None = None) -> _SegmentTarget:
        """Return the target that follows from a chain's last segment (None: there is only the head)."""
        tail = head if tail is None else tail
        if tail is None or tail.sealed:
            self.sealed_chain = self.chain if tail else ""
            raise _ChainReplacedError
        if tail.kind != self.change.kind:
            raise mismatch(self.key, tail.kind or "value", self.change.kind)
        return _SegmentTarget(tail.n + 1, tail.total) if tail.closed else _SegmentTarget(tail.n)

    def write_intent(self, target: _SegmentTarget, head: Item | None) -> str | _SegmentTarget:
        """Write the token's intent. If there is one already, another attempt may have got further: search first."""
        if head is None or not self.change.digest:
            return target
        request = self.table.put_request(self.intent, {"search_from": {"N": str(target.last_existing)}}, ABSENT)
        done, intent = self.table.put(request)
        if done or intent is None:
            return target
        return self.find_receipt(_search_from(intent), head)

    def find_receipt(self, n: int, before: Item) -> str | _SegmentTarget:
        """Search for the receipt from segment `n` to the chain's end; `before` is the head or segment n - 1."""
        last = before if before.n == max(n, 1) - 1 else None
        for segment in self.table.segments(self.key, self.chain, max(n, 1), page=_SEARCH_PAGE):
            last = segment
            if (result := self.receipt_in(segment)) is not None:
                # The head may have been resurrected after a reset: a receipt counts only in a chain that is not sealed.
                self.after(self.table.tail(self.key, self.chain, segment.n) if segment.closed else segment)
                return result
            if not segment.closed:
                break
        if last is None:  # left behind by a straggler of a completed run: the chain continues after the head
            return self.find_receipt(0, before)
        return self.after(last)

    def write(self, target: _SegmentTarget) -> str | _SegmentTarget:
        """Write to a segment; return the next target if another writer has closed it."""
        sent_at = clock.elapsed()
        done, segment = self.send(target.n, self.chain, target.base)
        if segment is not None and not done and (result := self.receipt_in(segment)) is not None:
            # Written while this operation ran, so it also counts if the chain has been sealed since.
            return result
        if segment is None or segment.sealed:
            self.sealed_chain = self.chain if segment else ""
            raise _ChainReplacedError
        if done:
            tail = Tail(self.chain, target.n, segment.total, segment.closed, self.head_expires_at, clock.elapsed())
            self.tails.put(self.table.settings.table_name, self.table.run_id, self.key, tail)
            return segment.total
        self.pause(clock.elapsed() - sent_at)
        if self.change.digest:  # the segment is final and does not hold the receipt: search those after it
            return self.find_receipt(target.n + 1, segment)
        return self.after(self.table.tail(self.key, self.chain, target.n))

    def pause(self, took: float) -> None:
        """Let the other writers go first after a lost race, so that fewer lose the next."""
        longest = max(_MIN_PAUSE, _PAUSE_FACTOR * took) * self.pause_growth
        self.pause_growth *= 2
        clock.sleep(random.uniform(0, min(_MAX_PAUSE, longest)))  # noqa: S311 not for secrecy

    def send(self, n: int, chain: str, base: str | None) -> tuple[bool, Item | None]:
        sort_key = segment_key(self.key, self.chain, n) if n else self.key
        target = Target(self.table.run_id, sort_key, chain, base, not n, self.table.settings.segment_bytes)
        return self.table.append(self.change, target)

    def use_chain(self, chain: str, head_expires_at: int) -> None:
        """Go beyond the head of this chain."""
        self.chain, self.head_expires_at = chain, head_expires_at
        if self.change.digest:
            self.intent = intent_key(self.key, chain, self.change.digest)

    def receipt_in(self, item: Item) -> str | None:
        """Return the result that the item's receipt records, if any.

        A list shows what was pushed. A counter keeps totals alone, so another delta goes unnoticed.
        """
        total = item.receipts.get(self.change.receipt or "")
        if total is not None and self.change.kind == item.kind == "list":
            stop = int(total) - item.start
            if item.items[max(0, stop - len(self.change.operand)) : stop] != tuple(self.change.operand):
                warn_of_other_operand(self.key, "list")
        return total

    def result_or_mismatch(self, head: Item) -> str | None:
        """Return the result that the head's receipt records, if any; raise KeyTypeMismatchError for another kind."""
        if (result := self.receipt_in(head)) is not None:
            return result
        if head.kind != self.change.kind:
            raise mismatch(self.key, head.kind or "value", self.change.kind)
        return None

    def rekey_resurrected_head(self, head: Item) -> None:
        """Give a resurrected head a new chain, so that it can be appended to."""
        values = {"chain": {"S": head.chain}, "new": {"S": items.new_chain()}}
        expires_at = {"expires_at": {"N": str(self.table.expires_at())}}
        self.table.update(self.table.update_request(self.key, NEW_CHAIN, SAME_CLOSED_HEAD, **values, **expires_at))
        raise _ChainReplacedError


def _search_from(intent: items.Wire) -> int:
    return int(intent["search_from"]["N"])
