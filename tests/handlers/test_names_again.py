"""An execution's name that is used again has the same ARN, and so the same run: what the later execution meets."""

import time

import pytest

from runstore import clock
from tests.handlers.conftest import RUN, Call, Table

DAY = 86_400
FREED = 90 * DAY  # how long after an execution's end Step Functions keeps its name
BRANCHES = 40  # more than one item holds
BEFORE_THE_FAILURE = 30


def _branches(call: Call, execution: str, count: int = BRANCHES) -> None:
    """Let the branches of a Map push and count, each with the token that it has in every execution."""
    for index in range(count):
        token = f"Branch#{index}"
        call("push_item", runId=RUN, key="results", item=[execution, "x" * 90], token=token)
        call("increment_counter", runId=RUN, key="done", token=token)


def _found(call: Call) -> tuple[dict[str, int], int]:
    """Return how many elements there are of each execution, and the counter."""
    results = call("get_value", runId=RUN, key="results")["value"] or []
    executions = [execution for execution, _ in results]
    counted = call("get_value", runId=RUN, key="done")["value"] or 0
    return {name: executions.count(name) for name in executions}, counted


def _fail(call: Call) -> None:
    """Report the execution's failure."""
    detail = {"executionArn": RUN, "status": "FAILED", "stopDate": int(time.time() + 5) * 1_000}
    event = {"source": "aws.states", "account": "123456789012", "region": "eu-central-1", "detail": detail}
    assert call("retire_run", {**event, "detail-type": "Step Functions Execution Status Change"})["retained"] > 2


def _wait_for_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    later = clock.now() + FREED + 10
    monkeypatch.setattr("runstore.clock.now", lambda: later)


def test_what_an_earlier_execution_left_counts(table: Table, call: Call) -> None:
    """Without a completion: its elements are in the list, and its receipts take the same tokens for repetitions."""
    _branches(call, "first", BEFORE_THE_FAILURE)
    _branches(call, "second")
    mixed = {"first": BEFORE_THE_FAILURE, "second": BRANCHES - BEFORE_THE_FAILURE}
    assert _found(call) == (mixed, BRANCHES)
    assert len(table.items()[RUN]) > 2


def test_complete_run_as_the_first_state(table: Table, call: Call) -> None:
    """It deletes elements and receipts; a run that has nothing loses nothing; then every branch counts once."""
    assert call("complete_run", runId=RUN)["deleted"] == 0
    _branches(call, "first", BEFORE_THE_FAILURE)
    assert call("complete_run", runId=RUN)["deleted"] > 2
    assert table.items().get(RUN, {}) == {}
    assert _found(call) == ({}, 0)
    for _ in range(2):
        _branches(call, "second")
        assert _found(call) == ({"second": BRANCHES}, BRANCHES)


@pytest.mark.parametrize("retention", ["30", "89"])
def test_a_failed_run_has_expired_when_its_name_is_free(
    table: Table, call: Call, monkeypatch: pytest.MonkeyPatch, retention: str
) -> None:
    """With a retention below 90 days nothing is met, even of items that DynamoDB has not deleted yet."""
    monkeypatch.setenv("RUNSTORE_FAILED_RETENTION_DAYS", retention)
    _branches(call, "first", BEFORE_THE_FAILURE)
    _fail(call)
    assert len(table.items()[RUN]) > 2
    _wait_for_the_name(monkeypatch)
    assert _found(call) == ({}, 0)
    _branches(call, "second")
    assert _found(call) == ({"second": BRANCHES}, BRANCHES)


def test_a_longer_retention_needs_complete_run_first(table: Table, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed run that is kept for more than 90 days is met by the execution that has its name next."""
    monkeypatch.setenv("RUNSTORE_FAILED_RETENTION_DAYS", "91")
    _branches(call, "first", BEFORE_THE_FAILURE)
    _fail(call)
    _wait_for_the_name(monkeypatch)
    assert _found(call) == ({"first": BEFORE_THE_FAILURE}, BEFORE_THE_FAILURE)
    assert call("complete_run", runId=RUN)["deleted"] > 2
    assert table.items().get(RUN, {}) == {}
