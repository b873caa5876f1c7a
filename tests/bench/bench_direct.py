"""The direct transport against a bare boto3 client that sends the same request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from runstore import RunStore
from tests.bench.bench import Bench, Row, in_turns, milliseconds, new_run_id, ratio_of_medians

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runstore.dynamodb.direct import DirectTransport

TITLE = "the store over the direct transport, against a bare boto3 client with the same request, in turns"
_WARM_UP, _ROUNDS = 100, 1_000
_THREADS, _PER_THREAD, _THREAD_ROUNDS = 16, 60, 5
_METHODS = {"UpdateItem": "update_item", "PutItem": "put_item", "GetItem": "get_item"}
_ORDER = {"id": "c-1", "tier": "gold"}


class _Noting:
    """A transport that keeps the last request."""

    def __init__(self, transport: DirectTransport) -> None:
        self._transport = transport
        self.last: tuple[str, Mapping[str, Any]] = ("", {})

    def send(self, operation: str, request: Mapping[str, Any], *, idempotent: bool) -> dict[str, Any]:
        self.last = operation, request
        return self._transport.send(operation, request, idempotent=idempotent)

    def close(self) -> None:
        self._transport.close()


def measure(bench: Bench) -> Iterator[Row]:
    """Compare single operations, then many threads, on DynamoDB Local and on a server that answers at once."""
    yield from _single(bench)
    with bench.replay() as url:
        yield _threads(bench, str(bench.backend.endpoint_url), "DynamoDB Local", 2.0)
        yield _threads(bench, url, "a server that answers at once", None)


def _operations(store: RunStore) -> dict[str, Callable[[], object]]:
    """Return the operations; each push is onto a list of its own, so that all of them make the same request."""
    lists = count()
    return {
        "increment": lambda: store.increment("processedCount"),
        "get": lambda: store.get("customer"),
        "set": lambda: store.set("customer", _ORDER),
        "push": lambda: store.push(f"list-{next(lists):06d}", "late"),
    }


def _single(bench: Bench) -> Iterator[Row]:
    noting, bare, others = _Noting(bench.direct()), bench.backend.client(), count()
    ours = _operations(RunStore(new_run_id(), table_name=bench.table_name, client=bench.direct()))
    for name, operation in _operations(RunStore(new_run_id(), table_name=bench.table_name, client=noting)).items():
        operation()
        sent, request = noting.last
        method, key = getattr(bare, _METHODS[sent]), dict(request.get("Key", {}))

        def theirs(method: Any = method, request: Any = request, key: Any = key, name: str = name) -> None:
            if name == "push":
                request = {**request, "Key": {**key, "key": {"S": f"other-{next(others):05d}"}}}
            method(**request)

        in_turns(_WARM_UP, ours[name], theirs)
        for what, clock, limit in (("processor", process_time, 0.35), ("time", perf_counter, 0.65)):
            mine, other = in_turns(_ROUNDS, ours[name], theirs, clock=clock)
            also = f"{milliseconds(mine)} against {milliseconds(other)}, medians of {_ROUNDS:,}"
            yield Row.at_most(f"{name}: {what}", ratio_of_medians(mine, other), limit, "of boto3's", also)


def _threads(bench: Bench, url: str, where: str, limit: float | None) -> Row:
    """Write and read in 16 threads, each its own key."""
    run_id = new_run_id()
    with ExitStack() as stack:
        direct = bench.direct(url)
        config = {"max_pool_connections": _THREADS}
        client = type(bench.backend)("other", url).client(**config)
        stack.callback(client.close)
        threads = stack.enter_context(ThreadPoolExecutor(_THREADS))

        def ours(thread: int) -> None:
            store = RunStore(run_id, table_name=bench.table_name, client=direct)
            for _ in range(_PER_THREAD):
                store.set(f"key-{thread}", _ORDER)

        noting = _Noting(direct)
        RunStore(run_id, table_name=bench.table_name, client=noting).set("key-0", _ORDER)
        requests = [
            {**noting.last[1], "Item": {**noting.last[1]["Item"], "key": {"S": f"other-{thread}"}}}
            for thread in range(_THREADS)
        ]

        def theirs(thread: int) -> None:
            for _ in range(_PER_THREAD):
                client.put_item(**requests[thread])

        def all_of(work: Callable[[int], None]) -> Callable[[], object]:
            return lambda: list(threads.map(work, range(_THREADS)))

        in_turns(1, all_of(ours), all_of(theirs))
        mine, other = in_turns(_THREAD_ROUNDS, all_of(ours), all_of(theirs))
    operations = _THREADS * _PER_THREAD
    also = f"{operations / median(mine):,.0f} against {operations / median(other):,.0f} operations a second"
    what = f"{_THREADS} threads, {where}"
    ratio = ratio_of_medians(other, mine)
    return (
        Row(what, f"{ratio:.2f} times ({also})") if limit is None else Row.at_least(what, ratio, limit, "times", also)
    )
