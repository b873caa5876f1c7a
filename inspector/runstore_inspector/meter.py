"""What reading costs: DynamoDB's own count of the read and write units of each request."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems")


@dataclass(slots=True)
class Meter:
    """The units and requests of one command or page. Safe between threads.

    DynamoDB counts a read unit per 4 KB that it reads consistently, and half of one otherwise.
    """

    read_units: float = 0.0
    write_units: float = 0.0
    requests: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, operation: str, units: float) -> None:
        """Count one request."""
        with self._lock:
            self.requests += 1
            if operation in _WRITES:
                self.write_units += units
            else:
                self.read_units += units


_current: ContextVar[Meter | None] = ContextVar("meter", default=None)


@contextmanager
def metered(meter: Meter | None = None) -> Iterator[Meter]:
    """Count the DynamoDB requests of this block, also of threads that run in a copy of its context."""
    meter = meter or Meter()
    mark = _current.set(meter)
    try:
        yield meter
    finally:
        _current.reset(mark)


def attach(client: Any) -> None:
    """Have every request of a DynamoDB client ask for its units, and count them."""
    events = client.meta.events
    events.register("provide-client-params.dynamodb", _ask, unique_id="runstore-inspector-ask")
    events.register("after-call.dynamodb", _count, unique_id="runstore-inspector-count")


def _ask(params: dict[str, Any], model: Any, **_: object) -> dict[str, Any] | None:
    if "ReturnConsumedCapacity" not in model.input_shape.members:
        return None
    return {"ReturnConsumedCapacity": "TOTAL", **params}


def _count(parsed: dict[str, Any] | None, model: Any, **_: object) -> None:
    meter = _current.get()
    if meter is None:
        return
    found = (parsed or {}).get("ConsumedCapacity") or []
    tables = found if isinstance(found, list) else [found]
    meter.add(model.name, sum(float(table.get("CapacityUnits", 0)) for table in tables))
