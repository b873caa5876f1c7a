"""Requests of the small operations, with and without a token, on a new key and on one that is there."""

from collections.abc import Callable, Iterator

from runstore import RunStore
from tests.bench.bench import Bench, Row, new_run_id

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
    for what, operation in operations.items():
        costs = []
        for token in ("first", "second"):
            before = meter.read()
            operation(token)
            costs.append(meter.read() - before)
        units = max(cost.write_units + cost.read_units for cost in costs)
        kind = "read" if what == "get" else "write"
        yield Row.at_most(what, max(cost.requests for cost in costs), 1, also=f"{units:g} {kind} units")
