"""Deleting a run, against boto3's batch_writer."""

from collections.abc import Iterator
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Key

from runstore import RunStore
from tests.bench.bench import Bench, Row, compact, element, new_run_id, ratio_of_medians

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

TITLE = "complete() of 10,000 items against a sequential batch_writer, in turns"
_ITEMS, _BATCH, _ROUNDS = 10_000, 25, 3


def measure(bench: Bench) -> Iterator[Row]:
    """Fill two runs alike, and delete one in each way."""
    client = bench.backend.client(max_pool_connections=16)
    table = bench.resource_table()

    def by_batch_writer(run_id: str) -> int:
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

    def by_complete(run_id: str) -> int:
        return RunStore(run_id, table_name=bench.table_name, client=client).complete()

    seconds: dict[str, list[float]] = {"complete": [], "batch_writer": []}
    ways = {"complete": by_complete, "batch_writer": by_batch_writer}
    deleted = set()
    for turn in range(_ROUNDS):
        for name in sorted(ways, reverse=bool(turn % 2)):
            run_id = new_run_id()
            _fill(client, bench.table_name, run_id)
            started = perf_counter()
            deleted.add(ways[name](run_id))
            seconds[name].append(perf_counter() - started)
    also = f"{median(seconds['complete']):.2f} s against {median(seconds['batch_writer']):.2f} s, medians of {_ROUNDS}"
    faster = ratio_of_medians(seconds["batch_writer"], seconds["complete"])
    yield Row.at_least("complete", faster, 2, "times faster", also)
    yield Row("items deleted by each", ", ".join(f"{count:,}" for count in deleted), f"{_ITEMS:,}", deleted == {_ITEMS})


def _fill(client: "DynamoDBClient", table_name: str, run_id: str) -> None:
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
