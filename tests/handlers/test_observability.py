"""What the functions log and measure, and what they never do."""

import re
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from runstore import InvalidRunIdError, InvalidValueError, RunStoreError
from tests.handlers.conftest import OPERATIONS, RUN, Call, Output, Table
from tests.repository.pages import fenced

SECRET = "s3cr3t"
# The language of Logs Insights, as far as the pages use it.
QUERY_WORDS = {"and", "as", "avg", "by", "count", "desc", "fields", "filter", "ispresent", "max", "or"}
QUERY_WORDS |= {"sort", "stats", "sum"}
EVENTS: dict[str, dict[str, Any]] = {
    "get_value": {"runId": RUN, "key": "secret"},
    "set_value": {"runId": RUN, "key": "secret", "value": {"password": SECRET}},
    "push_item": {"runId": RUN, "key": "list", "items": [SECRET, {SECRET: [SECRET]}], "token": "t"},
    "increment_counter": {"runId": RUN, "key": "n", "delta": 41_424_344},
    "delete_key": {"runId": RUN, "key": "secret"},
    "get_values": {"runId": RUN, "prefix": "secret"},
    "apply_operations": {"runId": RUN, "operations": [{"do": "set", "key": "k", "value": [SECRET]}]},
    "complete_run": {"runId": RUN},
}


@pytest.mark.parametrize("function", OPERATIONS)
def test_one_log_line_says_what_was_done(table: Table, call: Call, output: Output, function: str) -> None:
    """Run, key, operation, requests and time are logged for each invocation, the value never."""
    table.store().set("secret", {"password": SECRET})
    call(function, EVENTS[function], context=SimpleNamespace(aws_request_id="request-1"))
    (line,), _ = output.lines()
    assert {line["operation"], line["runId"], line["function_request_id"]} == {function, RUN, "request-1"}
    assert line.get("key") == EVENTS[function].get("key")
    assert line["requests"] >= 1
    assert line["duration_ms"] >= 0
    assert line["result_bytes"] > 0
    assert SECRET not in str(line)
    assert "41424344" not in str(line)


def test_sizes_are_logged(table: Table, call: Call, output: Output) -> None:
    """The bytes of what was written, and of the result, are logged."""
    call("set_value", runId=RUN, key="key", value="ß" * 10)
    call("push_item", runId=RUN, key="list", item=[1, 2])
    call("push_item", runId=RUN, key="list", items=["a"])
    lines, _ = output.lines()
    assert [line.get("value_bytes") for line in lines] == [22, None, None]
    assert [line.get("item_bytes") for line in lines] == [None, 5, None]
    assert [line.get("items_bytes") for line in lines] == [None, None, 5]
    assert table.store().keys() == ["key", "list"]


FAILING: dict[str, tuple[str, dict[str, Any]]] = {
    "not finite": ("set_value", {"value": {"a": SECRET, "b": float("nan")}}),
    "too large": ("set_value", {"value": SECRET * 20_000}),
    "not finite, pushed": ("push_item", {"items": [SECRET, float("inf")]}),
    "wrong kind": ("push_item", {"key": "secret", "item": SECRET}),
    "a value in place of a number": ("increment_counter", {"delta": SECRET}),
    "a value in place of a limit": ("get_value", {"limit": SECRET}),
    "a value in place of a token": ("push_item", {"item": 1, "token": [SECRET]}),
    "a value in place of items": ("push_item", {"items": SECRET}),
}


@pytest.mark.parametrize(("function", "fields"), FAILING.values(), ids=FAILING.keys())
def test_no_failure_shows_a_value(
    table: Table, call: Call, output: Output, function: str, fields: dict[str, Any]
) -> None:
    """The line of a refused request has the error's name and reason, and nothing of the value either."""
    table.store().set("secret", {"password": SECRET})
    with pytest.raises(RunStoreError) as caught:
        call(function, {"runId": RUN, "key": "key", **fields})
    assert SECRET not in str(caught.value)
    text = output.text()
    assert f'"error":"{type(caught.value).__name__}"' in text
    assert SECRET not in text


@pytest.mark.parametrize("function", OPERATIONS)
def test_a_name_that_is_no_text_is_logged(table: Table, call: Call, output: Output, function: str) -> None:
    """A run id with half of a surrogate pair is refused and logged like any other, by lines that are JSON."""
    with pytest.raises(InvalidRunIdError):
        call(function, {**EVENTS[function], "runId": "ä\ud800"})
    (line,), _ = output.lines()
    assert (line["runId"], line["error"]) == ("ä\ud800", "InvalidRunIdError")
    assert table.database.requests == 0


@pytest.mark.parametrize("function", OPERATIONS)
def test_metrics_do_not_grow_with_runs_and_keys(table: Table, call: Call, output: Output, function: str) -> None:
    """Each invocation counts for its operation and for the service, and for nothing else."""
    for run in ("run 1", "run 2"):
        call(function, {**EVENTS[function], "runId": run})
    _, metrics = output.lines()
    assert len(metrics) == 2
    for line in metrics:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert sorted(map(sorted, directive["Dimensions"])) == [["operation", "service"], ["service"]]
        assert {metric["Name"] for metric in directive["Metrics"]} == {"Requests"}
        assert (line["operation"], line["service"]) == (function, "runstore")
        assert line["Requests"][0] >= 1
    assert table.database.requests >= 2


@pytest.mark.parametrize(("milliseconds_left", "slow"), [(0, [1.0]), (30_000, None)])
def test_an_invocation_that_nearly_ran_out_of_time_is_counted(
    table: Table, call: Call, output: Output, milliseconds_left: int, slow: list[float] | None
) -> None:
    """More than three quarters of the time-out is a slow invocation."""
    context = SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: milliseconds_left)
    call("set_value", {"runId": RUN, "key": "key", "value": 1}, context=context)
    _, (metrics,) = output.lines()
    assert metrics.get("SlowInvocations") == slow
    assert table.store().get("key") == 1


def test_failures_are_counted_by_name(table: Table, call: Call, output: Output) -> None:
    """A failure counts under the name of its class; one that the caller can mend is no defect."""
    with pytest.raises(InvalidValueError):
        call("set_value", runId=RUN, key="key", value=float("nan"))
    (line,), (metrics,) = output.lines()
    assert (line["level"], line["error"]) == ("WARNING", "InvalidValueError")
    assert (metrics["InvalidValueError"], metrics.get("Defects")) == ([1.0], None)
    assert table.items() == {}


def test_what_nobody_expected_is_logged_with_its_trace(
    table: Table, call: Call, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that is not the store's own goes on to Lambda, after a line that shows where it came from."""
    monkeypatch.setattr(table.client, "_call", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        call("get_value", runId=RUN, key="key")
    (line,), (metrics,) = output.lines()
    assert (line["level"], line["error"]) == ("ERROR", "ZeroDivisionError")
    assert (metrics["ZeroDivisionError"], metrics["Defects"]) == ([1.0], [1.0])
    assert "Traceback" in line["exception"]


def test_the_queries_of_the_docs_ask_for_what_is_logged(
    table: Table, call: Call, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each field of the Logs Insights queries on the page about debugging is in a log line."""
    call("set_value", runId=RUN, key="key", value=1)
    call("push_item", runId=RUN, key="list", item=1)
    with pytest.raises(InvalidValueError):
        call("set_value", runId=RUN, key="key", value=float("nan"))
    monkeypatch.setattr(table.client, "_call", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        call("get_value", runId=RUN, key="key")
    lines, _ = output.lines()
    logged = {name for line in lines for name in line}
    of_steps = {"run_id", "step_id", "action", "attempt"}  # tests/workflow/test_metrics.py holds workflows to them
    queries = fenced("docs/debugging.md", "text")
    assert len(queries) == 4
    for query in queries:
        bare = re.sub(r'"[^"]*"', "", query)
        aliases = set(re.findall(r"\bas (\w+)", bare))
        words = set(re.findall(r"(?<!@)\b[a-zA-Z_]+\b", bare))
        assert words - QUERY_WORDS - aliases <= logged | of_steps, query
    messages = set(re.findall(r'message = "([^"]*)"', "".join(queries)))
    assert messages == {"failed", "failed unexpectedly"} == {line["message"] for line in lines} - {"done"}


def test_a_process_of_its_own_prints_no_value() -> None:
    """Also in a fresh process, as Lambda starts one, with every log level on, nothing of a value is printed."""
    code = f"""
from runstore.dynamodb import defaults
from tests.simulation.client import Direct, SimulatedClient
from tests.simulation.database import Database
defaults.process.transport = defaults.transport_of(SimulatedClient(Direct(Database())))
import get_value, push_item, set_value
set_value.handler({{"runId": "r", "key": "k", "value": {SECRET!r}}}, None)
push_item.handler({{"runId": "r", "key": "l", "item": {SECRET!r}}}, None)
assert get_value.handler({{"runId": "r", "key": "k"}}, None)["value"] == {SECRET!r}
try:
    set_value.handler({{"runId": "r", "key": "k", "value": [{SECRET!r}, object()]}}, None)
except Exception as failure:
    print(failure)
"""
    paths = [path for path in sys.path if path]
    environment = {"PYTHONPATH": ":".join(paths), "RUNSTORE_TABLE": "runs", "POWERTOOLS_LOG_LEVEL": "DEBUG"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count('"operation":"set_value"') >= 2
    assert SECRET not in ended.stdout + ended.stderr
