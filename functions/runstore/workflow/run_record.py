"""The record of a run, and what all records of the engine share; `records` describes them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from runstore import clock
from runstore.errors import TransientError
from runstore.model.items import GROUP_SEPARATOR
from runstore.workflow.errors import StepFailure

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runstore.model.items import Wire

_Request = TypeVar("_Request")
_Answer = TypeVar("_Answer")

_PAUSES = (0.5, 1.0, 2.0)  # seconds
_MAX_PART = 300  # bytes of one part of a sort key, of which DynamoDB takes 1,024

RUN = f"{GROUP_SEPARATOR}run"
PRESENT = "attribute_exists(#run_id)"

# Only the first step of a generation begins it: a later one would remove a failure that was recorded since. What
# retire_run has noted of this generation's own end stays; what it may still note of an earlier one no longer counts.
EARLIER = f"{PRESENT} AND #generation < :generation AND (attribute_not_exists(#retired) OR #retired <= :retired)"
BEGIN_GENERATION = "SET #generation = :generation, #expires_at = :expires_at, #retired = :retired REMOVE #failure"

# The first failure of a generation is the run's; a straggler of an earlier generation fails nothing.
NOT_FAILED = (
    f"{PRESENT} AND ((attribute_not_exists(#failure) AND #generation = :generation) OR #generation < :generation)"
)
FAIL = "SET #failure = :failure, #generation = :generation"


@dataclass(frozen=True, slots=True)
class Run:
    """The run record. `ended`: the last generation that retire_run knows to have ended (aborted, say), -1 for none."""

    headers: Any
    deadline: float
    generation: int
    started: str
    secret: str
    failure: StepFailure | None
    ended: int
    clearing: bool


def patiently(write: Callable[[_Request], _Answer], request: _Request) -> _Answer:
    """Do a write that may be repeated; try again for some seconds after the transport has given up."""
    for pause in _PAUSES:
        try:
            return write(request)
        except TransientError:
            clock.sleep(pause)
    return write(request)


def key_of(*parts: str) -> str:
    """Return a record's sort key."""
    return GROUP_SEPARATOR + GROUP_SEPARATOR.join(
        part if len(part.encode()) <= _MAX_PART else hashlib.blake2b(part.encode(), digest_size=24).hexdigest()
        for part in parts
    )


def number(value: float) -> dict[str, str]:
    """Return a number in wire form; a time keeps its milliseconds."""
    return {"N": str(round(value, 3))}


def run_attributes(run: Run, headers: str) -> dict[str, Any]:
    """Return a run record in wire form, `headers` as JSON."""
    return {
        "headers": {"S": headers},
        "deadline": number(run.deadline),
        "generation": number(run.generation),
        "started": {"S": run.started},
        "secret": {"S": run.secret},
    }


def read_run(wire: Wire) -> Run:
    """Return what a run record says."""
    failure = StepFailure(*json.loads(wire["failure"]["S"])) if "failure" in wire else None
    # retire_run notes twice the generation when it begins, and one more when it ends.
    ended = (int(wire.get("retired", {"N": "0"})["N"]) - 1) // 2
    return Run(
        headers=json.loads(wire["headers"]["S"]),
        deadline=float(wire["deadline"]["N"]),
        generation=int(wire["generation"]["N"]),
        started=wire["started"]["S"],
        secret=wire["secret"]["S"],
        failure=failure,
        ended=ended,
        clearing="clearing" in wire,
    )


def live_run(wire: Wire | None) -> Run | None:
    """Return what a run record says; None if the run is over."""
    if wire is None or int(wire["expires_at"]["N"]) <= clock.now():
        return None
    return read_run(wire)
