"""Functions and the time that Lambda leaves them."""

from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any

import pytest

from runstore import IncompleteCompletionError
from tests.handlers.conftest import RUN, Call, Output, Table


def _context(*milliseconds: int) -> Any:
    """Return a context that says so much time is left, at each question the next, in the end always the last."""
    left = chain(milliseconds, repeat(milliseconds[-1]))
    return SimpleNamespace(aws_request_id="request-1", get_remaining_time_in_millis=lambda: next(left))


@pytest.mark.parametrize("context", [None, SimpleNamespace(), _context(900_000)], ids=["none", "empty", "lambda"])
def test_a_context_is_not_needed(table: Table, call: Call, context: Any) -> None:
    """The functions can be called without Lambda."""
    for number in range(30):
        table.store().set(f"key {number}", number)
    assert call("get_value", runId=RUN, key="key 3", context=context)["value"] == 3
    assert call("complete_run", runId=RUN, context=context) == {"runId": RUN, "deleted": 30}


def test_a_completion_stops_before_lambda_does(table: Table, call: Call, output: Output) -> None:
    """Near the time limit it raises the error that a Retry lists; calling again goes on until nothing is left."""
    for number in range(130):
        table.store().set(f"key {number}", number)
    with pytest.raises(IncompleteCompletionError, match=r"after 50 items of the run\. Call again") as caught:
        call("complete_run", runId=RUN, context=_context(30_000, 30_000, 30_000, 30_000, 4_000))
    assert (caught.value.done, caught.value.run_id, caught.value.operation) == (50, RUN, "complete")
    assert len(table.items()[RUN]) == 80
    assert call("complete_run", runId=RUN, context=_context(30_000)) == {"runId": RUN, "deleted": 80}
    assert call("complete_run", runId=RUN, context=_context(30_000)) == {"runId": RUN, "deleted": 0}
    lines, metrics = output.lines()
    assert [line.get("error") for line in lines] == ["IncompleteCompletionError", None, None]
    assert [line.get("IncompleteCompletionError") for line in metrics] == [[1.0], None, None]


def test_a_short_time_limit_is_used(table: Table, call: Call) -> None:
    """A function with a time limit of three seconds, shorter than the usual reserve, completes a small run."""
    table.store().set("key", 1)
    assert call("complete_run", runId=RUN, context=_context(3_000, 2_900))["deleted"] == 1


def test_a_retirement_stops_before_lambda_does(table: Table, call: Call) -> None:
    """retire_run does the same, and EventBridge calls it again."""
    for number in range(40):
        table.store().set(f"key {number}", number)
    event = {
        "source": "aws.states",
        "account": "123456789012",
        "region": "eu-central-1",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"executionArn": RUN, "status": "SUCCEEDED", "stopDate": 1},
    }
    with pytest.raises(IncompleteCompletionError):
        call("retire_run", event, context=_context(30_000, 30_000, 30_000, 1_000))
    assert call("retire_run", event, context=_context(30_000))["deleted"] == 15
    assert table.items()[RUN] == {}
