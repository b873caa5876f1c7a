"""The end of a run: deleting its items, or keeping a failed run's for a while."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

from runstore import expressions
from runstore.errors import IncompleteCompletionError

if TYPE_CHECKING:
    from runstore.table import Table

_WORKERS = 8
_BATCH = 25  # the most items that BatchWriteItem takes
_PASSES = 9  # over what stragglers wrote while the items before were deleted; what comes later is left to TTL
_RESERVE = 5.0  # seconds that are kept for requests under way and the answer, or a quarter of a shorter time

TimeLeft = Callable[[], float]  # seconds


def complete(table: "Table", time_left: TimeLeft | None = None) -> int:
    """Delete every item of the run and return how many there were.

    Raises IncompleteCompletionError when `time_left` comes to an end before.
    """
    deleted = 0
    for _ in range(_PASSES):
        found = _spread(table, _BATCH, lambda part: _delete(table, part), time_left, deleted)
        if not found:
            break
        deleted += found
    return deleted


def keep_until(table: "Table", expires_at: int, event: int, before: int | None, time_left: TimeLeft | None) -> int:
    """Let every item expire at `expires_at` instead, and return how many items there are.

    `event` orders what happens to a run: an item that a newer event has marked is left alone, and so is one that was
    written so late that it expires after `before`.
    """
    condition, values = _if_older(event, before)
    values["expires_at"] = {"N": str(expires_at)}

    def keep(part: list[str]) -> int:
        for sort_key in part:
            table.update(table.update_request(sort_key, expressions.RETIRE, condition, **values))
        return len(part)

    return _spread(table, 1, keep, time_left)


def delete_older(table: "Table", event: int, before: int, time_left: TimeLeft | None) -> int:
    """Delete the items that `keep_until` would change, and return how many."""
    condition, values = _if_older(event, before)

    def delete(part: list[str]) -> int:
        return sum(table.delete(table.delete_request(sort_key, condition, **values))[0] for sort_key in part)

    return _spread(table, 1, delete, time_left)


def _if_older(event: int, before: int | None) -> tuple[str, dict[str, dict[str, str]]]:
    values = {"event": {"N": str(event)}}
    if before is None:
        return expressions.NOT_RETIRED_BY_NEWER, values
    return expressions.WRITTEN_BEFORE, values | {"before": {"N": str(before)}}


def _delete(table: "Table", part: list[str]) -> int:
    table.batch_delete(part)
    return len(part)


def _spread(
    table: "Table", size: int, work: Callable[[list[str]], int], time_left: TimeLeft | None, before: int = 0
) -> int:
    """Do `work` on the sort keys of the run, `size` at a time and some in parallel; return the sum of its results."""
    reserve = min(_RESERVE, time_left() / 4) if time_left else 0.0
    done, running = 0, deque[Future[int]]()
    sort_keys = (wire["key"]["S"] for wire in table.query(projection="#key"))
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
    error = IncompleteCompletionError(
        f"time ran out after {done:,} items of the run: call again, and it goes on with the others. A state machine "
        "does so by a Retry that lists IncompleteCompletionError; a longer Lambda time-out or more memory helps"
    )
    error.done = done
    return error
