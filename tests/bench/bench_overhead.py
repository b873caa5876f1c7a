"""What the store adds to the time of a request."""

from collections.abc import Callable, Iterator
from typing import Any

from runstore import RunStore
from tests.bench.bench import Bench, Row, in_turns, milliseconds, new_run_id, ratio_of_medians

TITLE = "time of an operation against the bare boto3 client making the same request, in turns"
_WARM_UP, _ROUNDS = 100, 1_500


def measure(bench: Bench) -> Iterator[Row]:
    """Let the store make a request, and the bare client the one that the store has made."""
    client = bench.backend.client()
    bare = bench.backend.client()
    store = RunStore(new_run_id(), table_name=bench.table_name, client=client)
    sent: dict[str, Any] = {}
    client.meta.events.register(
        "before-parameter-build.dynamodb", lambda params, **_: sent.update(request=dict(params))
    )
    for name, operation, method in (
        ("increment", lambda: store.increment("processedCount"), bare.update_item),
        ("set", lambda: store.set("customer", {"id": "c-1", "tier": "gold"}), bare.put_item),
    ):
        operation()
        yield _compared(name, operation, method, sent.pop("request"))


def _compared(
    name: str, operation: Callable[[], object], method: Callable[..., object], request: dict[str, Any]
) -> Row:
    def bare() -> None:
        method(**request)

    in_turns(_WARM_UP, operation, bare)
    ours, theirs = in_turns(_ROUNDS, operation, bare)
    also = f"{milliseconds(ours)} against {milliseconds(theirs)}, medians of {_ROUNDS:,}"
    return Row.at_most(name, ratio_of_medians(ours, theirs), 1.1, "times", also)
