"""Many threads, and processes, that use one run at the same time, and what each of them saw and when."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

from runstore import RunStore
from runstore.settings import Settings
from tests.backends import Backend
from tests.simulation.linearizability import Call
from tests.simulation.operations import Op, parts_of, perform, steps
from tests.simulation.specification import MISMATCH

SEGMENT_BYTES = 400  # a segment holds about ten small elements


@dataclass(frozen=True)
class Observed:
    """One operation: when it began and ended (nanoseconds of a clock that all processes share), and its answer."""

    op: Op
    invoked: int
    returned: int
    result: Any

    def call(self) -> Call:
        """Return it as the checker takes it."""
        parts = parts_of(self.op.operand, SEGMENT_BYTES) if self.op.name == "push_many" else None
        todo = steps(self.op, f"call {self.invoked}", parts)
        return Call(todo, self.invoked, self.returned, self.result)


def store_of(backend: Backend, table: str, run_id: str) -> RunStore:
    """Return a store with a client of its own, as a Lambda container has."""
    settings = Settings(table, segment_bytes=SEGMENT_BYTES)
    return RunStore(run_id, client=backend.client(max_pool_connections=1), settings=settings)


def work(store: RunStore, ops: Sequence[Op], ready: Callable[[], object]) -> list[Observed]:
    """Carry operations out one after the other, once everybody is ready."""
    seen = []
    ready()
    for op in ops:
        invoked = time.monotonic_ns()
        result = perform(store, op)
        seen.append(Observed(op, invoked, time.monotonic_ns(), result))
    return seen


def threads(stores: Sequence[RunStore], programs: Sequence[Sequence[Op]]) -> list[Observed]:
    """Run one program a thread, all at once."""
    barrier = Barrier(len(programs))
    with ThreadPoolExecutor(len(programs)) as pool:
        running = [pool.submit(work, store, ops, barrier.wait) for store, ops in zip(stores, programs, strict=True)]
        return [seen for future in running for seen in future.result()]


def process(backend: Backend, table: str, run_id: str, programs: Sequence[Sequence[Op]]) -> list[Observed]:
    """Be one process of several: run programs in threads of it."""
    return threads([store_of(backend, table, run_id) for _ in programs], programs)


def list_violations(seen: Sequence[Observed], elements: Sequence[Any]) -> list[str]:
    """Return what is wrong with a list that was only pushed to, each item once; quick for any number of pushes.

    This is all that linearizability asks of such a history: every item once, at the place that its push was told,
    and no push before one that had ended when it began.
    """
    faults = []
    if len(elements) != len(seen):
        faults.append(f"{len(seen)} pushes, {len(elements)} elements")
    by_place = sorted(seen, key=lambda one: one.result)
    if [one.result for one in by_place] != list(range(1, len(seen) + 1)):
        faults.append("two pushes were told the same length, or one was left out")
    if [one.op.operand for one in by_place] != list(elements):
        faults.append("an element is not where its push was told")
    return faults + _against_time(by_place)


def counter_violations(seen: Sequence[Observed], value: Any) -> list[str]:
    """Return what is wrong with a counter that was only incremented by one."""
    if any(one.result == MISMATCH for one in seen):
        return ["an increment found something else than a number"]
    faults = [] if value == len(seen) else [f"{len(seen)} increments, the counter is {value}"]
    by_value = sorted(seen, key=lambda one: one.result)
    if [one.result for one in by_value] != list(range(1, len(seen) + 1)):
        faults.append("two increments were told the same value, or one was left out")
    return faults + _against_time(by_value)


def _against_time(in_order: Sequence[Observed]) -> list[str]:
    latest_begin = 0
    for one in in_order:
        if one.returned < latest_begin:
            return [f"{one.op!r} came after one that began when it had ended"]
        latest_begin = max(latest_begin, one.invoked)
    return []
