"""The cache of tails: bounded, by key, and only while a tail can be used."""

import pytest

from runstore.model.items import NEVER
from runstore.protocol.tails import FRESH_SECONDS, MAX_TAILS, Tail, TailCache

TAIL = Tail(chain="c", n=3, total="9", closed=False, head_expires_at=NEVER, seen_at=0.0)


def test_memory_is_bounded() -> None:
    """Of more keys than it holds, the least recently used are forgotten."""
    tails = TailCache()
    for number in range(MAX_TAILS):
        tails.put("table", "run", f"key {number}", TAIL)
    assert tails.get("table", "run", "key 0") == TAIL
    for number in range(10):
        tails.put("table", "other run", f"key {number}", TAIL)
    assert tails.get("table", "run", "key 0") == TAIL, "it was used"
    assert [tails.get("table", "run", f"key {number}") for number in range(1, 11)] == [None] * 10
    assert tails.get("table", "run", "key 11") == TAIL


def test_tables_runs_and_keys_are_apart() -> None:
    """What is remembered of a key is remembered of no other."""
    tails = TailCache()
    tails.put("table", "run", "key", TAIL)
    for place in (("table 2", "run", "key"), ("table", "run 2", "key"), ("table", "run", "key 2")):
        assert tails.get(*place) is None
        tails.forget(*place)
    assert tails.get("table", "run", "key") == TAIL
    tails.forget("table", "run", "key")
    assert tails.get("table", "run", "key") is None


@pytest.mark.parametrize("expires_at", [1, 0, -1])
def test_the_tail_of_an_expired_key_is_not_used(expires_at: int) -> None:
    """From the second at which the key expires on, its tail is as good as forgotten."""
    tails = TailCache()
    tails.put("table", "run", "key", Tail("c", 3, "9", closed=False, head_expires_at=expires_at, seen_at=0.0))
    assert tails.get("table", "run", "key") is None


def test_an_old_memory_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have had the time to fill a segment once the memory of it is older than the bound."""
    for elapsed, old in ((FRESH_SECONDS / 2, False), (FRESH_SECONDS * 2, True)):
        monkeypatch.setattr("runstore.clock.elapsed", lambda elapsed=elapsed: elapsed)
        assert TAIL.stale == old
