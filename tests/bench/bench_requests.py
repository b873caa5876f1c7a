"""Requests of the small operations, with and without a token, on a new key and on one that is there."""

from collections.abc import Callable, Iterator
from typing import Any

from runstore import RunStore
from tests.bench.bench import Bench, Row, new_run_id
from tests.bench.meter import Meter, Reading

TITLE = "requests per operation on a small key"


def measure(bench: Bench) -> Iterator[Row]:
    """Do each operation on its own key, at first and once more."""
    client, meter = bench.metered_client()
    store = RunStore(new_run_id(), table_name=bench.table_name, client=client)
    operations: dict[str, Callable[[str], object]] = {
        "set": lambda _: store.set("customerId", {"id": "c-1"}),
        "get": lambda _: store.get("customerId"),
        "push": lambda _: store.push("results", {"id": 7, "status": "done"}),
        "push with a token": lambda token: store.push("paid", {"id": 7}, token=token),
        "increment": lambda _: store.increment("processedCount"),
        "increment with a token": lambda token: store.increment("shippedCount", token=token),
        "delete": lambda _: store.delete("customerId"),
    }
    yield from _applied(store, meter)
    yield from _set_by_default(store, meter)
    for what, operation in operations.items():
        costs = []
        for token in ("first", "second"):
            before = meter.read()
            operation(token)
            costs.append(meter.read() - before)
        units = max(cost.write_units + cost.read_units for cost in costs)
        kind = "read" if what == "get" else "write"
        yield Row.at_most(what, max(cost.requests for cost in costs), 1, also=f"{units:g} {kind} units")


def _cost(meter: Meter, operation: Callable[[], object]) -> Reading:
    before = meter.read()
    operation()
    return meter.read() - before


def _applied(store: RunStore, meter: Meter) -> Iterator[Row]:
    """The branch of the order example: a push and an increment, on new keys and once more."""
    branch: list[dict[str, Any]] = [
        {"do": "push", "key": "shipped", "item": {"id": 7}},
        {"do": "increment", "key": "shippedItems"},
    ]
    costs = [_cost(meter, lambda token=token: store.apply(branch, token=token)) for token in ("first", "second")]  # type: ignore[misc]
    yield Row.at_most("apply of a push and an increment: requests", max(cost.requests for cost in costs), 2)
    yield Row.at_most("apply of a push and an increment: write units", max(cost.write_units for cost in costs), 2)


def _set_by_default(store: RunStore, meter: Meter) -> Iterator[Row]:
    costs = [_cost(meter, lambda: store.setdefault("owner", "branch 7")) for _ in range(2)]
    yield Row.at_most("setdefault: requests, whether it writes or not", max(cost.requests for cost in costs), 1)
    yield Row.at_most("setdefault: write units when it writes", costs[0].write_units, 1)
