"""What becomes of a run's items when its execution has ended otherwise than by its completion state, or is redriven."""

import time
from collections.abc import Callable
from functools import partial
from itertools import permutations
from typing import Any

import pytest

from runstore import IncompleteCompletionError, RunStore
from runstore.lifecycle import retirement
from runstore.lifecycle.retirement import Retirement, StatusChange
from runstore.store import table_of
from tests.contract.implementations import TableImplementation

DAY = 86_400
LONG = "x" * 190


def retire(store: RunStore, change: StatusChange, time_left: Callable[[], float] | None = None) -> Retirement:
    """Apply an execution's status change to the run of a store."""
    return retirement.retire(table_of(store), change, time_left)


def _written(store: RunStore) -> None:
    store.set("text", "text")
    for number in range(6):
        store.push("list", [number, LONG], token=f"t{number}")
    store.increment("n", token="t")


def _expiries(table: TableImplementation, run_id: str) -> dict[str, int]:
    return {item["key"]["S"]: int(item["expires_at"]["N"]) for item in table.items(run_id)}


def _change(run_id: str, status: str, redrives: int, at: float) -> StatusChange:
    return StatusChange(run_id, status, redrives, int(at))


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_failed_run_is_kept_for_a_while(table: TableImplementation, run_id: str, status: str) -> None:
    """Every item expires after the failed retention, counted from the execution's end, and can be read until then."""
    store, end = table.store(run_id, failed_retention_days=30), time.time() + 60
    _written(store)
    before = store.snapshot()
    count = len(table.items(run_id))
    assert retire(store, _change(run_id, status, 0, end)) == (0, count, 0)
    assert set(_expiries(table, run_id).values()) == {int(end) + 30 * DAY}
    assert table.store(run_id).snapshot() == before


def test_a_redrive_restores_the_expiry(table: TableImplementation, run_id: str) -> None:
    """RUNNING after a redrive gives every item the full time again."""
    store, end = table.store(run_id), time.time() + 60
    _written(store)
    count = len(table.items(run_id))
    retire(store, _change(run_id, "FAILED", 0, end))
    assert retire(store, _change(run_id, "RUNNING", 1, end + 100)) == (0, count, 0)
    assert set(_expiries(table, run_id).values()) == {int(end) + 100 + 366 * DAY}


EVENTS = [("FAILED", 0), ("RUNNING", 1), ("TIMED_OUT", 1), ("RUNNING", 2), ("ABORTED", 2)]


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_an_older_event_never_undoes_a_newer_one(table: TableImplementation, run_id: str, count: int) -> None:
    """In whatever order the events of a run arrive, and however often, the last one that happened decides."""
    now = time.time() + 60
    changes = [
        _change(run_id, status, redrives, now + 1_000 * n) for n, (status, redrives) in enumerate(EVENTS[:count])
    ]
    expected = changes[-1].at + (366 if changes[-1].status == "RUNNING" else 30) * DAY
    orders = list(permutations(changes))[:: 1 if count < 4 else 7]
    for order in orders:
        store = table.store(run_id)
        store.set("key", 1)
        for change in (*order, order[0], order[-1]):
            retire(store, change)
        assert _expiries(table, run_id) == {"key": expected}, [(change.status, change.redrives) for change in order]
        store.delete("key")


def test_what_was_written_after_the_end_is_left_alone(table: TableImplementation, run_id: str) -> None:
    """The late event of an earlier failure does not shorten the life of what a redriven execution wrote meanwhile."""
    store, end = table.store(run_id), time.time() - 1_000
    _written(store)
    before = _expiries(table, run_id)
    retire(store, _change(run_id, "FAILED", 0, end))
    assert _expiries(table, run_id) == before
    retire(table.store(run_id, failed_retention_days=0), _change(run_id, "FAILED", 0, end))
    assert _expiries(table, run_id) == before


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_retention_of_nothing_deletes(table: TableImplementation, run_id: str, status: str) -> None:
    """With a retention of 0 days the state of a failed run is deleted at once."""
    store, end = table.store(run_id, failed_retention_days=0), time.time() + 60
    _written(store)
    count = len(table.items(run_id))
    assert retire(store, _change(run_id, status, 0, end)) == (count, 0, 0)
    assert table.items(run_id) == []
    assert retire(store, _change(run_id, status, 0, end)) == (0, 0, 0)


def test_success_deletes(table: TableImplementation, run_id: str) -> None:
    """The state of a run that succeeded without a completion state is deleted."""
    store = table.store(run_id)
    _written(store)
    count = len(table.items(run_id))
    assert retire(store, _change(run_id, "SUCCEEDED", 0, time.time())) == (count, 0, 0)
    assert table.items(run_id) == []


@pytest.mark.parametrize(("status", "redrives"), [("RUNNING", 0), ("PENDING_REDRIVE", 0), ("UNHEARD_OF", 3)])
def test_other_events_change_nothing(table: TableImplementation, run_id: str, status: str, redrives: int) -> None:
    """The start of an execution, and what AWS may add, leave the run as it is."""
    store = table.store(run_id)
    _written(store)
    before: list[dict[str, Any]] = table.items(run_id)
    assert retire(store, _change(run_id, status, redrives, time.time() + 60)) == (0, 0, 0)
    assert table.items(run_id) == before


def test_a_retired_run_can_be_redriven_and_used(table: TableImplementation, run_id: str) -> None:
    """After a failure, also before the redrive's event arrives, tokens still count once and new writes live in full."""
    store, end = table.store(run_id), time.time() + 60
    _written(store)
    retire(store, _change(run_id, "FAILED", 0, end))
    redriven = table.store(run_id)
    assert redriven.push("list", [0, LONG], token="t0") == 1
    assert redriven.push("list", "new", token="new") == 7
    assert redriven.increment("n", token="u") == 2
    redriven.set("text", "other")
    expiries = _expiries(table, run_id)
    assert expiries["n"] > end + 300 * DAY
    assert expiries["text"] > end + 300 * DAY


def test_each_call_of_a_retirement_gets_further(table: TableImplementation, run_id: str) -> None:
    """When time runs out it says after how many items; the next call goes on with the others, to the last."""
    store, end = table.store(run_id), time.time() + 60
    for number in range(60):
        store.set(f"key {number}", number)
    kept = int(end) + 30 * DAY
    for calls in (1, 2):
        left = iter([20.0] * 22)  # asked once for the reserve and before each item
        with pytest.raises(IncompleteCompletionError, match="time ran out after 21 items of the run") as caught:
            retire(store, _change(run_id, "FAILED", 0, end), time_left=partial(next, left, 0.0))
        assert caught.value.done == 21
        assert list(_expiries(table, run_id).values()).count(kept) == 21 * calls
    sent = store.requests
    assert retire(store, _change(run_id, "FAILED", 0, end), time_left=lambda: 60.0) == (0, 60, 0)
    assert store.requests - sent == 1 + 18
    assert set(_expiries(table, run_id).values()) == {kept}


def test_what_is_left_alone_takes_no_time(table: TableImplementation, run_id: str) -> None:
    """Items that an event is not about are not written, so that the time goes to the others."""
    store, now = table.store(run_id, failed_retention_days=0), time.time()
    for number in range(20):
        store.set(f"a {number}", number)
    retire(store, _change(run_id, "RUNNING", 1, now + 60))
    store.set("b", 1)
    sent = store.requests
    assert retire(store, _change(run_id, "FAILED", 0, now + 60)) == (1, 0, 20)
    assert store.requests - sent == 2


def test_what_was_written_with_more_days_is_left_and_told(table: TableImplementation, run_id: str) -> None:
    """An item whose expiry says that it was written after the end keeps it, and does not count as retained."""
    table.store(run_id, ttl_days=366).set("long", 1)
    table.store(run_id, ttl_days=60).set("short", 1)
    before, end = _expiries(table, run_id), time.time() + 60
    failed = _change(run_id, "FAILED", 0, end)
    store = table.store(run_id, ttl_days=60)
    assert retire(store, failed) == (0, 1, 1)
    assert store.requests == 2
    assert _expiries(table, run_id) == {"long": before["long"], "short": int(end) + 30 * DAY}
    assert retire(table.store(run_id, ttl_days=60, failed_retention_days=0), failed) == (1, 0, 1)
    assert _expiries(table, run_id) == {"long": before["long"]}


def test_an_event_once_more_changes_nothing(table: TableImplementation, run_id: str) -> None:
    """What was updated since an event has marked it keeps its full time, though the event comes again."""
    store, end = table.store(run_id), time.time() + 60
    store.push("list", 1)
    failed = _change(run_id, "FAILED", 0, end)
    retire(store, failed)
    store.push("list", 2)
    before = _expiries(table, run_id)
    assert before["list"] > end + 300 * DAY
    assert retire(store, failed) == (0, 1, 0)
    assert _expiries(table, run_id) == before


def _marked_and_updated(store: RunStore, failed: StatusChange) -> None:
    retire(store, failed)
    store.push("list", 2)


def _written_later(store: RunStore, _: StatusChange) -> None:
    store.set("list", [1, 2])


@pytest.mark.parametrize("meanwhile", [_marked_and_updated, _written_later])
@pytest.mark.parametrize("retention", [0, 30])
def test_what_changes_while_a_run_is_retired(
    table: TableImplementation, run_id: str, meanwhile: Callable[[RunStore, StatusChange], None], retention: int
) -> None:
    """An item that was found due, and then changed before its turn came, is left alone."""
    store, other = table.store(run_id, failed_retention_days=retention), table.store(run_id, ttl_days=400)
    failed = _change(run_id, "FAILED", 0, time.time() + 60)
    store.push("list", 1)
    asked: list[int] = []

    def time_left() -> float:
        asked.append(len(asked))
        if len(asked) == 2:  # once for the reserve, then before each item
            meanwhile(other, failed)
        return 60.0

    done = retire(store, failed, time_left=time_left)
    assert done == (0, 0, 1)
    assert store.get("list") == [1, 2]
    assert _expiries(table, run_id)["list"] > failed.at + 399 * DAY


@pytest.mark.parametrize("at", [-(10**11), 0, -1], ids=str)
def test_an_expiry_before_all_time_is_an_expiry(table: TableImplementation, run_id: str, at: int) -> None:
    """What expires at 0 or before is absent, and operations on it begin anew."""
    store = table.store(run_id)
    _written(store)
    for item in table.items(run_id):
        table.client().update_item(
            TableName=table.table_name,
            Key={"run_id": {"S": run_id}, "key": item["key"]},
            UpdateExpression="SET #expires_at = :expires_at",
            ExpressionAttributeNames={"#expires_at": "expires_at"},
            ExpressionAttributeValues={":expires_at": {"N": str(at)}},
        )
    store = table.store(run_id)
    assert store.find("text") == (False, None)
    assert store.keys() == []
    assert store.snapshot() == {}
    assert store.increment("n") == 1
    assert store.push("list", "new") == 1
    assert store.push("text", "new", token="t") == 1
    assert store.snapshot() == {"n": 1, "list": ["new"], "text": ["new"]}
