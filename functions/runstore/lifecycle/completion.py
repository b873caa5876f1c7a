"""The end of a run: deleting its items, or keeping a failed run's for a while."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from runstore.errors import IncompleteCompletionError, error_context
from runstore.model import expressions

if TYPE_CHECKING:
    from runstore.dynamodb.table import Table
    from runstore.model.items import Wire

_WORKERS = 8
_BATCH = 25  # the most items that BatchWriteItem takes
_PASSES = 9  # over what stragglers wrote while the items before were deleted; what comes later is left to TTL
_RESERVE = 25.0  # seconds kept for requests under way (23 at most) and the answer, or a quarter of a shorter time

TimeLeft = Callable[[], float]  # seconds


class Retirement(NamedTuple):
    """How many of a run's items an event has deleted, how many it keeps for a while, and how many it left alone.

    Left alone is what was written after the event, or marked by a newer one.
    """

    deleted: int = 0
    retained: int = 0
    left: int = 0


def complete(table: "Table", time_left: TimeLeft | None = None) -> int:
    """Delete every item of the run and return how many there were.

    Raises IncompleteCompletionError when `time_left` comes to an end before.
    """
    deleted = 0
    with error_context("complete", table.run_id):
        for _ in range(_PASSES):
            sort_keys = (wire["key"]["S"] for wire in table.query(projection="#key"))
            found = _spread(sort_keys, _BATCH, lambda part: _delete(table, part), time_left, deleted)
            if not found:
                break
            deleted += found
    return deleted


def keep_until(
    table: "Table", expires_at: int, event: int, before: int | None, time_left: TimeLeft | None
) -> Retirement:
    """Let every item expire at `expires_at` instead.

    `event` orders what happens to a run: an item that a newer event has marked is left alone, and so is one that was
    written so late that it expires after `before`. What an earlier call has marked is not written again: each call
    gets further.
    """
    due = _Due(table, event, before)
    values = due.values | {"expires_at": {"N": str(expires_at)}}

    def keep(part: list[str]) -> int:
        return sum(
            table.update(table.update_request(sort_key, expressions.RETIRE, due.condition, **values))
            for sort_key in part
        )

    changed = _spread(due.sort_keys(), 1, keep, time_left)
    return Retirement(retained=due.marked + changed, left=due.left + due.found - changed)


def delete_older(table: "Table", event: int, before: int, time_left: TimeLeft | None) -> Retirement:
    """Delete the items that `keep_until` would change or has changed."""
    due = _Due(table, event + 1, before)  # what this very event has marked counts as older

    def delete(part: list[str]) -> int:
        return sum(table.delete(table.delete_request(sort_key, due.condition, **due.values))[0] for sort_key in part)

    deleted = _spread(due.sort_keys(), 1, delete, time_left)
    return Retirement(deleted=deleted, left=due.marked + due.left + due.found - deleted)


class _Due:
    """The items of a run that an event is about, and the condition that they still are when they are changed.

    `found` counts them, `marked` those that have the event's mark already, and `left` those to be left alone.
    """

    def __init__(self, table: "Table", event: int, before: int | None) -> None:
        self._table, self._event, self._before = table, event, before
        self.found = self.marked = self.left = 0
        self.condition = expressions.NOT_YET_RETIRED if before is None else expressions.WRITTEN_BEFORE
        self.values = {"event": {"N": str(event)}}
        if before is not None:
            self.values["before"] = {"N": str(before)}

    def sort_keys(self) -> Iterator[str]:
        """Find them: one Query over the run."""
        for wire in self._table.query(projection="#key, #expires_at, #retired"):
            retired = int(wire["retired"]["N"]) if "retired" in wire else None
            if retired == self._event:
                self.marked += 1
            elif self._late(wire) if retired is None else retired > self._event:
                self.left += 1
            else:
                self.found += 1
                yield wire["key"]["S"]

    def _late(self, wire: "Wire") -> bool:
        return self._before is not None and int(wire["expires_at"]["N"]) > self._before


def _delete(table: "Table", part: list[str]) -> int:
    table.batch_delete(part)
    return len(part)


def _spread(
    sort_keys: Iterable[str],
    size: int,
    work: Callable[[list[str]], int],
    time_left: TimeLeft | None,
    before: int = 0,
) -> int:
    """Do `work` on the sort keys, `size` at a time and some in parallel; return the sum of its results."""
    reserve = min(_RESERVE, time_left() / 4) if time_left else 0.0
    done, running = 0, deque[Future[int]]()
    with ThreadPoolExecutor(_WORKERS, "runstore") as workers:
        for part in _parts(sort_keys, size):
            if time_left and time_left() <= reserve:
                raise _incomplete(before + done + sum(future.result() for future in running))
            running.append(workers.submit(work, part))
            if len(running) > 2 * _WORKERS:
                done += running.popleft().result()
        return done + sum(future.result() for future in running)


def _parts(sort_keys: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(sort_keys)
    while part := list(islice(rest, size)):
        yield part


def _incomplete(done: int) -> IncompleteCompletionError:
    return IncompleteCompletionError(
        f"time ran out after {done:,} items of the run: call again, and it goes on with the others. A state machine "
        "does so by a Retry that lists IncompleteCompletionError; a longer Lambda time-out or more memory helps",
        done=done,
    )
