"""What a push costs: one writer, writers paced like the branches of a Map, writers without pause."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier

from runstore import RunStore
from tests.bench.bench import ELEMENT_BYTES, Bench, Row, element, new_run_id
from tests.bench.meter import Meter, Reading

TITLE = f"write units, read units and requests per push, elements of {ELEMENT_BYTES} bytes, failed writes counted"
_ALONE = 10_000
_WINDOW = 100
_PACED, _PACED_PUSHES, _PACE = 40, 25, 0.3
_HAMMERING, _HAMMERING_PUSHES = 32, 80


def measure(bench: Bench) -> Iterator[Row]:
    """Push alone, paced, and without pause."""
    yield from _alone(bench)
    yield from _together(bench, _PACED, _PACED_PUSHES, _PACE)
    yield from _together(bench, _HAMMERING, _HAMMERING_PUSHES, 0)


def _alone(bench: Bench) -> Iterator[Row]:
    client, meter = bench.metered_client()
    store = RunStore(new_run_id(), table_name=bench.table_name, client=client)
    readings = [meter.read()]
    for number in range(_ALONE):
        store.push("results", element(number))
        readings.append(meter.read())

    def per_push(first: int, last: int) -> float:
        return (readings[last].write_units - readings[first].write_units) / (last - first)

    whole = readings[-1]
    also = f"{whole.read_units / _ALONE:.2f} read units, {whole.requests / _ALONE:.2f} requests"
    yield Row.at_most(f"one writer, over {_ALONE:,} pushes", per_push(0, _ALONE), 1.1, "write units", also)
    for last in (_WINDOW, 10 * _WINDOW, _ALONE):
        what = f"one writer, the {_WINDOW} pushes up to element {last:,}"
        yield Row.at_most(what, per_push(last - _WINDOW, last), 1.1, "write units")


@dataclass(frozen=True)
class _Push:
    """A push that has returned: when it began and ended, what it pushed, the length it was told."""

    started: float
    ended: float
    writer: int
    number: int
    length: int


def _together(bench: Bench, writers: int, pushes: int, pace: float) -> Iterator[Row]:
    run_id, meter, barrier = new_run_id(), Meter(), Barrier(writers)
    clients = [bench.metered_client(meter)[0] for _ in range(writers)]
    for client in clients:  # a connection, before it counts
        client.describe_table(TableName=bench.table_name)
    before = meter.read()

    def write(writer: int) -> list[_Push]:
        store, done = RunStore(run_id, table_name=bench.table_name, client=clients[writer]), []
        barrier.wait()
        time.sleep(random.uniform(0, pace))  # so that the writers do not push in step
        for number in range(pushes):
            started = time.perf_counter()
            length = store.push("results", element(writer * pushes + number))
            done.append(_Push(started, time.perf_counter(), writer, number, length))
            time.sleep(pace)
        return done

    with ThreadPoolExecutor(writers) as threads:
        done = [push for part in threads.map(write, range(writers)) for push in part]
    cost, count = meter.read() - before, writers * pushes
    elements = RunStore(run_id, table_name=bench.table_name, client=clients[0]).get_range("results")
    ids = [str(entry["id"]) for entry in elements if isinstance(entry, dict)]
    who = f"{writers} writers, {pace * 1_000:g} ms between pushes" if pace else f"{writers} writers without pause"
    yield from _costs(who, cost, count, (1.6, 1.5) if pace else (4.5, None))
    seconds = max(push.ended for push in done) - min(push.started for push in done)
    yield Row(f"{who}: time for all", f"{seconds:.1f} s, of which {(pushes - 1) * pace:.1f} s are pauses")
    faults = _faults(done, ids, pushes)
    yield Row(f"{who}: lost, doubled or out of order", f"{faults} of {count:,}", "none", met=not faults)


def _costs(who: str, cost: Reading, count: int, limits: tuple[float, float | None]) -> Iterator[Row]:
    writes, reads, requests = cost.write_units / count, cost.read_units / count, cost.requests / count
    also = f"{cost.refused / count:.2f} failed writes"
    yield Row.at_most(f"{who}: write units", writes, limits[0], also=also)
    if limits[1] is not None:
        yield Row.at_most(f"{who}: read units", reads, limits[1])
        yield Row(f"{who}: requests", f"{requests:.2f}")
    else:
        yield Row(f"{who}: read units", f"{reads:.2f}")
        yield Row(f"{who}: requests (stretch)", f"{requests:.2f}", "below 8", met=requests < 8)


def _faults(done: list[_Push], ids: list[str], pushes: int) -> int:
    """Count what is wrong with a list that was pushed to.

    An element that is missing or there twice, one that is not where its push was told that it is, and one that comes
    after another whose push began later than its own had ended.
    """
    by_length = sorted(done, key=lambda push: push.length)
    expected = [f"{push.writer * pushes + push.number:08d}" for push in by_length]
    there = Counter(ids)
    faults = sum((Counter(expected) - there).values()) + sum((there - Counter(expected)).values())
    faults += sum(
        push.length != index or ids[index - 1 : index] != [name]
        for index, (push, name) in enumerate(zip(by_length, expected, strict=True), 1)
    )
    latest_start = 0.0
    for push in by_length:
        faults += push.ended < latest_start
        latest_start = max(latest_start, push.started)
    return faults
