"""What a function's first invocation takes, as a whole process, and its imports alone."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

from tests.bench.bench import Bench, Row, in_turns, milliseconds, new_run_id, ratio_of_medians

TITLE = "cold start: a process from its start to the first answer, tracing off, in turns"
_FUNCTIONS = Path(__file__).parents[2] / "functions"
_ROUNDS, _IMPORTS = 15, 9

# What a function has to do at the least: make a client and send a request.
_LEAST = """\
import boto3
client = boto3.client("dynamodb")
def handler(event, context):
    key = {"run_id": {"S": event["runId"]}, "key": {"S": event["key"]}}
    return client.get_item(TableName=TABLE, Key=key, ConsistentRead=True)
handler(EVENT, None)
"""
_OURS = """\
from MODULE import handler
handler(EVENT, None)
"""
_IMPORT = """\
from time import perf_counter
started = perf_counter()
import MODULE
print(perf_counter() - started)
"""


def measure(bench: Bench) -> Iterator[Row]:
    """Start each handler, and the least that a handler can be, in turns."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "POWERTOOLS_"))},
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_DYNAMODB": str(bench.backend.endpoint_url),
        "RUNSTORE_TABLE": bench.table_name,
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
    run, events = partial(_run, environment), _events()
    least = partial(run, _LEAST, TABLE=bench.table_name, EVENT=events["get_value"])
    handlers = [partial(run, _OURS, MODULE=name, EVENT=event) for name, event in events.items()]
    in_turns(1, least, *handlers)  # Python compiles what it has not yet
    bare, *ours = in_turns(_ROUNDS, least, *handlers)
    yield Row("boto3 client and one GetItem", milliseconds(bare))
    for name, seconds in zip(events, ours, strict=True):
        yield Row.at_most(name, ratio_of_medians(seconds, bare), 1.25, "times", milliseconds(seconds))
    for name in events:
        took = [float(run(_IMPORT, MODULE=name)) for _ in range(_IMPORTS)]
        yield Row(f"import {name}", f"{median(took) * 1_000:.0f} ms (without boto3's client)")


def _events() -> dict[str, object]:
    run = {"runId": new_run_id()}
    key = {**run, "key": "results"}
    execution = {"executionArn": run["runId"], "status": "SUCCEEDED", "stopDate": 1_700_000_000_000}
    return {
        "set_value": {**run, "key": "customerId", "value": "c-1"},
        "push_item": {**key, "item": {"id": 7}, "token": "ship-7"},
        "increment_counter": {**run, "key": "processedCount", "token": "ship-7"},
        "get_value": key,
        "delete_key": key,
        "complete_run": run,
        "retire_run": {"detail-type": "Step Functions Execution Status Change", "detail": execution},
    }


def _run(environment: dict[str, str], code: str, **parts: object) -> str:
    for name, part in parts.items():
        code = code.replace(name, str(part) if name == "MODULE" else json.dumps(part))
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=_FUNCTIONS, env=environment, check=True, capture_output=True, text=True).stdout
