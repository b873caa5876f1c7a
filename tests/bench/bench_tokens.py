"""What a push with a token costs on a long list, and what a repetition costs."""

from collections.abc import Callable, Iterator
from statistics import mean

from runstore import RunStore
from tests.bench.bench import Bench, Row, element, new_run_id
from tests.bench.meter import Reading

TITLE = "a push with a token onto a long list, and its repetition"
_LENGTHS = (100, 10_000)
_SINGLES = 100
_PUSHES = 30
_COLD = 10
_LATER = 1_000


def measure(bench: Bench) -> Iterator[Row]:
    """Push with tokens by a writer that knows the tail and by new ones; then repeat."""
    for length in _LENGTHS:
        yield from _first_attempts(bench, length)
    yield from _repetitions(bench)


def _first_attempts(bench: Bench, length: int) -> Iterator[Row]:
    run_id = new_run_id()
    client, meter = bench.metered_client()
    store = RunStore(run_id, table_name=bench.table_name, client=client)
    _fill(store, length)
    costs = []
    for number in range(_PUSHES):
        before = meter.read()
        store.push("results", element(number), token=f"remembered-{number}")
        costs.append(meter.read() - before)
    who = f"onto {length:,} elements, tail remembered"
    yield Row.at_most(f"{who}: requests", _mean(costs, _requests), 3, also=_range(costs))
    yield Row.at_most(f"{who}: write units", _mean(costs, _write_units), 2.2)
    costs = []
    for number in range(_COLD):
        client, meter = bench.metered_client()
        before = meter.read()
        store = RunStore(run_id, table_name=bench.table_name, client=client)
        store.push("results", element(number), token=f"cold-{number}")
        costs.append(meter.read() - before)
    who = f"onto {length:,} elements, cold"
    yield Row.at_most(f"{who}: requests", max(map(_requests, costs)), 5, also=_range(costs))
    yield Row(f"{who}: write units", f"{_mean(costs, _write_units):.2f} (one is the closed head's refusal)")


def _repetitions(bench: Bench) -> Iterator[Row]:
    run_id = new_run_id()
    client, meter = bench.metered_client()
    store = RunStore(run_id, table_name=bench.table_name, client=client)
    _fill(store, _LENGTHS[-1])
    length = store.push("results", element(0), token="repeated")
    yield _repeated("right after", store, meter.read, length)
    for number in range(_LATER):
        store.push("results", element(number))
    yield _repeated(f"{_LATER:,} pushes later, tail remembered", store, meter.read, length)
    client, meter = bench.metered_client()
    store = RunStore(run_id, table_name=bench.table_name, client=client)
    yield _repeated(f"{_LATER:,} pushes later, cold", store, meter.read, length)


def _repeated(when: str, store: RunStore, read: Callable[[], Reading], length: int) -> Row:
    before = read()
    again = store.push("results", element(0), token="repeated")
    cost = read() - before
    measured = f"{cost.requests} requests, {cost.read_units:g} read units, {cost.written} writes"
    if cost.refused:
        measured += f" ({cost.refused} refused: {cost.write_units:g} write units)"
    return Row(f"a repetition {when}", measured, "no writes", met=not cost.written and again == length)


def _fill(store: RunStore, length: int) -> None:
    store.push_many("results", [element(number) for number in range(length - _SINGLES)])
    for number in range(length - _SINGLES, length):
        store.push("results", element(number))


def _requests(cost: Reading) -> int:
    return cost.requests


def _write_units(cost: Reading) -> float:
    return cost.write_units


def _mean(costs: list[Reading], figure: Callable[[Reading], float]) -> float:
    return mean(map(figure, costs))


def _range(costs: list[Reading]) -> str:
    requests = [cost.requests for cost in costs]
    return f"{min(requests)} to {max(requests)}; {mean(cost.read_units for cost in costs):.2f} read units"
