"""retire_run and the events that EventBridge sends it."""

import json
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runstore import InvalidRequestError, InvalidRunIdError
from tests.handlers.conftest import RUN, Call, Output, Table

ROOT = Path(__file__).parents[2]
DAY = 86_400


def _event(status: str, **detail: Any) -> dict[str, Any]:
    """Return an event as Step Functions sends it."""
    return {
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73e60175",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": "123456789012",
        "time": "2026-11-22T16:00:00Z",
        "region": "eu-central-1",
        "resources": [RUN],
        "detail": {
            "executionArn": RUN,
            "stateMachineArn": "arn:aws:states:eu-central-1:123456789012:stateMachine:orders",
            "name": "7",
            "status": status,
            "startDate": 1_795_000_000_000,
            "stopDate": None,
            "input": "{}",
            "inputDetails": {"included": True},
            "output": None,
            "error": None,
            "cause": None,
            **detail,
        },
    }


def _expiries(table: Table) -> set[int]:
    return {int(item["expires_at"]["N"]) for item in table.items()[RUN].values()}


@pytest.fixture
def stopped(table: Table) -> int:
    """Two items of a run, and a moment after they were written, in epoch milliseconds."""
    table.store().set("a", 1)
    table.store().push("b", 1)
    return int(time.time() * 1_000) + 5_000


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_failed_run_is_kept_for_the_retention(table: Table, call: Call, stopped: int, status: str) -> None:
    """Its items expire 30 days after its end, or what the environment says."""
    answer = {"runId": RUN, "status": status, "deleted": 0, "retained": 2}
    assert call("retire_run", _event(status, stopDate=stopped)) == answer
    assert _expiries(table) == {-(-stopped // 1_000) + 30 * DAY}


def test_the_retention_is_a_setting(table: Table, call: Call, stopped: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """RUNSTORE_FAILED_RETENTION_DAYS decides; 0 deletes at once."""
    monkeypatch.setenv("RUNSTORE_FAILED_RETENTION_DAYS", "7")
    call("retire_run", _event("FAILED", stopDate=stopped))
    assert _expiries(table) == {-(-stopped // 1_000) + 7 * DAY}
    monkeypatch.setenv("RUNSTORE_FAILED_RETENTION_DAYS", "0")
    answer = {"runId": RUN, "status": "FAILED", "deleted": 2, "retained": 0}
    assert call("retire_run", _event("FAILED", stopDate=stopped)) == answer


def test_success_deletes(table: Table, call: Call, stopped: int) -> None:
    """The items of a run that succeeded are deleted; again is safe."""
    event = _event("SUCCEEDED", stopDate=stopped, output="{}")
    assert call("retire_run", event) == {"runId": RUN, "status": "SUCCEEDED", "deleted": 2, "retained": 0}
    assert call("retire_run", event)["deleted"] == 0
    assert table.store().keys() == []


def test_a_redrive_restores(table: Table, call: Call, stopped: int) -> None:
    """RUNNING after a redrive restores the full time; the failure's event, should it come again, changes nothing."""
    failed = _event("FAILED", stopDate=stopped, redriveCount=0)
    call("retire_run", failed)
    redriven = _event("RUNNING", redriveCount=1, redriveDate=stopped + 60_000)
    assert call("retire_run", redriven) == {"runId": RUN, "status": "RUNNING", "deleted": 0, "retained": 2}
    restored = {-(-(stopped + 60_000) // 1_000) + 366 * DAY}
    assert _expiries(table) == restored
    call("retire_run", failed)
    assert _expiries(table) == restored


def test_what_an_event_left_alone_is_logged(
    table: Table, call: Call, output: Output, stopped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items of a writer with more days are left to expire by themselves; the log line says how many they are."""
    assert len(table.items()[RUN]) == 2
    monkeypatch.setenv("RUNSTORE_TTL_DAYS", "90")
    assert call("retire_run", _event("FAILED", stopDate=stopped))["retained"] == 0
    (line,), _ = output.lines()
    assert (line["deleted"], line["retained"], line["skipped"]) == (0, 0, 2)


def test_a_start_changes_nothing(table: Table, call: Call, stopped: int) -> None:
    """RUNNING without a redrive is the start of an execution."""
    before = table.items()
    assert call("retire_run", _event("RUNNING", startDate=stopped))["retained"] == 0
    assert table.items() == before


def test_an_event_without_a_stop_date(table: Table, call: Call, stopped: int) -> None:
    """The event's own time takes its place: what is older than that is kept for the retention from then on."""
    event = {**_event("ABORTED"), "time": "2099-01-01T00:00:00Z"}
    assert call("retire_run", event)["retained"] == 2
    assert _expiries(table) == {4_070_908_800 + 30 * DAY}
    assert stopped


@pytest.mark.parametrize("when", [None, "yesterday", 7, "0001-01-01T00:00:00", "1969-12-31T00:00:00Z"], ids=repr)
def test_an_event_without_any_time(table: Table, call: Call, stopped: int, when: Any) -> None:
    """The time of the invocation takes its place."""
    call("retire_run", {**_event("ABORTED"), "time": when})
    assert all(abs(expiry - stopped // 1_000 - 30 * DAY) < 600 for expiry in _expiries(table))


ELSEWHERE = RUN.replace("eu-central-1", "us-east-1")
FOREIGN = RUN.replace("123456789012", "210987654321")

BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "empty": ({}, InvalidRequestError, "the event must be EventBridge's 'Step Functions Execution Status Change'"),
    "another source": ({**_event("FAILED"), "source": "mine"}, InvalidRequestError, "source must be 'aws.states'; got"),
    "no source": ({**_event("FAILED"), "source": None}, InvalidRequestError, "source must be 'aws.states'; got None"),
    "a run that is no execution": (_event("FAILED", executionArn="7"), InvalidRequestError, "with '7'"),
    "a region of another": (
        _event("FAILED", executionArn=ELSEWHERE),
        InvalidRequestError,
        "region 'eu-central-1'; got",
    ),
    "an account of another": (
        _event("FAILED", executionArn=FOREIGN),
        InvalidRequestError,
        "account '123456789012' and",
    ),
    "another event": ({**_event("FAILED"), "detail-type": "Scheduled Event"}, InvalidRequestError, "; got another one"),
    "no detail": ({**_event("FAILED"), "detail": None}, InvalidRequestError, "detail must be the object"),
    "no status": (_event(cast("str", None)), InvalidRequestError, "detail.status must be text"),
    "a numeric status": (_event(cast("str", 3)), InvalidRequestError, "detail.status"),
    "no execution": (_event("FAILED", executionArn=None), InvalidRunIdError, "runId must be a string of 1 to 1,024"),
    "an empty execution": (_event("FAILED", executionArn=""), InvalidRunIdError, "; got an empty string"),
    "a negative count": (
        _event("RUNNING", redriveCount=-1),
        InvalidRequestError,
        "detail.redriveCount must be a whole number from 0 to 1,000,000; got -1",
    ),
    "a count of text": (
        _event("RUNNING", redriveCount="one"),
        InvalidRequestError,
        "redriveCount must be a whole number",
    ),
    "a huge count": (_event("RUNNING", redriveCount=10**30), InvalidRequestError, "; got a huge number"),
    "a date of text": (
        _event("FAILED", stopDate="now"),
        InvalidRequestError,
        "detail.stopDate must be epoch milliseconds; got 'now'",
    ),
    "a truth for a date": (_event("FAILED", stopDate=True), InvalidRequestError, "; got True"),
    "a date before all": (_event("FAILED", stopDate=-(10**14)), InvalidRequestError, "; got -1000000000"),
    "a date of zero": (_event("FAILED", stopDate=0), InvalidRequestError, "epoch milliseconds; got 0"),
    "microseconds": (_event("FAILED", stopDate=1_795_000_000_000_000), InvalidRequestError, "; got 1795000000000000"),
    "a date of ages": (_event("FAILED", stopDate=1e300), InvalidRequestError, "; got 1e+300"),
    "a date of infinity": (_event("FAILED", stopDate=float("inf")), InvalidRequestError, "; got inf"),
    "no number": (_event("FAILED", stopDate=float("nan")), InvalidRequestError, "; got nan"),
    "a redrive before all": (
        _event("RUNNING", redriveCount=1, redriveDate=-(10**14)),
        InvalidRequestError,
        "detail.redriveDate must be epoch milliseconds; got -1",
    ),
}


def _context(arn: str) -> SimpleNamespace:
    return SimpleNamespace(aws_request_id="1", invoked_function_arn=arn)


@pytest.mark.parametrize("place", ["eu-central-1:210987654321", "us-east-1:123456789012"])
def test_executions_of_another_account_or_region_are_left_alone(
    table: Table, call: Call, stopped: int, place: str
) -> None:
    """The function's own ARN says whose executions it retires; an event that agrees with itself is not enough."""
    before = table.items()
    event = _event("FAILED", stopDate=stopped)
    with pytest.raises(InvalidRequestError, match=r"must be of account '\d+' and region '[\w-]+'; got an event of"):
        call("retire_run", event, context=_context(f"arn:aws:lambda:{place}:function:retire-run"))
    assert table.items() == before
    own = "arn:aws:lambda:eu-central-1:123456789012:function:retire-run:live"
    assert call("retire_run", event, context=_context(own))["retained"] == 2


def _transformed(event: dict[str, Any], missing: str) -> dict[str, Any]:
    """Return what the rule's input transformer makes of an event: text, with `missing` for what the event lacks."""
    reader = pytest.importorskip(
        "samtranslator.yaml_helper", reason="the oldest dependencies have no reader of templates"
    )
    template = reader.yaml_parse((ROOT / "template.yaml").read_text("utf-8"))
    transformer = template["Resources"]["ExecutionEnds"]["Properties"]["Targets"][0]["InputTransformer"]

    def value(path: str) -> str:
        found: Any = event
        for name in path.removeprefix("$.").split("."):
            found = found.get(name)
        return missing if found is None else str(found)

    values = {name: value(path) for name, path in transformer["InputPathsMap"].items()}
    text = re.sub(r"<(\w+)>", lambda found: values[found[1]], transformer["InputTemplate"])
    reduced: dict[str, Any] = json.loads(text)
    return reduced


@pytest.mark.parametrize("missing", ["", "null"])
@pytest.mark.parametrize("redrives", [None, 0, 3])
def test_what_the_rule_passes_on_is_enough(
    table: Table, call: Call, stopped: int, missing: str, redrives: int | None
) -> None:
    """The reduced event does what the whole one does, and holds nothing that the execution was given."""
    event = _event("FAILED", stopDate=stopped, redriveCount=redrives, input='{"card": 4111}')
    reduced = _transformed(event, missing)
    assert "4111" not in json.dumps(reduced)
    answer = call("retire_run", event)
    expected = table.items()
    table.store().set("a", 1)
    table.store().set("b", [1])
    assert call("retire_run", reduced) == answer
    assert {item["retired"]["N"] for item in table.items()[RUN].values()} == {str(2 * (redrives or 0) + 1)}
    assert {item["expires_at"]["N"] for item in table.items()[RUN].values()} == {
        item["expires_at"]["N"] for item in expected[RUN].values()
    }


def test_a_run_with_the_name_of_a_child_is_retired(table: Table, call: Call) -> None:
    """The engine's children are named so; their own ARNs have no items, and anyone else's execution counts."""
    run = RUN.replace(":7", ":runstore-child-7")
    table.store(run).set("key", 1)
    event = _event("SUCCEEDED", executionArn=run, name="runstore-child-7", stopDate=int(time.time() * 1_000) + 5_000)
    assert call("retire_run", event)["deleted"] == 1


@pytest.mark.parametrize(("event", "error", "said"), BAD.values(), ids=BAD.keys())
@pytest.mark.usefixtures("stopped")
def test_a_malformed_event(  # noqa: PLR0913 the event and what comes of it
    *, table: Table, call: Call, output: Output, event: dict[str, Any], error: type[Exception], said: str
) -> None:
    """It is refused with what is wrong in it, and nothing is written."""
    before = table.items()
    with pytest.raises(error) as caught:
        call("retire_run", event)
    assert said in str(caught.value)
    assert table.items() == before
    (line,), _ = output.lines()
    assert (line["operation"], line["error"]) == ("retire_run", error.__name__)
