"""Waits for events, joins and handled failures on the local stack: the examples, as a user would deploy them."""

import time
from typing import Any

import pytest

from infra.local import LocalStack, examples
from infra.local.project import LocalStackError
from runstore import RunStore
from runstore.store import table_of
from runstore.workflow import InvalidEventTokenError, send_event
from runstore.workflow.proofs import read_token
from runstore.workflow.waits import WaitRecords
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


def test_the_demo_says_that_nothing_was_asked_for(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workflow that stores no request ends the demo with one line, not with a traceback."""
    monkeypatch.setattr(examples, "WAIT_SECONDS", 0.0)
    with pytest.raises(LocalStackError, match="must store its request"):
        examples.approve(stack, "no-request")


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


def test_the_function_wakes_a_branch_that_waits(stack: LocalStack) -> None:
    """send_event runs under its own role, which may answer the task tokens of state machines."""
    run = stack.start_execution("ApprovalWorkflow", {"data": {"expense": EXPENSE}})
    store = RunStore(run, table_name=stack.table_name, client=stack.client("dynamodb"))
    request = eventually(lambda: store.get("request"))
    parsed = read_token(request["token"])
    waits = WaitRecords(table_of(store), parsed.step_id, parsed.wait)
    assert eventually(waits.waiters), "nothing waits with a task token"
    sent = stack.invoke("send_event", {"token": request["token"], "body": {"approved": False, "by": "bob"}})
    assert sent == {"runId": run, "accepted": True}
    assert stack.wait(run).output["decision"] == {"expense": "e-1", "approved": False, "by": "bob"}


def test_an_import_goes_on_after_failed_rows(stack: LocalStack) -> None:
    """Chunks in parallel, a branch for each row, failures collected, and one report after all of it."""
    rows = [{"id": number, "price": 4 - number} for number in range(7)]
    with sample_workflow(stack, "import_workflow.handler", bundle()) as sample:
        execution = sample.run({"data": {"rows": rows, "chunkSize": 3}})
        assert execution.status == "SUCCEEDED", execution.cause
        assert (execution.output["rows"], execution.output["imported"]) == (7, 5)
        assert sorted(row["id"] for row in execution.output["failed"]) == [5, 6]
        assert sample.stack.items(execution.arn) == []
