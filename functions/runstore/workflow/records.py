"""The engine's own items in a run's partition. Their sort keys begin with GS, which no user key can hold.

    record    sort key                          attributes beside expires_at
    run       GS run                            value: {headers, until}; number: the epoch; sealed: how it failed
    outcome   GS step GS <id>                   value: what the step scheduled; only the first one written counts
    fan       GS fan GS <id> GS <nonce> GS <n>  value: the nth 40 of a wide fan-out
    payload   GS data GS <id> GS <nonce>        value: a step's data, when it does not fit the state
    hook      GS hook GS <name>                 that the hook has started; value: what it returned

The epoch is how often the execution has been redriven. The first step of an epoch notes it in the run record; from
then on stragglers of earlier ones find that they are late. A nonce belongs to one attempt, and the outcome names
that of the attempt that wrote it: what other attempts have prepared is read by nobody.
"""

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from runstore import clock
from runstore.errors import TransientError
from runstore.model.expressions import ABSENT
from runstore.model.items import GROUP_SEPARATOR
from runstore.workflow.errors import RunEndedError, StepFailure
from runstore.workflow.machine import WIDTH, fits_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runstore.dynamodb.table import Table
    from runstore.model.items import Wire
    from runstore.workflow.api import Scheduled

_Request = TypeVar("_Request")
_Answer = TypeVar("_Answer")

_BATCH = 25  # records: as many as BatchWriteItem takes
_PAUSES = (0.5, 1.0, 2.0)  # seconds

_RUN = f"{GROUP_SEPARATOR}run"
_PRESENT = "attribute_exists(#run_id)"

# Only the first step of an epoch begins it: a later one would take away a failure that was recorded since. What
# retire_run has noted of this epoch's own end stays; what it may still note of an earlier one no longer counts.
_EARLIER_EPOCH = f"{_PRESENT} AND #number < :number AND (attribute_not_exists(#retired) OR #retired <= :retired)"
_BEGIN_EPOCH = "SET #number = :number, #expires_at = :expires_at, #retired = :retired REMOVE #sealed"

# The first failure of an epoch is the run's; a straggler of an earlier epoch fails nothing.
_NOT_FAILED = f"{_PRESENT} AND ((attribute_not_exists(#sealed) AND #number = :number) OR #number < :number)"
_FAIL = "SET #sealed = :sealed, #number = :number"


@dataclass(frozen=True, slots=True)
class Run:
    """The run record. `ended`: the last epoch that retire_run knows to have ended (aborted, say), -1 for none."""

    headers: "Any"
    until: float
    epoch: int
    failure: StepFailure | None
    ended: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step scheduled: `count` steps; the entries of a narrow fan-out, or a nonce under which the entries are.

    An entry is [action, due] and, unless the payload has its own record, the payload.
    """

    count: int
    nonce: str
    entries: "list[list[Any]]"


class Records:
    """The records of one run. Each method is one request, unless it says otherwise; reads are consistent."""

    def __init__(self, table: "Table") -> None:
        self._table = table

    # ------------------------------------------------------------------ the run

    def begin_run(self, headers: str, until: float, epoch: int) -> None:
        """Write the run record, if it is not there yet."""
        value = f'{{"headers":{headers},"until":{until}}}'
        attributes = {"value": {"S": value}, "number": _number(epoch)}
        self._table.put(self._table.put_request(_RUN, attributes, ABSENT))

    def run(self) -> Run | None:
        """Return the run record; None when the run is over."""
        return _run(self._table.get_raw(_RUN))

    def run_and_outcome(self, step_id: str) -> tuple[Run | None, Outcome | None]:
        """Return the run record and a step's outcome, if it has one."""
        run, outcome = self._table.get_both(_RUN, _key("step", step_id))
        return _run(run), _outcome(outcome)

    def begin_epoch(self, epoch: int) -> bool:
        """Note that the execution has been redriven: what its end did to the run no longer counts.

        Returns False if another step has noted it, or retire_run that this epoch has ended too.
        """
        expires_at, order = self._table.expires_at(), 2 * epoch
        values = {"number": _number(epoch), "expires_at": _number(expires_at), "retired": _number(order)}
        return self._table.update(self._table.update_request(_RUN, _BEGIN_EPOCH, _EARLIER_EPOCH, **values))

    def fail_run(self, failure: StepFailure, epoch: int) -> StepFailure:
        """Record how the run has failed and return that, or the failure that was recorded first. Up to two requests."""
        text = json.dumps([failure.name, failure.message, failure.action, failure.step_id, failure.attempts])
        values = {"sealed": {"S": text}, "number": _number(epoch)}
        if not self._table.update(self._table.update_request(_RUN, _FAIL, _NOT_FAILED, **values)):
            run = self.run()
            if run is not None and run.failure is not None:
                return run.failure
        return failure

    # ------------------------------------------------------------------ steps

    def outcome(self, step_id: str) -> Outcome | None:
        """Return a step's outcome."""
        return _outcome(self._table.get_raw(_key("step", step_id)))

    def record_outcome(self, step_id: str, scheduled: "list[Scheduled]", ids: list[str]) -> Outcome:
        """Record what a step has scheduled and return it, or what was recorded first.

        One request. Before it one for every 25 further records: one for each payload that does not fit the state, and
        beyond 40 steps one for every 40. What DynamoDB refuses for the moment is sent again for some seconds: given up,
        it would be the step itself that runs again.
        """
        nonce, entries, before = secrets.token_urlsafe(6), [], []
        for step_id_of, step in zip(ids, scheduled, strict=True):
            payload = f",{step.payload}"
            if not fits_state(step.payload, step.size):
                before.append(self._request(_key("data", step_id_of, nonce), step.payload))
                payload = ""
            due = int(step.due * 1000) / 1000  # never later than it was asked for, also when it is read back
            entries.append(f'["{step.action}",{due:.3f}{payload}]')
        if len(entries) > WIDTH:
            for n, start in enumerate(range(0, len(entries), WIDTH)):
                value = f"[{','.join(entries[start : start + WIDTH])}]"
                before.append(self._request(_fan_key(step_id, nonce, n), value))
            entries = []
        for start in range(0, len(before), _BATCH):
            _patiently(self._table.batch_put, before[start : start + _BATCH])
        value = f'{{"n":{len(scheduled)},"nonce":"{nonce if before else ""}","steps":[{",".join(entries)}]}}'
        attributes = {"value": {"S": value}}
        request = self._table.put_request(_key("step", step_id), attributes, ABSENT)
        done, first = _patiently(self._table.put, request)
        outcome = _outcome(attributes if done else first)
        if outcome is None:  # deleted between the refusal and the reading: the run is over
            return Outcome(0, "", [])
        return outcome

    def entries(self, step_id: str, nonce: str, start: int) -> "list[list[Any]]":
        """Return the up to 40 entries of a wide fan-out that begin at index `start`, a multiple of 40."""
        wire = self._table.get_raw(_fan_key(step_id, nonce, start // WIDTH))
        return [] if wire is None else json.loads(wire["value"]["S"])

    def put_payload(self, step_id: str, nonce: str, payload: str) -> None:
        """Write a payload's record. Its key belongs to one attempt, so there is nothing to be in its way."""
        self._table.put(self._request(_key("data", step_id, nonce), payload))

    def payload(self, step_id: str, nonce: str) -> "Any":
        """Return a payload."""
        wire = self._table.get_raw(_key("data", step_id, nonce))
        if wire is None:
            raise RunEndedError(f"the payload of step {step_id} is gone: the run was completed meanwhile")
        return json.loads(wire["value"]["S"])

    # ------------------------------------------------------------------ hooks

    def begin_hook(self, name: str) -> tuple[bool, str | None]:
        """Return whether this call is the first to begin a hook, and otherwise what it returned, if it has ended."""
        done, wire = self._table.put(self._table.put_request(_key("hook", name), {}, ABSENT))
        return done, wire["value"]["S"] if not done and wire and "value" in wire else None

    def end_hook(self, name: str, output: str) -> None:
        """Record what a hook returned."""
        request = self._table.update_request(_key("hook", name), "SET #value = :value", _PRESENT, value={"S": output})
        self._table.update(request)

    def _request(self, key: str, value: str) -> "dict[str, Any]":
        return self._table.put_request(key, {"value": {"S": value}})


def _patiently(write: "Callable[[_Request], _Answer]", request: "_Request") -> "_Answer":
    """Do a write that may be repeated; try again for some seconds after the client has given up."""
    for pause in _PAUSES:
        try:
            return write(request)
        except TransientError:
            clock.sleep(pause)
    return write(request)


def _key(*parts: str) -> str:
    return GROUP_SEPARATOR + GROUP_SEPARATOR.join(parts)


def _fan_key(step_id: str, nonce: str, n: int) -> str:
    return _key("fan", step_id, nonce, f"{n:06d}")


def _number(number: float) -> "dict[str, str]":
    return {"N": str(number)}


def _run(wire: "Wire | None") -> Run | None:
    if wire is None or int(wire["expires_at"]["N"]) <= clock.now():
        return None
    value = json.loads(wire["value"]["S"])
    failure = StepFailure(*json.loads(wire["sealed"]["S"])) if "sealed" in wire else None
    # retire_run notes twice the epoch when it begins, and one more when it ends.
    ended = (int(wire.get("retired", {"N": "0"})["N"]) - 1) // 2
    return Run(value["headers"], value["until"], int(wire["number"]["N"]), failure, ended)


def _outcome(wire: "Wire | None") -> Outcome | None:
    if wire is None:
        return None
    value = json.loads(wire["value"]["S"])
    return Outcome(value["n"], value["nonce"], value["steps"])
