"""Waits for events, joins and handled failures on the local stack: the examples, as a user would deploy them."""

import time
from typing import Any

import pytest

from infra.local import LocalStack
from runstore.workflow import InvalidEventTokenError, send_event
from tests.e2e.deploying import Machine, bundle, sample_workflow
from tests.e2e.waiting import eventually

EXPENSE = {"id": "e-1", "amount": 120}


def send(sample: Machine, token: str, body: Any) -> Any:
    """Send an event to the local stack."""
    return send_event(
        token,
        body,
        table_name=sample.stack.table_name,
        client=sample.stack.client("dynamodb"),
        stepfunctions=sample.stack.client("stepfunctions"),
    )


def test_an_expense_is_approved(stack: LocalStack) -> None:
    """The branch waits with a task token until the event comes, and the state is deleted in the end."""
    with sample_workflow(stack, "approval_workflow.handler", bundle()) as sample:
        run = sample.start({"data": {"expense": EXPENSE}})
        request = eventually(lambda: sample.state(run).get("request"))
        assert request is not None
        token = request["token"]
        time.sleep(2)
        assert sample.stack.describe(run).status == "RUNNING"
        assert send(sample, token, {"approved": True, "by": "ann"}) == {"runId": run, "accepted": True}
        execution = sample.stack.wait(run)
        assert execution.status == "SUCCEEDED", execution.cause
        assert execution.output == {"decision": {"expense": "e-1", "approved": True, "by": "ann"}, "paid": 120}
        assert sample.stack.items(run) == []
        with pytest.raises(InvalidEventTokenError):
            send(sample, token, {})


def test_an_import_goes_on_after_failed_rows(stack: LocalStack) -> None:
    """Chunks in parallel, a branch for each row, failures collected, and one report after all of it."""
    rows = [{"id": number, "price": 4 - number} for number in range(7)]
    with sample_workflow(stack, "import_workflow.handler", bundle()) as sample:
        execution = sample.run({"data": {"rows": rows, "chunkSize": 3}})
        assert execution.status == "SUCCEEDED", execution.cause
        assert (execution.output["rows"], execution.output["imported"]) == (7, 5)
        assert sorted(row["id"] for row in execution.output["failed"]) == [5, 6]
        assert sample.stack.items(execution.arn) == []
