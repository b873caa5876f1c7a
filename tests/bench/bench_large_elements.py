"""What a list costs whose first element is large: a failed condition costs as many units as the item that it met."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

from runstore import RunStore
from tests.bench.bench import ELEMENT_BYTES, Row, element, new_run_id
from tests.bench.meter import Meter, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.bench import Bench

TITLE = f"pushes of {ELEMENT_BYTES} bytes onto a list that begins with a larger element, per push"
# By size, the write units of the head at most. The last element that a head accepts has less than 1.5 KB; larger ones
# never go into one.
_FIRST = {190: 1, 1_000: 2, 1_500: 2, 2_000: 1, 4_096: 1, 60_000: 1}
_FURTHER = 20  # so that the head is closed, whatever comes first
_COLD, _WARM = 10, 30
_TOGETHER = 32
_RACES = 3.5  # write units that 32 writers pay at most for each push beside the head's


def measure(bench: Bench) -> Iterator[Row]:
    """Begin a list with each size, then push by new writers, by one that knows the tail, and by many new ones."""
    for size, head in _FIRST.items():
        who = f"first element {size:,} bytes"
        yield from _one_at_a_time(bench, who, size, head)
        yield from _together(bench, who, size, head)


def _one_at_a_time(bench: Bench, who: str, size: int, head: int) -> Iterator[Row]:
    run_id = new_run_id()
    client, meter = bench.metered_client()
    store = RunStore(run_id, table_name=bench.table_name, client=client)
    store.push("results", "x" * (size - 2))
    for number in range(_FURTHER):
        store.push("results", element(number))
    cold = Reading()
    for number in range(_COLD):
        new, its_meter = bench.metered_client()
        RunStore(run_id, table_name=bench.table_name, client=new).push("results", element(number))
        cold += its_meter.read()
    yield Row.at_most(f"{who}: a failed condition", cold.refused_units / max(cold.refused, 1), head, "write units")
    yield _row(f"{who}: cold", cold, _COLD, head + 1.2)
    warm = _cost(meter, _WARM, lambda number: store.push("results", element(number)))
    yield _row(f"{who}: tail remembered", warm, _WARM, 1.1)
    warm = _cost(meter, _WARM, lambda number: store.push("results", element(number), token=f"t{number}"))
    yield _row(f"{who}: tail remembered, with a token", warm, _WARM, 2.2)
    yield Row.at_most(f"{who}: tail remembered, with a token", warm.read_units / _WARM, 2, "read units")


def _together(bench: Bench, who: str, size: int, head: int) -> Iterator[Row]:
    """New writers at the moment when the list has only its first element."""
    run_id, meter, barrier = new_run_id(), Meter(), Barrier(_TOGETHER)
    client, _ = bench.metered_client()
    RunStore(run_id, table_name=bench.table_name, client=client).push("results", "x" * (size - 2))
    stores = []
    for _ in range(_TOGETHER):
        client, _ = bench.metered_client(meter)
        client.describe_table(TableName=bench.table_name)  # a connection, before it counts
        stores.append(RunStore(run_id, table_name=bench.table_name, client=client))
    before = meter.read()

    def push(number: int) -> None:
        barrier.wait()
        stores[number].push("results", element(number))

    with ThreadPoolExecutor(_TOGETHER) as threads:
        list(threads.map(push, range(_TOGETHER)))
    yield _row(f"{who}: {_TOGETHER} cold writers at once", meter.read() - before, _TOGETHER, head + _RACES)


def _cost(meter: Meter, times: int, push: Callable[[int], object]) -> Reading:
    before = meter.read()
    for number in range(times):
        push(number)
    return meter.read() - before


def _row(what: str, cost: Reading, pushes: int, limit: float) -> Row:
    requests, reads, refused = cost.requests / pushes, cost.read_units / pushes, cost.refused / pushes
    also = f"{requests:.2f} requests, {reads:.2f} read units, {refused:.2f} failed writes"
    return Row.at_most(what, cost.write_units / pushes, limit, "write units", also)
