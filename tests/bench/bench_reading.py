"""Reading a whole list, against native maps in one item through boto3's resource."""

from collections.abc import Iterator
from decimal import Decimal

from runstore import RunStore, Settings
from tests.bench.bench import Bench, Row, element, in_turns, milliseconds, new_run_id, ratio_of_medians

TITLE = "reading a list of 1,500 elements against boto3's resource with native maps in one item, in turns"
_ELEMENTS, _ROUNDS = 1_500, 25


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

    for key in ("made by push", "made by push_many", "made by set"):

        def ours(key: str = key) -> None:
            store.get(key)

        if store.get(key) != elements:
            yield Row(key, "reads back something else", "equal", met=False)
            continue
        in_turns(2, ours, native)
        before = meter.read()
        mine, theirs = in_turns(_ROUNDS, ours, native)
        cost = meter.read() - before
        also = (
            f"{milliseconds(mine)} against {milliseconds(theirs)}; {cost.requests / _ROUNDS:g} requests, "
            f"{cost.read_units / _ROUNDS:g} read units"
        )
        yield Row.at_least(key, ratio_of_medians(theirs, mine), 3, "times faster", also)
