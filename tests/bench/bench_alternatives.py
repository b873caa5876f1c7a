"""What people do today: one item with list_append, one item per push, a transaction per push."""

from collections.abc import Callable, Iterator
from statistics import mean
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError

from runstore import RunStore
from tests.bench.bench import ELEMENT_BYTES, Bench, Row, compact, element, in_turns, milliseconds, new_run_id

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef, UpdateTypeDef

    from tests.bench.meter import Meter

TITLE = f"the alternatives, elements of {ELEMENT_BYTES} bytes"
_CHECKPOINTS = (100, 1_000, 2_000)
_MOST = 2_500
_ELEMENTS, _ROUNDS = 1_500, 25
_TRANSACTIONS = 200


def measure(bench: Bench) -> Iterator[Row]:
    """Measure each alternative, beside the store where the two can be compared."""
    client, meter = bench.metered_client()
    yield from _one_item(client, meter, bench.table_name)
    yield from _item_per_push(client, meter, bench.table_name)
    yield from _transaction_per_push(client, meter, bench.table_name)


def _one_item(client: "DynamoDBClient", meter: "Meter", table_name: str) -> Iterator[Row]:
    """One list in one item: every push pays for the whole list, up to 400 KB."""
    key, before = {"run_id": {"S": new_run_id()}, "key": {"S": "results"}}, meter.read()
    for number in range(1, _MOST + 1):
        try:
            client.update_item(
                TableName=table_name,
                Key=key,
                UpdateExpression="SET #items = list_append(if_not_exists(#items, :none), :operand)",
                ExpressionAttributeNames={"#items": "items"},
                ExpressionAttributeValues={":operand": {"L": [{"S": compact(element(number))}]}, ":none": {"L": []}},
            )
        except ClientError as failure:
            yield Row(f"list_append in one item: push {number:,}", f"fails: {failure.response['Error']['Code']}")
            return
        if number in _CHECKPOINTS:
            units = (meter.read() - before).write_units
            what = f"list_append in one item: write units, {number:,} pushes"
            yield Row(what, f"{units:,.0f} in all, {units / number:.1f} a push")


def _item_per_push(client: "DynamoDBClient", meter: "Meter", table_name: str) -> Iterator[Row]:
    """A unique sort key for every element: nothing conflicts, and nobody knows the length or the order."""
    runs = {"store": new_run_id(), "an item per push": new_run_id()}
    store = RunStore(runs["store"], table_name=table_name, client=client)
    costs = []
    for number in range(_ELEMENTS):
        store.push("results", element(number))
        before = meter.read()
        client.put_item(
            TableName=table_name,
            Item={
                "run_id": {"S": runs["an item per push"]},
                "key": {"S": f"results#{number:013d}#{uuid4()}"},
                "value": {"S": compact(element(number))},
            },
        )
        costs.append(meter.read() - before)
    units, requests = mean(cost.write_units for cost in costs), mean(cost.requests for cost in costs)
    yield Row("an item per push: a push", f"{units:.2f} write units, {requests:.2f} requests; returns no length")

    def items() -> object:
        return client.query(
            TableName=table_name,
            KeyConditionExpression="run_id = :run_id",
            ExpressionAttributeValues={":run_id": {"S": runs["an item per push"]}},
            ConsistentRead=True,
        )

    reads: dict[str, Callable[[], object]] = {"store": lambda: store.get("results"), "an item per push": items}
    in_turns(2, *reads.values())
    for name, seconds in zip(reads, in_turns(_ROUNDS, *reads.values()), strict=True):
        before = meter.read()
        reads[name]()
        cost = meter.read() - before
        what = f"{name}: reading {_ELEMENTS:,} elements"
        yield Row(what, f"{milliseconds(seconds)}, {cost.read_units:g} read units, {cost.requests} requests")
    for name, run_id in runs.items():
        before = meter.read()
        deleted = RunStore(run_id, table_name=table_name, client=client).complete()
        units = (meter.read() - before).write_units
        yield Row(f"{name}: deleting the run", f"{deleted:,} items, {units:,.0f} write units")


def _transaction_per_push(client: "DynamoDBClient", meter: "Meter", table_name: str) -> Iterator[Row]:
    """A transaction of a counter, an element under its number and a token: exactly once, at twice the price."""
    run_id, before = new_run_id(), meter.read()
    store = RunStore(new_run_id(), table_name=table_name, client=client)

    def transaction(number: int) -> None:
        def put(key: str, **attributes: dict[str, str]) -> "TransactWriteItemTypeDef":
            item: dict[str, Any] = {"run_id": {"S": run_id}, "key": {"S": key}, **attributes}
            condition = "attribute_not_exists(run_id)"
            return {"Put": {"TableName": table_name, "Item": item, "ConditionExpression": condition}}

        counter: UpdateTypeDef = {
            "TableName": table_name,
            "Key": {"run_id": {"S": run_id}, "key": {"S": "results"}},
            "UpdateExpression": "SET #length = :next",
            "ConditionExpression": "attribute_not_exists(#length) OR #length = :length",
            "ExpressionAttributeNames": {"#length": "length"},
            "ExpressionAttributeValues": {":length": {"N": str(number)}, ":next": {"N": str(number + 1)}},
        }
        one = put(f"results#{number:08d}", value={"S": compact(element(number))})
        client.transact_write_items(TransactItems=[{"Update": counter}, one, put(f"token#{number}")])

    for number in range(_TRANSACTIONS):
        transaction(number)
    cost, pushed = meter.read() - before, iter(range(_TRANSACTIONS, 2 * _TRANSACTIONS))
    what = "a transaction per push (counter, element, token)"
    yield Row(what, f"{cost.write_units / _TRANSACTIONS:.2f} write units, {cost.requests / _TRANSACTIONS:.2f} requests")
    tokens = iter(range(_TRANSACTIONS))
    theirs, ours = in_turns(
        _TRANSACTIONS,
        lambda: transaction(next(pushed)),
        lambda: store.push("results", element(0), token=f"t-{next(tokens)}"),
    )
    yield Row("its time, and the store's push with a token", f"{milliseconds(theirs)}, {milliseconds(ours)}")
