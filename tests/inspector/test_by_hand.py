"""Changing a run by hand, with DynamoDB alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from runstore.workflow import state_machine_definition

if TYPE_CHECKING:
    from runstore import RunStore
    from tests.inspector.conftest import Cli


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ('{"a": [1, null]}', {"a": [1, None]}),
        ("-5", -5),
        ("2.5", 2.5),
        ("true", True),
        ("null", None),
        ('"5"', "5"),
        ("hello world", "hello world"),
        ("", ""),
    ],
)
def test_a_value_is_json_or_plain_text(cli: Cli, store: RunStore, given: str, stored: Any) -> None:
    """What is JSON is stored as it is, anything else as text, and get prints it as JSON."""
    cli.lines("set", "r", "k", given)
    assert store.find("k") == (True, stored)
    assert [json.loads(line) for line in cli.lines("get", "r", "k")] == [stored]
    assert cli.document("get", "r", "k") == {"key": "k", "value": stored}


def test_text_is_text_and_a_dash_is_standard_input(cli: Cli, store: RunStore) -> None:
    """--text takes anything as text; - takes JSON of any length from standard input."""
    cli.lines("set", "r", "t", "--text", "{5")
    cli.lines("set", "r", "long", "-", stdin=json.dumps(["x" * 40_000]))
    assert (store.get("t"), store.get("long")) == ("{5", ["x" * 40_000])


def test_push_and_increment_print_what_there_is_now(cli: Cli, store: RunStore) -> None:
    """A push prints the length, an increment the value; a token counts once."""
    assert [cli.lines("push", "r", "l", item) for item in ("1", '{"a": 2}', "three")] == [["1"], ["2"], ["3"]]
    assert store.get("l") == [1, {"a": 2}, "three"]
    assert cli.lines("increment", "r", "n", "--token", "t") == cli.lines("increment", "r", "n", "--token", "t") == ["1"]
    assert cli.lines("increment", "r", "n", "-2.5") == ["-1.5"]
    assert cli.document("increment", "r", "n", "10") == {"key": "n", "value": 8.5}


def test_delete_and_complete_ask_nobody_in_a_pipe(cli: Cli, store: RunStore) -> None:
    """A key and then the whole run are gone, without a question."""
    store.set("a", 1)
    store.set("b", 2)
    cli.lines("delete", "r", "a")
    assert store.keys() == ["b"]
    assert cli.document("complete", "r") == {"runId": "r", "deleted": 1}
    assert store.keys() == []


def test_part_of_a_list_is_read_by_itself(cli: Cli, store: RunStore) -> None:
    """--start and --limit print that part."""
    store.push_many("l", range(3_000))
    assert cli.document("get", "r", "l", "--start", "2990", "--limit", "3")["value"] == [2990, 2991, 2992]
    assert len(cli.document("get", "r", "l")["value"]) == 3_000


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("get", "r", "missing"), 1, "the key missing is not set in the run r"),
        (("get", "nowhere", "k"), 1, "no run nowhere"),
        (("show", "nowhere"), 1, "no run nowhere"),
        (("show", "r", "missing"), 1, "the key missing is not set"),
        (("delete", "nowhere", "k"), 1, "no run nowhere"),
        (("complete", "nowhere"), 1, "no run nowhere"),
        (("watch", "nowhere"), 1, "no run nowhere"),
        (("set", "r", "k", "{broken"), 2, "the value must be JSON"),
        (("set", "r", "k" * 513, "1"), 2, "513 bytes"),
        (("increment", "r", "k", "many"), 2, "DELTA must be a number"),
        (("set", "r", "k"), 2, "Missing argument"),
        (("get", "r", "k", "--nonsense"), 2, "nonsense"),
        (("runs", "--machine", "orders"), 2, "--machine must be the ARN of a state machine; got orders"),
        (("show", ""), 2, "run"),
        (("show", "r" * 1_025), 2, "1,024"),
        (("show", "r", ""), 2, "key"),
        (("show", "r", "--prefix", "k" * 1_025), 2, "prefix must be a string of 0 to 512"),
        (("show", "r", "\x1frecord"), 2, "key"),
        (("increment", "r", "text"), 3, "text"),
    ],
)
def test_exit_codes_tell_what_went_wrong(
    cli: Cli, store: RunStore, arguments: tuple[str, ...], code: int, says: str
) -> None:
    """1 not found, 2 wrong usage, 3 refused; the last line of standard error says why."""
    store.set("text", "no number")
    found, line = cli.failure(*arguments)
    assert (found, says in line) == (code, True), line


def test_a_run_that_is_not_known_begins_with_a_write(cli: Cli) -> None:
    """A write says so on standard error, because the name may be mistyped."""
    done = cli.run("set", "mistyped", "k", "1")
    assert (done.exit_code, "mistyped is new" in done.stderr) == (0, True)
    assert "is new" not in cli.run("set", "mistyped", "k", "2").stderr


def test_the_state_machine_of_this_version_is_printed(cli: Cli) -> None:
    """`runstore asl` prints workflow.asl.json as the package has it."""
    assert cli.run("asl").stdout == state_machine_definition()


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"RUNSTORE_TABLE": ""}, "no table is named: pass --table or --stack, or set RUNSTORE_TABLE"),
        ({"AWS_DEFAULT_REGION": ""}, "no AWS region is set: pass --region, or set AWS_REGION"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no AWS credentials were found: pass --profile"),
        ({"RUNSTORE_TABLE": "nowhere"}, "there is no such table: check --table"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "check --endpoint-url"),
        ({"AWS_PROFILE": "nobody"}, "aws configure list-profiles"),
    ],
)
def test_what_is_missing_is_said_in_one_line(cli: Cli, environment: dict[str, str], says: str) -> None:
    """A command that cannot ask AWS says what to pass or set."""
    cli.environment |= environment
    done = cli.run("show", "r")
    assert done.exit_code in {2, 3}
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
