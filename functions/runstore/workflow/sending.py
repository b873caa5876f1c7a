"""Sending an event to a branch that waits for it."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from runstore.model.values import encode
from runstore.store import RunStore, table_of
from runstore.workflow.aws import error_code, step_functions, translate_error
from runstore.workflow.errors import InvalidEventTokenError
from runstore.workflow.proofs import check_token, read_token
from runstore.workflow.records import Records
from runstore.workflow.waits import WaitRecords

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runstore.dynamodb.table import Table
    from runstore.workflow.proofs import EventToken
    from runstore.workflow.waits import Waiter

# The state no longer waits with this token: it was woken or stopped, has timed out, or its execution has ended.
_GONE = {"InvalidToken", "TaskDoesNotExist", "TaskTimedOut"}
_UNKNOWN = "token must belong to a wait of the attempt that succeeded; that attempt did not ask for this wait"
_EXPIRED = "token must belong to a wait that has not timed out; this wait has timed out"


def send_event(
    token: str,
    body: Any = None,
    *,
    table_name: str | None = None,
    client: Any = None,
    stepfunctions: Any = None,
) -> dict[str, Any]:
    """Send an event to the branch that waits with a token; return `{"runId": ..., "accepted": ...}`.

    The first event counts: `accepted` is false when another has come before. An event may come before the wait begins,
    or while the run is stopped and is going to be redriven. It is recorded before the branch is woken: after an error,
    repeating the call wakes the branch if the first did not. Three consistent reads (one or two more before the
    branch waits), one write unit per KB of the body, one request to Step Functions for each state that waits (normally
    one).

    Args:
        token: What `api.wait_for_event` returned.
        body: Any JSON value of at most RUNSTORE_MAX_VALUE_BYTES (65,536 by default): `event` in the step's data.
        table_name: The run store's table; by default RUNSTORE_TABLE.
        client: A boto3 DynamoDB client.
        stepfunctions: A boto3 Step Functions client.

    Raises:
        InvalidEventTokenError: The token is cut or altered, the run is over, the wait has timed out, or the attempt
            that succeeded did not ask for it.
        InvalidValueError, ValueTooLargeError: The body is not JSON, or too large.
        ThrottledError, UnavailableError: Try again. `may_have_happened` says whether the event may have been recorded.
        ConfigurationError: The caller lacks a permission, for instance `states:SendTaskSuccess`.
    """
    parsed = read_token(token)
    table = table_of(RunStore(parsed.run_id, table_name=table_name, client=client))
    text, _ = encode(body, "body", table.settings.max_value_bytes)
    return deliver(table, parsed, text, lambda: step_functions() if stepfunctions is None else stepfunctions)


def deliver(
    table: Table, token: EventToken, body: str, stepfunctions: Callable[[], Any], now: Callable[[], float] = time.time
) -> dict[str, Any]:
    """Record an event, then wake every state that waits for it."""
    records = Records(table)
    run = records.run()
    if run is None:
        raise InvalidEventTokenError("token must belong to a run that has not ended; its run is over")
    check_token(run.secret, token)
    waits = WaitRecords(table, token.step_id, token.wait)
    if _deadline(records, waits, token) <= now() and waits.event() is None:
        raise InvalidEventTokenError(_EXPIRED)
    accepted, event = waits.send(body, now())
    if event.timed_out:
        raise InvalidEventTokenError(_EXPIRED)
    waiters = waits.waiters()  # read after the event was written: who registers later finds the event
    if waiters:
        _wake(waiters, stepfunctions())
    return {"runId": token.run_id, "accepted": accepted}


def _deadline(records: Records, waits: WaitRecords, token: EventToken) -> float:
    """Return until when a wait lasts: as a state that waits says, or before it begins as its step's outcome says."""
    if waiters := waits.waiters():
        return waiters[0].deadline
    deadlines = records.deadlines(token.step_id)
    if deadlines is None:  # the step may still be running, and so may attempts that will not ask for it
        return math.inf
    if token.wait not in deadlines:
        raise InvalidEventTokenError(_UNKNOWN)
    return deadlines[token.wait]


def _wake(waiters: list[Waiter], stepfunctions: Any) -> None:
    """Wake every state that waits, and raise the first failure only when all have been tried."""
    failures: list[Exception] = []
    for waiter in waiters:
        try:
            stepfunctions.send_task_success(taskToken=waiter.task, output="{}")
        except Exception as failure:  # noqa: BLE001 of any client; raised once all have been tried
            if error_code(failure) not in _GONE:
                failures.append(failure)
    if failures:
        error = translate_error(
            failures[0], "wake the branch that waits: the event is recorded, and repeating wakes it"
        )
        error.may_have_happened = True  # type: ignore[attr-defined]
        raise error from failures[0]
