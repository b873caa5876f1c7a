"""Deleting every item of a run, in parallel and within the time that a Lambda function has left."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

from runstore.aws_api.time_limit import keep_limit
from runstore.errors import IncompleteCompletionError, error_context

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runstore.dynamodb.table import Table

_WORKERS = 8
_BATCH = 25  # the most items that BatchWriteItem accepts
_MAX_PASSES = 9  # over what is written while earlier items are deleted; later writes expire
_RESERVE = 25.0  # seconds kept for requests under way (23 at most) and the answer, or a quarter of a shorter time

TimeLeft = Callable[[], float]
"""Returns the seconds that the invocation has left."""


def complete(table: Table, time_left: TimeLeft | None = None) -> int:
    """Delete every item of the run; return how many were deleted.

    Not atomic, and safe to repeat: a repetition deletes what is left. Costs a Query over the run and a write for each
    item.

    Raises:
        IncompleteCompletionError: `time_left` came to its end first. Its `done` is the number of deleted items.
    """
    deleted = 0
    with error_context("complete", table.run_id):
        for _ in range(_MAX_PASSES):
            sort_keys = (wire["key"]["S"] for wire in table.query(projection="#key"))
            found = in_parallel(sort_keys, _BATCH, lambda batch: _delete(table, batch), time_left, deleted)
            if not found:
                break
            deleted += found
    return deleted


def in_parallel(
    sort_keys: Iterable[str],
    batch_size: int,
    work: Callable[[list[str]], int],
    time_left: TimeLeft | None,
    done_before: int = 0,
) -> int:
    """Call `work` with batches of the sort keys, several at a time; return the sum of its results.

    Raises:
        IncompleteCompletionError: There is no time for a further batch. `done` includes `done_before`.
    """
    reserve = min(_RESERVE, time_left() / 4) if time_left else 0.0
    done, running, work = 0, deque[Future[int]](), keep_limit(work)
    with ThreadPoolExecutor(_WORKERS, "runstore") as workers:
        for batch in _batches(sort_keys, batch_size):
            if time_left and time_left() <= reserve:
                raise _incomplete(done_before + done + sum(future.result() for future in running))
            running.append(workers.submit(work, batch))
            if len(running) > 2 * _WORKERS:
                done += running.popleft().result()
        return done + sum(future.result() for future in running)


def _delete(table: Table, batch: list[str]) -> int:
    table.batch_delete(batch)
    return len(batch)


def _batches(sort_keys: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(sort_keys)
    while batch := list(islice(rest, size)):
        yield batch


def _incomplete(done: int) -> IncompleteCompletionError:
    return IncompleteCompletionError(
        f"time ran out after {done:,} items of the run. Call again to continue with the others; a state machine does "
        "so by a Retry that lists IncompleteCompletionError. A longer Lambda time-out or more memory helps",
        done=done,
    )
