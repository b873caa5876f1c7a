"""The command against the local stack: runs from Step Functions, names, steps, and a run that is watched."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runstore import RunStore
from runstore_inspector import history
from runstore_inspector.connection import Connection, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.local import LocalStack
    from runstore_inspector.history import Span
    from tests.inspector.conftest import Cli

SECONDS = 90
ROOT = Path(__file__).parents[2]


def started(stack: LocalStack, machine: str, name: str, document: Any) -> str:
    """Start an execution with this name and return its ARN."""
    arn: str = stack.client("stepfunctions").start_execution(
        stateMachineArn=stack.outputs[f"{machine}Arn"], name=name, input=json.dumps(document)
    )["executionArn"]
    return arn


def order(items: int, seconds: int) -> dict[str, Any]:
    """Return the input of the example workflow class."""
    lines = [{"id": f"item-{number}"} for number in range(items)]
    return {"data": {"customer": {"id": "c-1"}, "line_items": lines, "delaySeconds": seconds}, "headers": {}}


def test_runs_are_listed_from_step_functions(stack: LocalStack, stack_cli: Cli) -> None:
    """The newest first, with status, keys and size; by status, name and machine; without the engine's own children."""
    running = started(stack, "OrderWorkflow", "listed-running", order(3, 60))
    failed = started(stack, "OrderWorkflow", "listed-failed", {"data": {}, "headers": {}})
    stack.wait(failed)
    RunStore(failed, table_name=stack.table_name, client=stack.client("dynamodb")).set("left", "x" * 1_000)
    listed = stack_cli.document("runs", "--name", "listed-", "--stack", stack.name)["runs"]
    assert [(run["name"], run["status"]) for run in listed] == [
        ("listed-failed", "FAILED"),
        ("listed-running", "RUNNING"),
    ]
    assert (listed[0]["keys"], listed[0]["bytes"] > 1_000) == (1, True)
    assert [run["run"] for run in stack_cli.document("runs", "--status", "running", "--name", "listed")["runs"]] == [
        running
    ]
    machine = stack.outputs["OrderFanoutArn"]
    assert not [run for run in stack_cli.document("runs", "--machine", machine)["runs"] if "listed" in run["name"]]
    assert not [run for run in stack_cli.document("runs")["runs"] if run["name"].startswith("runstore-child-")]
    heading, *lines = stack_cli.lines("runs", "--name", "listed")
    assert heading.split() == ["STATUS", "RUN", "MACHINE", "AGE", "TOOK", "KEYS", "SIZE"]
    assert [line.split()[:2] for line in lines] == [["FAILED", "listed-failed"], ["RUNNING", "listed-running"]]
    stack.client("stepfunctions").stop_execution(executionArn=running)


def test_a_run_has_a_name_and_an_arn(stack: LocalStack, stack_cli: Cli) -> None:
    """Both show the same run; a mistyped name says so and names near ones."""
    arn = started(stack, "OrderWorkflow", "by-its-name", order(2, 60))
    deadline = time.monotonic() + SECONDS
    while len((by_name := stack_cli.document("show", "by-its-name")).get("steps", [])) < 3:
        assert time.monotonic() < deadline, by_name
        time.sleep(0.2)
    assert by_name["run"] == arn == stack_cli.document("show", arn)["run"]
    assert [(step["action"], step["status"]) for step in by_name["steps"]] == [
        ("start", "done"),
        ("process_item", "waiting"),
        ("process_item", "waiting"),
    ]
    assert stack_cli.document("get", "by-its-name", "customerId")["value"] == "c-1"
    stack_cli.lines("set", "by-its-name", "note", "by hand")
    assert RunStore(arn, table_name=stack.table_name, client=stack.client("dynamodb")).get("note") == "by hand"
    code, line = stack_cli.failure("show", "by-its-nam")
    assert (code, "Near: by-its-name" in line) == (1, True)
    code, line = stack_cli.failure("show", arn + "x")
    assert (code, "Near: by-its-name" in line) == (1, True)
    stack.client("stepfunctions").stop_execution(executionArn=arn)


def test_the_failed_step_and_its_error_are_shown(stack: LocalStack, stack_cli: Cli) -> None:
    """`show` has the error at the top and the step that failed, with its attempts."""
    stack.wait(started(stack, "OrderWorkflow", "shown-failed", {"data": {"customer": {}}, "headers": {}}))
    (step,) = stack_cli.document("show", "shown-failed")["steps"]
    assert (step["action"], step["status"], step["attempts"], step["error"]) == ("start", "failed", 3, "KeyError")
    lines = stack_cli.lines("show", "shown-failed")
    assert [line for line in lines if line.startswith("error") and "KeyError: 'id'" in line]
    assert [line for line in lines if re.match(r"1 +start +failed +3 .* KeyError: 'id'", line)]


def test_redacted_output_holds_nothing_of_the_run_s_data(stack: LocalStack, stack_cli: Cli) -> None:
    """--redact shows keys, kinds, sizes and the errors' names: no value, element or counter, and no error's text."""
    arn = started(stack, "OrderWorkflow", "redacted", {"data": {"customer": {}}, "headers": {}})
    stack.wait(arn)
    store = RunStore(arn, table_name=stack.table_name, client=stack.client("dynamodb"))
    store.set("text", "secret")
    store.set("object", {"field": "secret"})
    store.push_many("list", ["secret"] * 300)
    store.increment("counter", 987_654_321)
    keys = store.keys()
    commands = [("show", "redacted"), ("watch", "redacted"), *(("show", "redacted", key) for key in keys)]
    shown = [stack_cli.run(*command, "--redact", *json) for command in commands for json in ((), ("--json",))]
    assert [each.exit_code for each in shown] == [0] * len(shown)
    assert not [each.output for each in shown if re.search("secret|987654321|'id'", each.output)]
    assert all("redacted" in each.output for each in shown[::2])
    document = stack_cli.document("show", "redacted", "--redact")
    assert [(step["error"], step["message"]) for step in document["steps"]] == [("KeyError", "redacted")]
    assert {(key["key"], "value" in key, key["bytes"] > 0) for key in document["keys"]} == {
        (key, False, True) for key in keys
    }
    assert "secret" in "".join(stack_cli.lines("show", "redacted"))


def test_a_stack_is_found_inside_another_one(stack: LocalStack, stack_cli: Cli) -> None:
    """--stack takes the stack that nests the store's: the table is the nested one's, and so are the machines."""
    role = stack.client("iam").list_roles()["Roles"][0]["Arn"]
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"RoleArn": role, "DefinitionString": '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}'},
    }
    outputs = {"TableName": {"Value": stack.table_name}}
    address = f"{stack.endpoint}/packages/inner.template"
    inner = {"Resources": {"Machine": machine}, "Outputs": outputs}
    stack.client("s3").put_object(Bucket="packages", Key="inner.template", Body=json.dumps(inner).encode())
    outer = {"Resources": {"Store": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": address}}}}
    formation = stack.client("cloudformation")
    formation.create_stack(StackName="outer", TemplateBody=json.dumps(outer), Capabilities=["CAPABILITY_IAM"])
    formation.get_waiter("stack_create_complete").wait(StackName="outer")
    (nested,) = formation.list_stack_resources(StackName="outer")["StackResourceSummaries"]
    made = formation.describe_stack_resource(StackName=nested["PhysicalResourceId"], LogicalResourceId="Machine")
    arn = stack.client("stepfunctions").start_execution(
        stateMachineArn=made["StackResourceDetail"]["PhysicalResourceId"], name="in-a-nested-stack"
    )["executionArn"]
    found = stack_cli.document("runs", "--stack", "outer")
    assert [run["run"] for run in found["runs"]] == [arn]
    RunStore(arn, table_name=stack.table_name, client=stack.client("dynamodb")).set("k", 1)
    assert stack_cli.document("get", "in-a-nested-stack", "k", "--stack", "outer")["value"] == 1
    formation.delete_stack(StackName="outer")


def test_a_redriven_run_s_states_are_shown_once(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was stopped goes on after the redrive, on the same line of the timeline, and ends well."""
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)
    connection = Connection(Target(stack.table_name))
    document = {"customer": {"id": "c"}, "line_items": [{"id": 1}, {"id": 2}], "delaySeconds": 3}
    arn = started(stack, "OrderFanout", "redriven", document)
    deadline = time.monotonic() + SECONDS
    while not [span for span in states(connection, arn) if span.kind == "Wait"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    client = stack.client("stepfunctions")
    client.stop_execution(executionArn=arn)
    assert stack.wait(arn).status == "ABORTED"
    before = states(connection, arn)
    assert "stopped" in {span.status for span in before}
    client.redrive_execution(executionArn=arn)
    assert stack.wait(arn).status == "SUCCEEDED"
    after = states(connection, arn)
    assert {span.status for span in after} == {"done"}
    names = [(span.name, span.kind, span.parent and span.parent.name) for span in after]
    assert len(names) == len(set(names)), names


def states(connection: Connection, arn: str) -> tuple[Span, ...]:
    """Return the spans of an execution's timeline."""
    found = history.read(connection, arn)
    return found.spans if found else ()


def test_runs_that_only_the_table_knows_are_found_by_a_scan(stack: LocalStack, stack_cli: Cli) -> None:
    """--scan says what it costs before it reads, and finds any run id."""
    RunStore("no execution", table_name=stack.table_name, client=stack.client("dynamodb")).set("k", 1)
    done = stack_cli.run("runs", "--scan", "--name", "no execution")
    assert "no execution" in done.stdout
    assert "read units" in done.stderr.splitlines()[0]
    (run,) = stack_cli.document("runs", "--scan", "--name", "no execution")["runs"]
    assert "read units" in stack_cli.run("runs", "--scan", "--json").stderr
    assert (run["run"], run["keys"]) == ("no execution", 1)


def test_watching_in_a_pipe_tells_each_change_and_ends_with_the_run(stack: LocalStack, stack_cli: Cli) -> None:
    """A line for each change, until the execution has ended."""
    started(stack, "OrderWorkflow", "watched-lines", order(2, 2))
    lines = stack_cli.lines("watch", "watched-lines", "--interval", "0.2")
    assert lines[-1] in {"status: SUCCEEDED", "key results: deleted"} or "deleted" in lines[-1]
    assert "status: RUNNING" in lines
    assert "status: SUCCEEDED" in lines
    assert any(line.startswith("step 1.0.1 process_item: waiting") for line in lines)


@pytest.mark.parametrize("command", ["show", "watch"])
def test_on_a_terminal_there_are_tables_and_colours(stack: LocalStack, stack_cli: Cli, command: str) -> None:
    """In a real terminal a run is a table in colours; watching replaces it in place and ends with the run."""
    name = f"terminal-{command}"
    run_id = started(stack, "OrderWorkflow", name, order(2, 600))
    stop = partial(stack.client("stepfunctions").stop_execution, executionArn=run_id)
    if command == "show":
        shown = in_terminal(stack_cli, command, name)
        stop()
        assert "process_item" in shown or "start" in shown
    else:
        shown = in_terminal(stack_cli, command, name, once={"RUNNING": stop})
        assert "ABORTED" in shown
        assert "\x1b[1A" in shown or "\x1b[2K" in shown  # the cursor goes back over what it replaces
    assert "\x1b[" in shown
    assert "customerId" in shown or "start" in shown


def test_a_stored_text_steers_no_terminal(stack: LocalStack, stack_cli: Cli) -> None:
    """Escape sequences in keys and values are shown, not obeyed."""
    evil = "\x9b31mred\u202eright"
    store = RunStore("evil \u202e", table_name=stack.table_name, client=stack.client("dynamodb"))
    store.set("k\u202e", evil)
    store.set("v", {"\x1b]0;title\x07": evil})
    for command, *key in (("show",), ("show", "v"), ("get", "v"), ("get", "k")):
        shown = in_terminal(stack_cli, command, "evil \u202e", *key)
        assert not set(shown) & {"\x9b", "\u202e", "\x07"}
        assert "\x1b]" not in shown


def test_a_question_is_asked_on_a_terminal(stack: LocalStack, stack_cli: Cli) -> None:
    """Completing a run asks first; no is the default, and nothing happens."""
    store = RunStore("asked", table_name=stack.table_name, client=stack.client("dynamodb"))
    store.set("k", 1)
    assert "Delete everything of the run asked?" in in_terminal(stack_cli, "complete", "asked", answer="\n")
    assert store.keys() == ["k"]
    in_terminal(stack_cli, "complete", "asked", answer="y\n")
    assert store.keys() == []


def in_terminal(
    cli: Cli, *arguments: str, answer: str = "", once: Mapping[str, Callable[[], object]] | None = None
) -> str:
    """Run the command in a terminal of its own and return all that it writes there.

    `once` is what to do as soon as a text is shown.
    """
    leader, follower = pty.openpty()
    environment = {**os.environ, **cli.environment, "PYTHONPATH": f"{ROOT / 'functions'}:{ROOT / 'inspector'}"}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "140", "LINES": "40", "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "runstore_inspector", *arguments]
    with subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environment) as process:
        os.close(follower)
        if answer:
            os.write(leader, answer.encode())
        shown = _read(leader, process, dict(once or {}))
    os.close(leader)
    return shown


def _read(leader: int, process: subprocess.Popen[bytes], once: dict[str, Callable[[], object]]) -> str:
    shown, deadline = b"", time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        ready, _, _ = select.select([leader], [], [], 0.2)
        try:
            part = os.read(leader, 65_536) if ready else b""
        except OSError:  # Linux says so when the last process has closed the terminal
            part = b""
            ready = []
        shown += part
        for text in [each for each in once if each.encode() in shown]:
            once.pop(text)()
        if not part and (not ready) and process.poll() is not None:
            return shown.decode()
    process.kill()
    pytest.fail(f"{process.args!r} did not end: {shown.decode()!r}")
