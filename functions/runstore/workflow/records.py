"""The engine's own items in a run's partition. Their sort keys begin with GS, which no user key can hold.

    record    sort key                                attributes beside run_id, key and expires_at
    run       GS run                                  headers, deadline, generation, started, secret; failure once it
                                                      has failed; retired, which retire_run notes; clearing while
                                                      what an earlier run of the same name left is being deleted
    outcome   GS step GS <id>                         action, attempts, began, ended; error: the last one;
                                                      of a success: count, scheduled, nonce, join
                                                      of a failure: failed, handler; only the first written counts
    attempt   GS attempt GS <id>                      the last attempt that failed: action, attempts, began, ended,
                                                      error; due: when the next one begins
    fan       GS fan GS <id> GS <nonce> GS <n>        scheduled: the nth 40 of a wide fan-out
    payload   GS data GS <id> GS <nonce>              payload: a step's, when it does not fit into the state
    hook      GS hook GS <name>                       owner, began, until: the invocation that began it; output, ended
    event     GS wait GS <id> GS <wait> GS event      sent, body, owner; or timed_out: only the first written counts
    waiter    GS wait GS <id> GS <wait> GS task GS <digest>  task or packed: a task token that waits; deadline

Texts in `headers`, `scheduled`, `join`, `payload`, `output`, `body`, `error` and `failure` are JSON; times are epoch
seconds. The generation is how often the execution has been redriven. The first step of a generation notes it in the run
record; from then on stragglers of earlier ones find that they are late. A nonce belongs to one attempt, and the outcome
names that of the attempt that wrote it: what other attempts have prepared is never read.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore.errors import TransientError
from runstore.model.expressions import ABSENT
from runstore.workflow.errors import RunEndedError, StepFailure
from runstore.workflow.failures import Failure
from runstore.workflow.machine import DATA_IN_STATE, WIDTH
from runstore.workflow.run_record import (
    BEGIN_GENERATION,
    EARLIER,
    FAIL,
    NOT_FAILED,
    PRESENT,
    RUN,
    Run,
    key_of,
    live_run,
    number,
    patiently,
    read_run,
    run_attributes,
)
from runstore.workflow.schedule import Scheduled

if TYPE_CHECKING:
    from typing import Any

    from runstore.dynamodb.table import Table
    from runstore.model.items import Wire
    from runstore.workflow.schedule import Join, Schedule

_BATCH = 25  # records: as many as BatchWriteItem takes

_END_HOOK = "SET #output = :output, #ended = :ended"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A step that runs: its action, the number of this attempt, when the first began, the last error."""

    action: str
    number: int
    began: float
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a step.

    A success scheduled `count` steps: `entries` are those of a narrow fan-out, or `nonce` names the records that have
    them. An entry has action and due, `data` unless the payload has a record, and `wait`. `join` is like an entry, with
    a delay. A failure has `failure` and the step that handles it.
    """

    count: int
    nonce: str
    entries: list[dict[str, Any]]
    join: dict[str, Any] | None = None
    failure: Failure | None = None
    handler: str = ""
    action: str = ""
    attempts: int = 0


class Records:
    """The records of one run. Each method is one request, unless it says otherwise; reads are consistent."""

    def __init__(self, table: Table) -> None:
        self._table, self.run_id = table, table.run_id

    # ------------------------------------------------------------------ the run

    def begin_run(self, run: Run, headers: str) -> Run:
        """Write the run record, if it is not there yet; return the one that is there."""
        attributes = run_attributes(run, headers)
        done, found = patiently(self._table.put, self._table.put_request(RUN, attributes, ABSENT))
        return run if done or found is None else read_run(found)

    def run(self) -> Run | None:
        """Return the run record; None when the run is over."""
        return live_run(self._table.get_raw(RUN))

    def run_and_outcome(self, step_id: str) -> tuple[Run | None, Outcome | None]:
        """Return the run record and a step's outcome, if it has one."""
        run, outcome = self._table.get_both(RUN, key_of("step", step_id))
        return live_run(run), _outcome(outcome)

    def begin_generation(self, generation: int) -> bool:
        """Note that the execution has been redriven: what its end did to the run no longer counts.

        Returns False if another step has noted it, or retire_run that this generation has ended too.
        """
        expires_at, order = self._table.expires_at(), 2 * generation
        values = {"generation": number(generation), "expires_at": number(expires_at), "retired": number(order)}
        request = self._table.update_request(RUN, BEGIN_GENERATION, EARLIER, **values)
        return patiently(self._table.update, request)

    def fail_run(self, failure: StepFailure, generation: int) -> StepFailure:
        """Record how the run has failed and return that, or the failure that was recorded first. Up to two requests."""
        text = json.dumps([failure.name, failure.message, failure.action, failure.step_id, failure.attempts])
        values = {"failure": {"S": text}, "generation": number(generation)}
        if not patiently(self._table.update, self._table.update_request(RUN, FAIL, NOT_FAILED, **values)):
            run = self.run()
            if run is not None and run.failure is not None:
                return run.failure
        return failure

    # ------------------------------------------------------------------ steps

    def outcome(self, step_id: str) -> Outcome | None:
        """Return a step's outcome."""
        return _outcome(self._table.get_raw(key_of("step", step_id)))

    def deadlines(self, step_id: str) -> dict[str, float] | None:
        """Return until when each wait that a step asked for lasts, by name; None while the step has no outcome.

        With more than 40 branches also a Query.
        """
        outcome = self.outcome(step_id)
        if outcome is None:
            return None
        entries = outcome.entries
        if outcome.count > WIDTH:
            wires = self._table.query(
                _fan_key(step_id, outcome.nonce, 0), _fan_key(step_id, outcome.nonce, outcome.count)
            )
            entries = [entry for wire in wires for entry in json.loads(wire["scheduled"]["S"])]
        return {entry["wait"]["name"]: entry["wait"]["deadline"] for entry in entries if "wait" in entry}

    def record_success(
        self, step_id: str, attempt: Attempt, ended: float, schedule: Schedule, ids: list[str]
    ) -> Outcome:
        """Record what a step has scheduled, under the `ids`, the join's last; return it, or what was recorded first.

        One request. Before it one for every 25 further records: one for each payload that does not fit into the state,
        and beyond 40 steps one for every 40. What DynamoDB refuses for the moment is sent again for some seconds: given
        up, the step itself would run again.
        """
        nonce = secrets.token_urlsafe(6)
        before: list[Any] = []
        entries = [
            self._entry(step, f'"due":{step.due}', id_, nonce, before)
            for step, id_ in zip(schedule.branches, ids, strict=False)
        ]
        join = schedule.joined
        joined = "" if join is None else self._entry(join, f'"delay":{join.delay}', ids[-1], nonce, before)
        if len(entries) > WIDTH:
            for n, start in enumerate(range(0, len(entries), WIDTH)):
                text = {"S": f"[{','.join(entries[start : start + WIDTH])}]"}
                before.append(self._table.put_request(_fan_key(step_id, nonce, n), {"scheduled": text}))
            entries = []
        for start in range(0, len(before), _BATCH):
            patiently(self._table.batch_put, before[start : start + _BATCH])
        attributes: dict[str, Any] = _attempt(attempt, ended) | {"count": number(len(schedule.branches))}
        if schedule.branches:
            attributes["scheduled"] = {"S": f"[{','.join(entries)}]"}
        if before:
            attributes["nonce"] = {"S": nonce}
        if joined:
            attributes["join"] = {"S": joined}
        return self._record(step_id, attributes)

    def record_failure(self, step_id: str, attempt: Attempt, ended: float, handler: str) -> Outcome:
        """Record that a step has failed for good and which step handles it; return that, or what was recorded first."""
        return self._record(step_id, _attempt(attempt, ended) | {"failed": {"BOOL": True}, "handler": {"S": handler}})

    def record_attempt(self, step_id: str, attempt: Attempt, ended: float, due: float) -> None:
        """Note a failed attempt that another follows, for the inspector; nothing depends on it."""
        try:
            attributes = _attempt(attempt, ended) | {"due": number(due)}
            self._table.put(self._table.put_request(key_of("attempt", step_id), attributes))
        except TransientError:
            return

    def _record(self, step_id: str, attributes: dict[str, Any]) -> Outcome:
        request = self._table.put_request(key_of("step", step_id), attributes, ABSENT)
        done, first = patiently(self._table.put, request)
        outcome = _outcome(attributes if done else first)
        return outcome or Outcome(0, "", [])  # deleted between the refusal and the reading: the run is over

    def _entry(self, step: Scheduled | Join, when: str, step_id: str, nonce: str, before: list[Any]) -> str:
        """Return a scheduled step as JSON; a payload that the state should not carry goes to a record `before`."""
        fields = [f'"action":"{step.action}"', when]
        if isinstance(step, Scheduled) and step.wait is not None:
            fields.append(f'"wait":{json.dumps(step.wait._asdict())}')
        if step.size <= DATA_IN_STATE:
            fields.append(f'"data":{step.payload}')
        else:
            before.append(self.payload_request(step_id, nonce, step.payload))
        return f"{{{','.join(fields)}}}"

    def entries(self, step_id: str, nonce: str, start: int) -> list[dict[str, Any]]:
        """Return the up to 40 entries of a wide fan-out that begin at index `start`, a multiple of 40."""
        wire = self._table.get_raw(_fan_key(step_id, nonce, start // WIDTH))
        return [] if wire is None else json.loads(wire["scheduled"]["S"])

    def payload_request(self, step_id: str, nonce: str, payload: str) -> dict[str, Any]:
        """Return the request that writes a payload's record. Its key belongs to one attempt: nothing can be there."""
        return self._table.put_request(key_of("data", step_id, nonce), {"payload": {"S": payload}})

    def put_payload(self, step_id: str, nonce: str, payload: str) -> None:
        """Write a payload's record."""
        patiently(self._table.put, self.payload_request(step_id, nonce, payload))

    def payload(self, step_id: str, nonce: str) -> Any:
        """Return a payload."""
        wire = self._table.get_raw(key_of("data", step_id, nonce))
        if wire is None:
            raise RunEndedError(f"the payload of step {step_id} is gone: the run was completed meanwhile")
        return json.loads(wire["payload"]["S"])

    # ------------------------------------------------------------------ hooks

    def begin_hook(self, name: str, owner: str, now: float, until: float) -> HookState:
        """Note that an invocation begins a hook; return what was noted first. The `owner` names the invocation.

        A request that the transport repeats meets its own record. An owner that is gone is known by `until`, the end of
        the time that Lambda gave it.
        """
        attributes = {"owner": {"S": owner}, "began": number(now), "until": number(until)}
        done, found = patiently(self._table.put, self._table.put_request(key_of("hook", name), attributes, ABSENT))
        if done or found is None or found["owner"]["S"] == owner:
            return HookState(mine=True)
        output = found["output"]["S"] if "output" in found else None
        return HookState(mine=False, running=output is None and float(found["until"]["N"]) > now, output=output)

    def end_hook(self, name: str, output: str, now: float) -> None:
        """Record what a hook returned."""
        values = {"output": {"S": output}, "ended": number(now)}
        patiently(self._table.update, self._table.update_request(key_of("hook", name), _END_HOOK, PRESENT, **values))


@dataclass(frozen=True, slots=True)
class HookState:
    """Whether this invocation is the one that runs a hook; if not, whether another may still be running it."""

    mine: bool
    running: bool = False
    output: str | None = None


def _fan_key(step_id: str, nonce: str, n: int) -> str:
    return key_of("fan", step_id, nonce, f"{n:06d}")


def _attempt(attempt: Attempt, ended: float) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "action": {"S": attempt.action},
        "attempts": number(attempt.number),
        "began": number(attempt.began),
        "ended": number(ended),
    }
    if attempt.error is not None:
        attributes["error"] = {"S": json.dumps([attempt.error.name, attempt.error.message])}
    return attributes


def _outcome(wire: Wire | None) -> Outcome | None:
    if wire is None:
        return None
    action, attempts = wire["action"]["S"], int(wire["attempts"]["N"])
    if "failed" in wire:
        failure = Failure(*json.loads(wire["error"]["S"]))
        return Outcome(0, "", [], failure=failure, handler=wire["handler"]["S"], action=action, attempts=attempts)
    return Outcome(
        int(wire["count"]["N"]),
        wire["nonce"]["S"] if "nonce" in wire else "",
        json.loads(wire["scheduled"]["S"]) if "scheduled" in wire else [],
        json.loads(wire["join"]["S"]) if "join" in wire else None,
        action=action,
        attempts=attempts,
    )
