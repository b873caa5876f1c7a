"""Where the writers of this process last saw the ends of long lists and counters."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from runstore import clock

if TYPE_CHECKING:
    from typing import Any

MAX_TAILS = 1_024
FRESH_SECONDS = 0.15  # with many paced writers, an older tail is mostly wrong


@dataclass(frozen=True, slots=True)
class Tail:
    """The last segment that a writer saw in a chain whose head is closed."""

    chain: str
    n: int
    total: str
    closed: bool
    head_expires_at: int
    seen_at: float

    @property
    def usable(self) -> bool:
        """Whether the chain's key has not expired since."""
        return clock.now() < self.head_expires_at

    @property
    def stale(self) -> bool:
        """Whether others have had time to fill the segment: then asking costs less than failing."""
        return clock.elapsed() - self.seen_at > FRESH_SECONDS


class TailCache:
    """Tails by table, run and key; forgets the least recently used. Thread-safe.

    A wrong tail costs a request and never a wrong result: every write is conditional.
    """

    def __init__(self) -> None:
        self._tails: OrderedDict[tuple[str, str, str], Tail] = OrderedDict()
        self._lock = Lock()

    def after_fork(self) -> None:
        """Replace the lock, which a thread of the parent process may have held."""
        self._lock = Lock()

    def get(self, table: str, run_id: str, key: str) -> Tail | None:
        """Return the tail of a key, if it can still be used."""
        with self._lock:
            tail = self._tails.get((table, run_id, key))
            if tail is not None:
                self._tails.move_to_end((table, run_id, key))
        return tail if tail is not None and tail.usable else None

    def put(self, table: str, run_id: str, key: str, tail: Tail) -> None:
        """Remember where a write went."""
        with self._lock:
            self._tails[table, run_id, key] = tail
            self._tails.move_to_end((table, run_id, key))
            if len(self._tails) > MAX_TAILS:
                self._tails.popitem(last=False)

    def forget(self, table: str, run_id: str, key: str) -> None:
        """Forget a key."""
        with self._lock:
            self._tails.pop((table, run_id, key), None)


class _Caches:
    """The caches by what they belong to: one client is one account, region and endpoint."""

    def __init__(self) -> None:
        self._by_owner: WeakKeyDictionary[Any, TailCache] = WeakKeyDictionary()
        self._lock = Lock()

    def of(self, owner: object) -> TailCache:
        with self._lock:
            return self._by_owner.setdefault(owner, TailCache())

    def after_fork(self) -> None:
        self._lock = Lock()
        for cache in self._by_owner.values():
            cache.after_fork()


_caches = _Caches()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_caches.after_fork)


def tails_of(owner: object) -> TailCache:
    """Return the cache that belongs to a client or transport."""
    return _caches.of(owner)
