"""Reading a whole list, against native maps in one item through boto3's resource."""

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from time import process_time
from typing import Any

from runstore import RunStore, Settings
from runstore.dynamodb.direct import DirectTransport
from tests.bench.bench import Bench, Row, compact, element, in_turns, milliseconds, new_run_id, ratio_of_medians
from tests.bench.replay import rewind

TITLE = "reading a list of 1,500 elements against boto3's resource with native maps in one item, in turns"
_ELEMENTS, _ROUNDS = 1_500, 25


class _Noting:
    """A transport that keeps the JSON of its answers."""

    def __init__(self, transport: DirectTransport) -> None:
        self._transport = transport
        self.answers: list[str] = []

    def send(self, operation: str, request: Mapping[str, Any], *, idempotent: bool) -> dict[str, Any]:
        answer = self._transport.send(operation, request, idempotent=idempotent)
        self.answers.append(compact(answer))
        return answer

    def close(self) -> None:
        self._transport.close()


def measure(bench: Bench) -> Iterator[Row]:
    """Make the list in each way that there is, and read each."""
    settings = Settings(bench.table_name, max_value_bytes=350_000)
    client, meter = bench.metered_client()
    store = RunStore(new_run_id(), client=client, settings=settings)
    elements = [element(number) for number in range(_ELEMENTS)]
    for each in elements:
        store.push("made by push", each)
    store.push_many("made by push_many", elements)
    store.set("made by set", elements)
    table = bench.resource_table()
    place = {"run_id": new_run_id(), "key": "results"}
    table.put_item(Item={**place, "items": [{**each, "price": Decimal("12.5")} for each in elements]})

    def native() -> None:
        table.get_item(Key=place, ConsistentRead=True)

    keys = ("made by push", "made by push_many", "made by set")
    for key in keys:
        if store.get(key) != elements:
            yield Row(key, "reads back something else", "equal", met=False)
            continue
        before = meter.read()
        store.get(key)
        cost = meter.read() - before
        yield Row(f"{key}: cost", f"{cost.requests:g} requests, {cost.read_units:g} read units")
    yield from _compared(keys, store, native, "through boto3, DynamoDB Local", (None, None))
    direct = RunStore(store.run_id, client=bench.direct(), settings=settings)
    yield from _compared(keys, direct, native, "directly, DynamoDB Local", (3, 0.15))
    for key in keys:
        noting = _Noting(bench.direct())
        elements_json = compact(RunStore(store.run_id, client=noting, settings=settings).get(key))
        yield _parsing(key, [*noting.answers, elements_json], native)
    with bench.replay() as url:
        elsewhere = bench.resource_table(url)
        direct = RunStore(store.run_id, client=bench.direct(url), settings=settings)
        yield from _compared(
            keys,
            direct,
            lambda: elsewhere.get_item(Key=place, ConsistentRead=True),
            "directly, a server that answers at once",
            (3, None),
            before=lambda: rewind(url),
        )


def _parsing(key: str, texts: list[str], native: Callable[[], object]) -> Row:
    """Show what the parser of JSON takes, which no reader can do without: the answers, and the elements in them."""

    def parse() -> None:
        for text in texts:
            json.loads(text)

    mine, other = in_turns(_ROUNDS, parse, native, clock=process_time)
    also = f"{milliseconds(mine)} against {milliseconds(other)}"
    return Row(f"{key}: processor, json.loads alone", f"{ratio_of_medians(mine, other):.2f} of boto3's ({also})")


def _compared(  # noqa: PLR0913 what is read, how, and its targets
    keys: tuple[str, ...],
    store: RunStore,
    native: Callable[[], object],
    how: str,
    limits: tuple[float | None, float | None],
    *,
    before: Callable[[], None] = lambda: None,
) -> Iterator[Row]:
    for key in keys:

        def ours(key: str = key) -> None:
            before()
            store.get(key)

        def theirs() -> None:
            before()
            native()

        in_turns(2, ours, theirs)
        mine, other = in_turns(_ROUNDS, ours, theirs)
        also = f"{milliseconds(mine)} against {milliseconds(other)}"
        ratio, what = ratio_of_medians(other, mine), f"{key}: {how}"
        if limits[0] is None:
            yield Row(what, f"{ratio:.2f} times faster ({also})")
        else:
            yield Row.at_least(what, ratio, limits[0], "times faster", also)
        if limits[1] is not None:
            mine, other = in_turns(_ROUNDS, ours, theirs, clock=process_time)
            also = f"{milliseconds(mine)} against {milliseconds(other)}"
            yield Row.at_most(f"{key}: processor", ratio_of_medians(mine, other), limits[1], "of boto3's", also)
