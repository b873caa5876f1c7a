"""What a function's first invocation takes, as a whole process, and its imports alone."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

import botocore

from tests.bench.bench import ENVIRONMENT, Bench, Row, in_turns, milliseconds, new_run_id, ratio_of_medians
from tests.transport.certificates import Authority

TITLE = "cold start: a process from its start to the first answer, tracing off, in turns"
_FUNCTIONS = Path(__file__).parents[2] / "functions"
_ROUNDS, _IMPORTS = 15, 9
_ALTERNATIVES = (
    "boto3",
    "botocore.auth",
    "http.client",
    "email.parser",
)  # weighed in docs/design/decisions/transports.md

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
    """Start each handler as Lambda does, and the least that a handler with boto3 can be, in turns."""
    plain = _environment(bench, {"AWS_ENDPOINT_URL_DYNAMODB": str(bench.backend.endpoint_url)})
    yield from _first_answers("", 0.40, plain, plain)
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority.new(Path(folder))
        bundle = Path(folder) / "bundle.pem"
        # As many authorities as both meet in production: botocore brings its own list, the system has one.
        bundle.write_bytes((Path(botocore.__file__).parent / "cacert.pem").read_bytes() + authority.bundle.read_bytes())
        with bench.replay(authority.server_file()) as url:
            secure = plain | {"AWS_ENDPOINT_URL_DYNAMODB": url, "AWS_CA_BUNDLE": str(bundle)}
            yield from _first_answers(" over TLS", 0.45, secure, secure | {"RUNSTORE_TRANSPORT": "direct"})
    for name in EVENTS:
        took = [float(_run(plain, _IMPORT, MODULE=name)) for _ in range(_IMPORTS)]
        yield Row(f"import {name}", f"{median(took) * 1_000:.0f} ms, its transport included")
    for name in _ALTERNATIVES:
        took = [float(_run(plain, _IMPORT, MODULE=name)) for _ in range(_IMPORTS)]
        yield Row(f"import {name}", f"{median(took) * 1_000:.0f} ms, to compare")


def _environment(bench: Bench, also: dict[str, str]) -> dict[str, str]:
    """Return an environment like a Lambda function's, without what this machine has set."""
    return {
        **ENVIRONMENT,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "PATH": os.environ["PATH"],
        "POWERTOOLS_TRACE_DISABLED": "true",
        "RUNSTORE_TABLE": bench.table_name,
        **also,
    }


def _first_answers(how: str, limit: float, theirs: dict[str, str], ours: dict[str, str]) -> Iterator[Row]:
    least = partial(_run, theirs, _LEAST, TABLE=theirs["RUNSTORE_TABLE"], EVENT=EVENTS["get_value"])
    handlers = [partial(_run, ours, _OURS, MODULE=name, EVENT=event) for name, event in EVENTS.items()]
    in_turns(2, least, *handlers)  # Python compiles what it has not yet, and the server learns its answers
    bare, *seconds = in_turns(_ROUNDS, least, *handlers)
    yield Row(f"boto3 client and one GetItem{how}", milliseconds(bare))
    for name, each in zip(EVENTS, seconds, strict=True):
        yield Row.at_most(f"{name}{how}", ratio_of_medians(each, bare), limit, "of boto3's", milliseconds(each))


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
        "retire_run": {
            "source": "aws.states",
            "account": "123456789012",
            "region": "eu-central-1",
            "detail-type": "Step Functions Execution Status Change",
            "detail": execution,
        },
    }


EVENTS = _events()


def _run(environment: dict[str, str], code: str, **parts: object) -> str:
    for name, part in parts.items():
        code = code.replace(name, str(part) if name == "MODULE" else json.dumps(part))
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=_FUNCTIONS, env=environment, check=True, capture_output=True, text=True).stdout
