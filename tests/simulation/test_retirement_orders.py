"""Every order in which the events of three attempts of an execution can arrive, duplicates included.

The attempts write, fail and are redriven in their one order. An event is delivered at any time after it happened, and
again at any time after that. The search visits each state of the table that can be reached, and checks it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import pytest

from runstore import RunStore, Settings
from runstore.lifecycle.retirement import StatusChange, retire
from runstore.store import table_of
from tests.simulation.client import Direct, SimulatedClient
from tests.simulation.database import Database

RUN = "arn:aws:states:eu-central-1:123456789012:execution:orders:7"
DAY, HOUR = 86_400, 3_600
BEGIN = 1_800_000_000
TTL = 366 * DAY

# What happens, an hour apart: an attempt writes, or the execution's status changes; with the number of redrives.
WRITES = "writes"
HAPPENINGS = [
    *((WRITES, 0), ("FAILED", 0), ("RUNNING", 1)),
    *((WRITES, 1), ("TIMED_OUT", 1), ("RUNNING", 2)),
    *((WRITES, 2), ("ABORTED", 2)),
]
EVENTS = frozenset(n for n, (what, _) in enumerate(HAPPENINGS) if what != WRITES)
FAILURES = frozenset(n for n in EVENTS if HAPPENINGS[n][0] != "RUNNING")
WRITTEN_IN = {"first": {0}, "second": {1}, "third": {2}, "first and third": {0, 2}, "always": {0, 1, 2}}


def time_of(happening: int) -> int:
    """Return when the n-th of HAPPENINGS happens."""
    return BEGIN + happening * HOUR


def change(happening: int) -> StatusChange:
    """Return the status change that is the n-th of HAPPENINGS."""
    return StatusChange(RUN, *HAPPENINGS[happening], time_of(happening))


@dataclass(frozen=True)
class State:
    """How many of HAPPENINGS have happened, which events have been delivered, and (expiry, mark) of each item."""

    happened: int
    delivered: frozenset[int]
    items: frozenset[tuple[str, int, int]]


class Search:
    """All states that can be reached, each checked once."""

    def __init__(self, retention_days: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database = Database()
        network: Any = Direct(self.database)
        self.client: Any = SimulatedClient(network)
        self.settings = Settings("runs", failed_retention_days=retention_days)
        self.retention = retention_days * DAY
        self.seen: set[State] = set()
        self.now = BEGIN
        monkeypatch.setattr("runstore.clock.now", lambda: self.now)

    def store(self) -> RunStore:
        """Return a store that remembers nothing."""
        return RunStore(RUN, client=self.client, settings=self.settings)

    def visit(self, happened: int, delivered: frozenset[int]) -> None:
        """Check the state that the table is in, and go on from it in every way."""
        items = self.items()
        state = State(happened, delivered, frozenset((key, *values) for key, values in items.items()))
        if state in self.seen:
            return
        self.seen.add(state)
        self.check(happened, delivered, items)
        before = copy.deepcopy((self.database.partitions, self.database._order))  # noqa: SLF001 to come back to it
        moves: list[int | None] = [n for n in range(happened) if n in EVENTS]
        for move in [None, *moves] if happened < len(HAPPENINGS) else moves:
            self.database.partitions, self.database._order = copy.deepcopy(before)  # noqa: SLF001
            if move is None:
                self.happen(happened)
                self.visit(happened + 1, delivered)
            else:
                retire(table_of(self.store()), change(move))
                self.visit(happened, delivered | {move})

    def happen(self, happening: int) -> None:
        """Let an attempt write; a change of status only happens, until its event is delivered."""
        self.now = time_of(happening)
        what, attempt = HAPPENINGS[happening]
        if what == WRITES:
            for key in (key for key, attempts in WRITTEN_IN.items() if attempt in attempts):
                self.store().push(f"{key}, pushed", attempt)
                self.store().set(f"{key}, set", attempt)

    def items(self) -> dict[str, tuple[int, int]]:
        """Return expiry and mark (-1: none) by key."""
        found = self.database.partitions.get(RUN, {})
        return {
            key: (int(item["expires_at"]["N"]), int(item.get("retired", {"N": "-1"})["N"]))
            for key, item in found.items()
        }

    def check(self, happened: int, delivered: frozenset[int], items: dict[str, tuple[int, int]]) -> None:
        """Nothing was taken too early; and when every event has been delivered, all is as the last one says."""
        for key, written in self.last_writes(happened).items():
            failures = [n for n in delivered & FAILURES if n > written]
            if not failures:
                assert items[key][0] >= time_of(written) + TTL, f"{key} was taken by the event of an earlier failure"
            elif self.retention:
                assert items[key][0] >= time_of(min(failures)) + self.retention, f"{key} expires too early"
        if happened == len(HAPPENINGS) and delivered == EVENTS:
            kept = {time_of(happened - 1) + self.retention} if self.retention else set()
            assert {expiry for expiry, _ in items.values()} == kept
        redriven = max((EVENTS - FAILURES) & set(range(happened)), default=None)
        if redriven in delivered and not any(n > redriven for n in delivered):
            assert all(expiry >= time_of(redriven) + TTL for expiry, _ in items.values()), "a redrive restores all"

    @staticmethod
    def last_writes(happened: int) -> dict[str, int]:
        """Return which of HAPPENINGS wrote each key last."""
        return {
            f"{key}, {how}": n
            for n in range(happened)
            for key, attempts in WRITTEN_IN.items()
            for how in ("pushed", "set")
            if HAPPENINGS[n][0] == WRITES and HAPPENINGS[n][1] in attempts
        }


@pytest.mark.parametrize("retention_days", [30, 0])
def test_every_order_of_the_events_of_three_attempts(retention_days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a redriven execution has written is never taken, and the last event decides, in whatever order they come."""
    search = Search(retention_days, monkeypatch)
    search.visit(0, frozenset())
    assert any(state.happened == len(HAPPENINGS) and state.delivered == EVENTS for state in search.seen)
    assert len(search.seen) > 100
