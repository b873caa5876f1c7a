"""The example state machines that the demo runs: what starts each, what it is sent, and what it comes to."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from infra.local.project import LocalStackError
from runstore import RunStore
from runstore.workflow import send_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from infra.local.stack import LocalStack

Order = dict[str, Any]
Line = tuple[str, str]
SHOWN: Final = 12
ROWS: Final = 60
CHUNK: Final = 20
WAIT_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Example:
    """One example.

    Attributes:
        document: Returns what the execution starts with.
        given: Says in a line what that is, given the order and where it comes from.
        result: Yields lines with a label about the output.
        delay: Returns the seconds that the example waits on purpose.
        branches: Returns how many branches count themselves in `processedCount`; None shows no progress.
        event: Sends what the execution waits for, and says so in a line.
    """

    document: Callable[[Order], Any]
    given: Callable[[Order, str], str]
    result: Callable[[Mapping[str, Any], Order], Iterator[Line]]
    delay: Callable[[Order], int] = lambda _order: 0
    branches: Callable[[Order], int] | None = None
    event: Callable[[LocalStack, str], str] | None = None


def as_data(document: Any) -> dict[str, Any]:
    """Return the input of a workflow class."""
    return {"data": document, "headers": {}}


def line_items(order: Order) -> int:
    """Return how many branches an order has."""
    return len(order["line_items"])


def describe_order(order: Order, source: str) -> str:
    """Return an order in a line."""
    return f"{source}: customer {order['customer']['id']}, {line_items(order)} line items"


def show_order(state: Mapping[str, Any], order: Order) -> Iterator[Line]:
    """Yield the final state of an order's run: what the workflow read back before it completed."""
    yield "customer", str(state["customerId"])
    yield "count", f"{state['processedCount']} of {line_items(order)} processed"
    yield from listed("results", state["results"], "in the order in which they were pushed")


def listed(label: str, entries: list[Any], ordering: str) -> Iterator[Line]:
    """Yield the first entries of a list."""
    for number, entry in enumerate(entries[:SHOWN], 1):
        yield label if number == 1 else "", f"{number:>2}  {json.dumps(entry, ensure_ascii=False)}"
    if len(entries) > SHOWN:
        yield "", f"    and {len(entries) - SHOWN} more, {ordering}"


def show_mails(output: Mapping[str, Any], _order: Order) -> Iterator[Line]:
    """Yield whom mails were sent to."""
    yield "sent to", ", ".join(map(str, output["sentTo"]))


def expense(order: Order) -> dict[str, Any]:
    """Return an expense of the order's customer."""
    return {"id": f"expense of {order['customer']['id']}", "amount": 100 * line_items(order)}


def approve(stack: LocalStack, execution_arn: str) -> str:
    """Approve what the workflow asks a person for: wait for the token that it has stored, and send the event."""
    dynamodb = stack.client("dynamodb")
    store = RunStore(execution_arn, table_name=stack.table_name, client=dynamodb)
    deadline = time.monotonic() + WAIT_SECONDS
    while not (request := store.get("request")) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if not request:
        raise LocalStackError(
            f"the workflow must store its request within {WAIT_SECONDS:.0f} seconds; {execution_arn} has not"
        )
    body = {"approved": True, "by": "the demo"}
    sent = send_event(
        request["token"],
        body,
        table_name=stack.table_name,
        client=dynamodb,
        stepfunctions=stack.client("stepfunctions"),
    )
    return f"{json.dumps(body)}, accepted: {json.dumps(sent['accepted'])}"


def show_decision(output: Mapping[str, Any], _order: Order) -> Iterator[Line]:
    """Yield what became of the request."""
    yield "decision", json.dumps(output["decision"], ensure_ascii=False)
    yield "paid", str(output["paid"])


def rows(_order: Order) -> dict[str, Any]:
    """Return an import of which one row is wrong."""
    made = [{"id": number, "price": -1 if number == ROWS // 2 else number} for number in range(1, ROWS + 1)]
    return {"rows": made, "chunkSize": CHUNK}


def show_import(output: Mapping[str, Any], _order: Order) -> Iterator[Line]:
    """Yield the import's summary."""
    yield "imported", f"{output['imported']} of {output['rows']} rows"
    yield from listed("failed", output["failed"], "")


EXAMPLES: Final[dict[str, Example]] = {
    "OrderFanout": Example(
        document=lambda order: order,
        given=describe_order,
        result=show_order,
        delay=lambda order: int(order["delaySeconds"]),
        branches=line_items,
    ),
    "OrderWorkflow": Example(
        document=as_data,
        given=describe_order,
        result=show_order,
        delay=lambda order: int(order["delaySeconds"]),
        branches=line_items,
    ),
    "SendEmailWorkflow": Example(document=as_data, given=describe_order, result=show_mails, delay=lambda _order: 10),
    "ApprovalWorkflow": Example(
        document=lambda order: as_data({"expense": expense(order), "timeout": "1 hour"}),
        given=lambda order, _source: json.dumps(expense(order)),
        result=show_decision,
        event=approve,
    ),
    "ImportWorkflow": Example(
        document=lambda order: as_data(rows(order)),
        given=lambda _order, _source: f"{ROWS} rows in chunks of {CHUNK}, one of them wrong",
        result=show_import,
    ),
}
