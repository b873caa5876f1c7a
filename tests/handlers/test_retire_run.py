"""retire_run and the events that EventBridge sends it."""

import time
from typing import Any, cast

import pytest

from runstore import InvalidRequestError, InvalidRunIdError
from tests.handlers.conftest import RUN, Call, Output, Table

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
    assert (line["deleted"], line["retained"], line["left"]) == (0, 0, 2)


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


BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "empty": ({}, InvalidRequestError, "the event is not EventBridge's 'Step Functions Execution Status Change'"),
    "another event": ({**_event("FAILED"), "detail-type": "Scheduled Event"}, InvalidRequestError, "takes no other"),
    "no detail": ({**_event("FAILED"), "detail": None}, InvalidRequestError, "detail is missing"),
    "no status": (_event(cast("str", None)), InvalidRequestError, "detail.status is missing"),
    "a numeric status": (_event(cast("str", 3)), InvalidRequestError, "detail.status"),
    "no execution": (_event("FAILED", executionArn=None), InvalidRunIdError, "runId must be a string of 1 to 1,024"),
    "an empty execution": (_event("FAILED", executionArn=""), InvalidRunIdError, "; got an empty string"),
    "a negative count": (_event("RUNNING", redriveCount=-1), InvalidRequestError, "detail.redriveCount is -1"),
    "a count of text": (_event("RUNNING", redriveCount="1"), InvalidRequestError, "detail.redriveCount is '1'"),
    "a huge count": (_event("RUNNING", redriveCount=10**30), InvalidRequestError, "is a huge number: it takes a whole"),
    "a date of text": (_event("FAILED", stopDate="now"), InvalidRequestError, "'now': it takes epoch milliseconds"),
    "a truth for a date": (_event("FAILED", stopDate=True), InvalidRequestError, "detail.stopDate is True"),
    "a date before all": (_event("FAILED", stopDate=-(10**14)), InvalidRequestError, "detail.stopDate is -1000000000"),
    "a date of zero": (_event("FAILED", stopDate=0), InvalidRequestError, "detail.stopDate is 0: it takes epoch"),
    "microseconds": (_event("FAILED", stopDate=1_795_000_000_000_000), InvalidRequestError, "is 1795000000000000"),
    "a date of ages": (_event("FAILED", stopDate=1e300), InvalidRequestError, "is 1e+300: it takes epoch milliseconds"),
    "a date of infinity": (_event("FAILED", stopDate=float("inf")), InvalidRequestError, "detail.stopDate is inf"),
    "no number": (_event("FAILED", stopDate=float("nan")), InvalidRequestError, "detail.stopDate is nan"),
    "a redrive before all": (
        _event("RUNNING", redriveCount=1, redriveDate=-(10**14)),
        InvalidRequestError,
        "detail.redriveDate is -1",
    ),
}


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
