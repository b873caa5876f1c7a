"""Deleting a run, against boto3's batch_writer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Key

from runstore import RunStore
from tests.bench.bench import Bench, Row, compact, element, new_run_id, ratio_of_medians
from tests.bench.replay import rewind

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.service_resource import Table as TableResource

TITLE = "complete() of 10,000 items against a sequential batch_writer, in turns"
_ITEMS, _BATCH, _ROUNDS = 10_000, 25, 3
Way = Callable[[str], int]  # deletes a run, and returns how many items it had


def measure(bench: Bench) -> Iterator[Row]:
    """Fill runs alike, and delete one in each way: on DynamoDB Local, and where every request is answered at once."""
    url = str(bench.backend.endpoint_url)
    client = bench.backend.client(max_pool_connections=16)
    ways: dict[str, Way] = {
        "complete, directly": _by_complete(bench, bench.direct()),
        "complete, through boto3": _by_complete(bench, client),
        "batch_writer": _by_batch_writer(bench.resource_table(url)),
    }
    yield from _compared("DynamoDB Local", ways, lambda: _filled(client, bench.table_name), 2)
    with bench.replay() as instant:
        config = {"max_pool_connections": 16}
        there = type(bench.backend)("instant", instant).client(**config)
        ways = {
            "complete, directly": _by_complete(bench, bench.direct(instant)),
            "complete, through boto3": _by_complete(bench, there),
            "batch_writer": _by_batch_writer(bench.resource_table(instant)),
        }
        runs = {name: _filled(client, bench.table_name) for name in ways}
        for name, way in ways.items():  # the server learns
            way(runs[name])

        def recorded(name: str) -> Callable[[], str]:
            def again() -> str:
                rewind(instant)
                return runs[name]

            return again

        yield from _compared("a server that answers at once", ways, {name: recorded(name) for name in ways}, 4)
        there.close()
    client.close()


def _compared(
    where: str, ways: dict[str, Way], runs: Callable[[], str] | dict[str, Callable[[], str]], limit: float
) -> Iterator[Row]:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    deleted = set()
    for turn in range(_ROUNDS):
        for name in sorted(ways, reverse=bool(turn % 2)):
            run_id = runs[name]() if isinstance(runs, dict) else runs()
            started = perf_counter()
            deleted.add(ways[name](run_id))
            seconds[name].append(perf_counter() - started)
    theirs = seconds.pop("batch_writer")
    for name, mine in seconds.items():
        also = f"{median(mine):.2f} s against {median(theirs):.2f} s, medians of {_ROUNDS}"
        ratio = ratio_of_medians(theirs, mine)
        what = f"{name}: {where}"
        if name == "complete, directly":
            yield Row.at_least(what, ratio, limit, "times faster", also)
        else:
            yield Row(what, f"{ratio:.2f} times faster ({also})")
    counts = ", ".join(f"{count:,}" for count in sorted(deleted))
    yield Row(f"items deleted by each: {where}", counts, f"{_ITEMS:,}", deleted == {_ITEMS})


def _by_complete(bench: Bench, client: Any) -> Way:
    return lambda run_id: RunStore(run_id, table_name=bench.table_name, client=client).complete()


def _by_batch_writer(table: TableResource) -> Way:
    def delete(run_id: str) -> int:
        deleted = 0
        start: dict[str, Any] = {}
        with table.batch_writer() as batch:
            while True:
                answer = table.query(
                    KeyConditionExpression=Key("run_id").eq(run_id),
                    ProjectionExpression="#run_id, #key",
                    ExpressionAttributeNames={"#run_id": "run_id", "#key": "key"},
                    **start,
                )
                for item in answer["Items"]:
                    batch.delete_item(Key=item)
                deleted += len(answer["Items"])
                if "LastEvaluatedKey" not in answer:
                    return deleted
                start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    return delete


def _filled(client: DynamoDBClient, table_name: str) -> str:
    """Return a new run with its items."""
    run_id = new_run_id()
    _fill(client, table_name, run_id)
    return run_id


def _fill(client: DynamoDBClient, table_name: str, run_id: str) -> None:
    for first in range(0, _ITEMS, _BATCH):
        client.batch_write_item(
            RequestItems={
                table_name: [
                    {
                        "PutRequest": {
                            "Item": {
                                "run_id": {"S": run_id},
                                "key": {"S": f"key-{number:05d}"},
                                "kind": {"S": "value"},
                                "value": {"S": compact(element(number))},
                            }
                        }
                    }
                    for number in range(first, first + _BATCH)
                ]
            }
        )
