"""The state that the state machine carries: what to do next, step ids and the budget of history events.

A branch carries `next`, which its Choice state looks at:

    do      "wait", "run": the step in `step`, at its time or now     "call": the child execution in `child`
            "fail": the step has failed for good, with `error`        "end": the branch has ended in this execution
    then    "call" when the branch goes on in another child of whoever started this execution, else "end"
    epoch   how often the run had been redriven when this was written

`run` names the run: its id, how often it had been redriven when this execution started, and the version of what is
described here. A package reads the state that its own version has written and the one before.

A child execution takes `child`: {"chain": step, "calls": n}, one branch that goes on, or {"fan": {...}}, a range of
what one step scheduled.
"""

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from typing import Any

State: TypeAlias = "dict[str, Any]"

WIDTH = 40  # branches of one execution: an inline Map runs about 40 iterations at once
DATA_IN_STATE = 512  # bytes of JSON; a larger payload stays in a record
MAX_STATE = 190_000  # bytes of what starts a run, and of what the completion hook returns: a state stays below 200,000
VERSION = 1  # of the state and the records; 0 said nothing of a version

# History events. A loop is Wait (2), Step (5) and Route (2), a failed one also Failed (5) and Route (2); a call is
# Child (6) and Route (2). A try of a task that is repeated costs 3. Step Functions ends an execution at 25,000 events:
# one plans for 12,000 at most, and leaves the rest to redrives and to what repeats the last task of a branch.
_EVENTS = 10_400
_LOOP, _LOOP_WITHOUT_WAIT, _FAILED, _CALL, _RETRY = 9, 7, 7, 8, 3
_LEAST = _LOOP + _FAILED
_CALLS_ALONE, _CALLS_LEAST = 100, 12
_LONGEST_ID = 120  # characters: a sort key has room for 1,024 bytes

MAX_HEADERS = 16_384  # bytes: every step reads them

END: State = {"do": "end", "then": "end", "child": {}, "epoch": 0}


def timestamp(seconds: float) -> str:
    """Return epoch seconds as Step Functions' Wait takes them, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch_seconds(text: str) -> float:
    """Return a timestamp's epoch seconds."""
    return datetime.fromisoformat(text).timestamp()


def fits_state(payload: str, size: int) -> bool:
    """Return whether a payload of `size` bytes of JSON may be in the state; no state can carry a lone surrogate."""
    return size <= DATA_IN_STATE and "\\ud" not in payload


def following_id(step_id: str) -> str:
    """Return the id of the only step that `step_id` schedules: its last number counts the steps of a chain."""
    before, _, number = step_id.rpartition(".")
    return f"{before}.{int(number) + 1}" if before else str(int(number) + 1)


def branch_id(step_id: str, index: int) -> str:
    """Return the id of one of several steps that `step_id` schedules. A very long id is replaced by its digest."""
    if len(step_id) > _LONGEST_ID:
        step_id = f"~{hashlib.blake2b(step_id.encode(), digest_size=16).hexdigest()}"
    return f"{step_id}.{index}.1"


def new_step(step_id: str, action: str, at: str, timeout: int, payload: State) -> State:
    """Return a step in its first attempt; `payload` is {"data": ...} or {"ref": ...}."""
    return {"id": step_id, "action": action, "at": at, "timeout": timeout, "attempt": 1, **payload}


def with_budget(step: State, width: int, *, calls: int | None = None) -> State:
    """Return a step as one of `width` branches of a new execution.

    `events` is how many history events its branch may still make there, `calls` how many children it may still start
    one after the other. With `calls` given, the branch hands itself back (`back`) to its starter, who has so many left.
    """
    if calls:
        return step | {"events": _EVENTS, "calls": calls, "back": True}
    least = max(_CALLS_LEAST, _CALLS_ALONE // width)
    return step | {"events": _EVENTS // width - _CALL * least, "calls": least, "back": False}


def spent(step: State, *, waited: bool, retries: int, failed: bool = False) -> State:
    """Return a step with the events of its last loop taken off its branch's budget."""
    cost = (_LOOP if waited else _LOOP_WITHOUT_WAIT) + (_FAILED if failed else 0) + _RETRY * retries
    return step | {"events": step["events"] - cost}


def go_on(step: State, now: float, epoch: int) -> State:
    """Return what a branch does about its next step: here while the budget lasts, else in another execution."""
    if step["events"] >= _LEAST:
        do = "wait" if epoch_seconds(step["at"]) > now else "run"
        return {"do": do, "then": "end", "step": step, "epoch": epoch}
    child = {
        "chain": {k: v for k, v in step.items() if k not in ("events", "calls", "back")},
        "calls": step["calls"] - 1,
    }
    do, then = ("end", "call") if step["back"] else ("call", "end")
    return {"do": do, "then": then, "child": child, "epoch": epoch}


def call(child: State, epoch: int) -> State:
    """Return that a branch goes on in a child execution."""
    return {"do": "call", "then": "end", "child": child, "epoch": epoch}


def parts(start: int, stop: int) -> list[tuple[int, int]]:
    """Return the at most 40 ranges that a wide fan-out is split into; each but the last is 40 to a power wide."""
    size = WIDTH
    while (stop - start) > size * WIDTH:
        size *= WIDTH
    return [(first, min(first + size, stop)) for first in range(start, stop, size)]
