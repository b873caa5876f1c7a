"""Claims about runs: the examples, workflow classes, failures, aborts, redrives and what becomes of the state."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from infra.local import FunctionError
from runstore import RunStore
from runstore.workflow import send_event
from tests.aws.claims import Claim, RefutedError
from tests.aws.cost import Usage
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from infra.local import Execution
    from tests.aws.stacks import Deployment

DAY: Final = 86_400
UNWATCHED: Final = "its rule does not watch the samples"


def expect(condition: object, seen: object) -> None:
    """Refute the claim unless the condition holds."""
    if not condition:
        raise RefutedError(str(seen)[:500])


def _start(deployment: Deployment, machine_arn: str, document: Any) -> str:
    client = deployment.stack.client("stepfunctions")
    return str(client.start_execution(stateMachineArn=machine_arn, input=json.dumps(document))["executionArn"])


def run_sample(deployment: Deployment, **data: Any) -> Execution:
    """Run the sample workflow to its end."""
    return deployment.stack.wait(_start(deployment, deployment.samples["SampleArn"], {"data": data}))


def _store(deployment: Deployment, run_id: str) -> RunStore:
    stack = deployment.stack
    return RunStore(run_id, table_name=stack.table_name, client=stack.client("dynamodb"))


def _order(deployment: Deployment) -> str:
    items = [{"id": f"item-{number}"} for number in range(20)]
    document = {"customer": {"id": "c"}, "line_items": items, "delaySeconds": 1}
    done = deployment.stack.run("OrderFanout", document)
    expect(done.status == "SUCCEEDED", done)
    left = deployment.stack.items(done.arn)
    expect(not left, f"{len(left)} items are left")
    return "20 branches, and no item of the run is left"


def _examples(deployment: Deployment) -> str:
    mail = deployment.stack.run("SendEmailWorkflow", {"data": {"customer": {"id": "c"}}})
    expect(mail.output == {"sentTo": ["c"]}, mail)
    items = [{"id": number} for number in range(12)]
    order = deployment.stack.run(
        "OrderWorkflow", {"data": {"customer": {"id": "c"}, "line_items": items, "delaySeconds": 1}}
    )
    expect(order.status == "SUCCEEDED" and order.output["processedCount"] == len(items), order)
    return f"SendEmailWorkflow and OrderWorkflow, with {len(items)} branches"


def _join(deployment: Deployment) -> str:
    done = run_sample(deployment, kind="join", width=10)
    expect(done.status == "SUCCEEDED" and done.output["joinedAfter"] == 10, done)
    return "the join ran once all 10 branches had been counted"


def _wide_join(deployment: Deployment) -> str:
    done = run_sample(deployment, kind="join", width=90)
    expect(done.status == "SUCCEEDED" and done.output["joinedAfter"] == 90, done)
    return "the join ran after 90 branches in child executions"


def _on_failure(deployment: Deployment) -> str:
    done = run_sample(deployment, kind="handled", width=2)
    expect(done.status == "SUCCEEDED" and done.output["failures"] == ["broken on purpose"] * 2, done)
    return "both failures were handled, and the run succeeded"


def _wait_for_event(deployment: Deployment) -> str:
    stack = deployment.stack
    arn = _start(deployment, deployment.samples["SampleArn"], {"data": {"kind": "wait"}})
    token = eventually(lambda: _store(deployment, arn).get("token"))
    expect(token, "no token was stored")
    first = stack.invoke("send_event", {"token": token, "body": {"ok": True}})
    try:
        second = stack.invoke("send_event", {"token": token, "body": {"ok": False}})["accepted"]
    except FunctionError as over:  # the run has ended already
        second = over.name
    done = stack.wait(arn)
    expect(done.status == "SUCCEEDED" and done.output["answer"] == {"ok": True}, done)
    expect(first["accepted"] and second in {False, "InvalidEventTokenError"}, (first, second))
    return "the function's first event woke the branch, its second was not accepted"


def _failing_run(deployment: Deployment) -> str:
    done = run_sample(deployment, kind="broken")
    expect((done.status, done.error) == ("FAILED", "PermanentError"), done)
    longest = eventually(lambda: _expires_within(deployment, done.arn, 40))
    expect(longest, "the items still expire in a year: retire_run has not handled the event")
    return "the run failed with its step's error, and the real event made retire_run keep the state for 30 days"


def _expires_within(deployment: Deployment, run_id: str, days: int) -> bool:
    expiries = [int(item["expires_at"]["N"]) for item in deployment.stack.items(run_id)]
    return bool(expiries) and max(expiries) < time.time() + days * DAY


def _abort(deployment: Deployment) -> str:
    stack, machine = deployment.stack, deployment.samples["SampleArn"]
    client = stack.client("stepfunctions")
    arn = _start(deployment, machine, {"data": {"kind": "join", "width": 50, "delay": "5 minutes"}})

    def running() -> list[str]:
        pages = client.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter="RUNNING")
        return [each["executionArn"] for page in pages for each in page["executions"] if each["executionArn"] != arn]

    children = eventually(running)
    expect(children, "no child has been started")
    client.stop_execution(executionArn=arn)
    ended = [stack.wait(child).status for child in children]
    expect(set(ended) == {"ABORTED"}, ended)
    expect(eventually(lambda: _expires_within(deployment, arn, 40)), "the state of the aborted run still lives a year")
    return f"{len(children)} children ended with the run, and its state is kept for a redrive"


def _redrive(deployment: Deployment) -> str:
    stack = deployment.stack
    done = run_sample(deployment, kind="broken", width=2)
    expect(done.status == "FAILED", done)
    _store(deployment, done.arn).set("mended", value=True)
    stack.client("stepfunctions").redrive_execution(executionArn=done.arn)
    again = stack.wait(done.arn)
    expect(again.status == "SUCCEEDED" and again.output["counted"] == 2, again)
    expect(eventually(lambda: not stack.items(done.arn)), "items are left after the redriven run")
    return "a failed run succeeded after a redrive, and its state was deleted"


def _redrive_of_the_example(deployment: Deployment) -> str:
    stack = deployment.stack
    client = stack.client("stepfunctions")
    items = [{"id": f"item-{number}"} for number in range(3)]
    arn = stack.start_execution("OrderFanout", {"customer": {"id": "c"}, "line_items": items, "delaySeconds": 20})
    eventually(lambda: stack.items(arn))
    client.stop_execution(executionArn=arn)
    expect(stack.wait(arn).status == "ABORTED", "it was not aborted")
    client.redrive_execution(executionArn=arn)
    done = stack.wait(arn)
    expect(done.status == "SUCCEEDED", done)
    return "an aborted order was redriven to its end"


def _redrive_of_an_abort(deployment: Deployment) -> str:
    stack, machine = deployment.stack, deployment.samples["SampleArn"]
    client = stack.client("stepfunctions")
    arn = _start(deployment, machine, {"data": {"kind": "join", "width": 50, "delay": 60}})
    eventually(lambda: client.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"][1:])
    client.stop_execution(executionArn=arn)
    expect(stack.wait(arn).status == "ABORTED", "it was not aborted")
    client.redrive_execution(executionArn=arn)
    done = stack.wait(arn)
    expect(done.status == "SUCCEEDED" and done.output["joinedAfter"] == 50, done)
    return "a run that was aborted with its children was redriven to its join"


def _redrive_of_a_wait(deployment: Deployment) -> str:
    stack = deployment.stack
    client = stack.client("stepfunctions")
    arn = _start(deployment, deployment.samples["SampleArn"], {"data": {"kind": "wait"}})
    token = eventually(lambda: _store(deployment, arn).get("token"))
    client.stop_execution(executionArn=arn)
    expect(stack.wait(arn).status == "ABORTED", "it was not aborted")
    clients = {"client": stack.client("dynamodb"), "stepfunctions": client}
    sent = send_event(token, "sent while it was stopped", table_name=stack.table_name, **clients)
    client.redrive_execution(executionArn=arn)
    done = stack.wait(arn)
    expect(sent["accepted"] and done.output == {"kind": "wait", "answer": "sent while it was stopped"}, (sent, done))
    return "an event that came while the run was stopped was there after the redrive"


CLAIMS: Final = [
    Claim(
        "order",
        "The order example processes each item once and leaves nothing behind",
        _order,
        Usage(300, 80, 200, 100),
    ),
    Claim("classes", "The example workflow classes run to their end", _examples, Usage(150, 80, 300, 200)),
    Claim("join", "A join runs when all branches have ended", _join, Usage(80, 30, 200, 200)),
    Claim("join-children", "A join counts the branches of child executions", _wide_join, Usage(900, 250, 2_000, 2_000)),
    Claim("on-failure", "A failure with on_failure does not fail the run", _on_failure, Usage(40, 10, 60, 60)),
    Claim("wait", "A branch waits for an event, and the first event counts", _wait_for_event, Usage(20, 5, 30, 30)),
    Claim(
        "retire",
        "retire_run keeps a failed run's state for a redrive, by the real event",
        _failing_run,
        Usage(20, 5, 40, 40),
        adopted=UNWATCHED,
    ),
    Claim("abort", "Child executions end with an aborted run", _abort, Usage(300, 60, 300, 300), adopted=UNWATCHED),
    Claim("redrive", "A failed run of a workflow class is redriven", _redrive, Usage(60, 15, 100, 100)),
    Claim(
        "redrive-abort",
        "A run that was aborted with its children is redriven to its join",
        _redrive_of_an_abort,
        Usage(900, 200, 1_500, 1_500),
    ),
    Claim(
        "redrive-wait",
        "A waiting run is redriven, and an event sent meanwhile is kept",
        _redrive_of_a_wait,
        Usage(40, 10, 60, 60),
    ),
    Claim(
        "redrive-example",
        "An aborted order example is redriven",
        _redrive_of_the_example,
        Usage(100, 20, 50, 50),
    ),
]
