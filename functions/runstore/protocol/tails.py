"""What writers of this process remember of long lists and counters: where their tails were."""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from runstore import clock

MOST_TAILS = 1_024
FRESH = 0.15  # seconds: with many paced writers an older memory is mostly wrong


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
    def old(self) -> bool:
        """Whether others have had the time to fill the segment: then asking costs less than failing."""
        return clock.elapsed() - self.seen_at > FRESH


class TailMemory:
    """The tails by table, run and key; the least recently used are forgotten. Safe between threads.

    A stale memory costs a request and never a wrong result: every write is conditional.
    """

    def __init__(self) -> None:
        self._tails: OrderedDict[tuple[str, str, str], Tail] = OrderedDict()
        self._lock = Lock()

    def recall(self, table: str, run_id: str, key: str) -> Tail | None:
        """Return what is remembered of a key, if it can still be used."""
        with self._lock:
            tail = self._tails.get((table, run_id, key))
            if tail is not None:
                self._tails.move_to_end((table, run_id, key))
        return tail if tail is not None and tail.usable else None

    def remember(self, table: str, run_id: str, key: str, tail: Tail) -> None:
        """Remember where a write went."""
        with self._lock:
            self._tails[table, run_id, key] = tail
            self._tails.move_to_end((table, run_id, key))
            if len(self._tails) > MOST_TAILS:
                self._tails.popitem(last=False)

    def forget(self, table: str, run_id: str, key: str) -> None:
        """Forget a key."""
        with self._lock:
            self._tails.pop((table, run_id, key), None)
