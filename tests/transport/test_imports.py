"""What each function imports until its first answer: every module is time of a cold start.

The lists are upper bounds. Whoever adds a module to a function adds it here, and so sees what it costs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.transport.answers import says, success
from tests.transport.servers import serving
from tests.transport.test_choice import LAMBDA

FUNCTIONS = Path(__file__).parents[2] / "functions"
RUN = "arn:aws:states:eu-central-1:123456789012:execution:orders:1"

# Of the standard library, by the first part of the name; Powertools brings about half of them.
STANDARD = set(
    """array ast atexit base64 binascii bisect bz2 collections contextlib contextvars copy copyreg dataclasses datetime
    decimal dis encodings enum errno fnmatch functools genericpath glob grp gzip hashlib hmac importlib inspect
    io ipaddress itertools json keyword linecache locale logging lzma math nt ntpath numbers opcode operator os pathlib
    posixpath pwd random re reprlib secrets select selectors signal socket ssl stat string stringprep struct sysconfig
    textwrap threading time token tokenize traceback types typing unicodedata urllib warnings weakref zipfile zlib
    """.split()  # noqa: SIM905 a list would take a line for each
)
THIRD_PARTY = {"aws_lambda_powertools", "jmespath", "typing_extensions"}

STORE = set(
    """_version aws_api aws_api.choice aws_api.client aws_api.connections aws_api.credentials aws_api.endpoint
    aws_api.errors aws_api.exchange aws_api.signing aws_api.time_limit aws_api.tls aws_lambda aws_lambda.context
    aws_lambda.powertools aws_lambda.startup clock dynamodb dynamodb.answers dynamodb.defaults dynamodb.direct
    dynamodb.failures dynamodb.table dynamodb.transport errors interface model model.expressions model.identifiers
    model.items model.operations model.values protocol protocol.append protocol.kinds protocol.read protocol.replace
    protocol.tails settings store
    """.split()  # noqa: SIM905 a list would take a line for each
)
OPERATION = {"aws_lambda.entry_point", "aws_lambda.reading", "aws_lambda.results", "aws_lambda.writing", "model.batch"}
OPERATION |= {"aws_lambda.tracing", "protocol.batch", "protocol.budget", "protocol.keys", "protocol.listing"}
ENDING = {"lifecycle", "lifecycle.completion", "lifecycle.retirement", "lifecycle.status_event"}
THREAD_POOL = {"concurrent", "heapq", "queue"}  # the end of a run is written by several threads

EVENTS = {
    "complete_run": {"runId": RUN},
    "delete_key": {"runId": RUN, "key": "k"},
    "apply_operations": {"runId": RUN, "operations": [{"do": "get", "key": "k"}]},
    "get_value": {"runId": RUN, "key": "k"},
    "get_values": {"runId": RUN},
    "increment_counter": {"runId": RUN, "key": "k"},
    "push_item": {"runId": RUN, "key": "k", "item": 1},
    "retire_run": {
        "source": "aws.states",
        "account": "123456789012",
        "region": "eu-central-1",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"executionArn": RUN, "status": "SUCCEEDED", "stopDate": 1},
    },
    "set_value": {"runId": RUN, "key": "k", "value": 1},
}
# Its own modules are those of the engine, whose parts depend on the task; Step Functions is called by few of them.
WORKFLOWS = ["order_workflow", "send_email_workflow", "send_event"]

_RUN = """\
import sys
sys.path.append(sys.argv[1])
before = set(sys.modules)
import importlib, json
module = importlib.import_module(sys.argv[2])
for name in ("json", "importlib"):
    before.add(name)
if len(sys.argv) > 3:
    try:
        module.handler(json.loads(sys.argv[3]), None)
    except Exception as failure:
        print(type(failure).__name__, failure, file=sys.stderr)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def _imported(module: str, url: str, *event: str) -> set[str]:
    """Return what a function's process imports in an environment like Lambda's, without site's own imports."""
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    environment = LAMBDA | {
        "AWS_ENDPOINT_URL_DYNAMODB": url,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "RUNSTORE_TABLE": "runs",
        "PATH": os.environ["PATH"],
    }
    command = [sys.executable, "-S", "-c", _RUN, packages, module, *event]
    done = subprocess.run(command, cwd=FUNCTIONS, env=environment, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def _standard(names: set[str]) -> set[str]:
    first = {name.partition(".")[0] for name in names}
    return {name for name in first if name in sys.stdlib_module_names and not name.startswith("_")}


def _own(names: set[str]) -> set[str]:
    return {name.partition(".")[2] for name in names if name.startswith("runstore.")}


def _third_party(names: set[str], module: str) -> set[str]:
    first = {name.partition(".")[0] for name in names} - {"runstore", module}
    return {name for name in first if name not in sys.stdlib_module_names}


@pytest.mark.parametrize("module", EVENTS)
def test_a_function_imports_what_it_needs(module: str) -> None:
    """Until it has answered: no botocore, no boto3, no `http.client`, none of another function's parts."""
    with serving(says(success({"Items": [], "Attributes": {}}))) as server:
        names = _imported(module, server.url, json.dumps(EVENTS[module]))
        assert server.requests, "the function has sent nothing"
    ends_runs = module in {"complete_run", "retire_run"}
    assert _third_party(names, module) == THIRD_PARTY
    assert _own(names) - STORE - OPERATION - (ENDING if ends_runs else set()) == set()
    assert _standard(names) - STANDARD - (THREAD_POOL if ends_runs else set()) == set()


@pytest.mark.parametrize("module", WORKFLOWS)
def test_a_workflows_function_imports_no_boto3(module: str) -> None:
    """While Lambda initialises it."""
    names = _imported(module, "http://127.0.0.1:1")
    assert _third_party(names, module) == THIRD_PARTY
    assert {name for name in _own(names) - STORE - OPERATION - ENDING if not name.startswith("workflow")} == set()
    assert _standard(names) - STANDARD - THREAD_POOL == set()


def test_every_function_is_listed() -> None:
    """A new one gets its event, or stands among the workflows."""
    shown = {path.stem for path in FUNCTIONS.glob("*.py") if "handler" in path.read_text("utf-8")}
    unlisted = {name for name in shown - EVENTS.keys() - set(WORKFLOWS) if not name.endswith("_workflow")}
    assert not unlisted
