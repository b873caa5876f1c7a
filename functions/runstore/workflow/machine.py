"""The state that the state machine carries: what to do next, step ids and the budget of history events.

A branch carries `next`, which its Choice state looks at:

    do          "wait", "run": the step in `step`, at its time or now    "listen": the step's wait for an event
                "call": the child execution in `child`                   "fail": the step has failed, with `error`
                "end": the branch has ended in this execution
    then        what the starter of this execution does next: "call" (another child), "run" (a step), "end"
    generation  how often the run had been redriven when this was written

A step: id, action, at, timeout, attempt, `input`, `wait` while it waits for an event, `delay` if a join has one,
`began` and `error` once an attempt has failed, and its branch's budget. Its input is one of

    {"data": text}                           the payload as JSON text
    {"ref": nonce, "of": id}                 the payload is in a record
    {"wait": {"of", "name"}, "input": ...}   the payload and the event, if one came
    {"failed": {"id", "action"}, "input": ...}  the failure of another step, and its input

`run` names the run: its id, how often it had been redriven when this execution started, and the version of what is
described here.

A child execution takes `child`, text under the engine's proof (see `proofs`): {"chain": step, "calls": n}, one branch
that goes on, or {"fan": {...}, "after": next}, a range of what one step scheduled and what follows its end.
"""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from typing import Any

    State: TypeAlias = dict[str, Any]

WIDTH = 40  # branches of one execution: an inline Map runs about 40 iterations at once
DATA_IN_STATE = 512  # bytes of JSON; a larger payload stays in a record
MAX_STATE = 190_000  # bytes of what starts a run, and of what the completion hook returns: a state stays below 200,000
MAX_HEADERS = 16_384  # bytes: every step reads them
VERSION = 2  # of the state and the records

# History events. A loop is Wait (2), Step (5) and Route (2), a failed one also Failed (5) and Route (2); a wait for an
# event is Listen (6) instead of Wait; a call is Child (6) and Route (2). A try of a task that is repeated costs 3. Step
# Functions ends an execution at 25,000 events: one plans for 12,000 at most, and leaves the rest to redrives and to
# what repeats the last task of a branch.
_EVENTS = 10_400
_LOOPS = {"wait": 9, "run": 7, "listen": 13}
_FAILED, _CALL, _RETRY = 7, 8, 3
_LEAST = _LOOPS["listen"] + _FAILED
_CALLS_ALONE, _CALLS_LEAST = 100, 12
_LONGEST_ID = 120  # characters: a sort key has room for 1,024 bytes
_BUDGET = ("events", "calls", "back")

END: State = {"do": "end", "then": "end", "step": {}, "child": "", "generation": 0}


def timestamp(seconds: float) -> str:
    """Return epoch seconds as Step Functions' Wait takes them: whole seconds, since it ignores milliseconds."""
    return datetime.fromtimestamp(math.floor(seconds), UTC).isoformat().replace("+00:00", "Z")


def epoch_seconds(text: str) -> float:
    """Return a timestamp's epoch seconds."""
    return datetime.fromisoformat(text).timestamp()


def following_id(step_id: str) -> str:
    """Return the id of the step that follows `step_id` in its branch: its last number counts the steps of a chain."""
    before, _, number = step_id.rpartition(".")
    return f"{before}.{int(number) + 1}" if before else str(int(number) + 1)


def branch_id(step_id: str, index: int) -> str:
    """Return the id of one of several steps that `step_id` schedules. A very long id is replaced by its digest."""
    if len(step_id) > _LONGEST_ID:
        step_id = f"~{hashlib.blake2b(step_id.encode(), digest_size=16).hexdigest()}"
    return f"{step_id}.{index}.1"


def scheduled_ids(step_id: str, count: int, *, joined: bool) -> list[str]:
    """Return the ids of the steps that `step_id` schedules. A join is the step that follows, so branches are apart."""
    if count == 1 and not joined:
        return [following_id(step_id)]
    return [branch_id(step_id, index) for index in range(count)]


def new_step(step_id: str, action: str, at: str, timeout: int, given: State) -> State:
    """Return a step in its first attempt."""
    return {"id": step_id, "action": action, "at": at, "timeout": timeout, "attempt": 1, "input": given}


def with_budget(step: State, width: int, *, calls: int | None = None) -> State:
    """Return a step as one of `width` branches of a new execution.

    `events` is how many history events its branch may still make there, `calls` how many children it may still start
    one after the other. With `calls` given, the branch hands itself back (`back`) to its starter, who has so many left.
    """
    if calls:
        return step | {"events": _EVENTS, "calls": calls, "back": True}
    least = max(_CALLS_LEAST, _CALLS_ALONE // width)
    return step | {"events": _EVENTS // width - _CALL * least, "calls": least, "back": False}


def budget_of(step: State) -> State:
    """Return the budget of a step's branch."""
    return {name: step[name] for name in _BUDGET}


def deduct_events(step: State, did: str, *, retries: int = 0, failed: bool = False) -> State:
    """Return a step with the events of its last loop taken off its branch's budget."""
    cost = _LOOPS.get(did, _LOOPS["run"]) + (_FAILED if failed else 0) + _RETRY * retries
    return step | {"events": step["events"] - cost}


def deduct_call(step: State) -> State:
    """Return a step with the events of a child execution taken off its branch's budget."""
    return step | {"events": step["events"] - _CALL}


def exhausted(step: State) -> bool:
    """Return whether the branch should continue in another execution."""
    return bool(step["events"] < _LEAST)


def continue_branch(step: State, now: float, generation: int) -> State:
    """Return that a branch continues with a step in this execution, whose budget suffices."""
    if epoch_seconds(step["at"]) > now:
        do = "wait"
    elif "wait" in step:
        left = max(1, math.ceil(step["wait"]["deadline"] - now) + 1)  # so that the time is over when it ends
        do, step = "listen", step | {"wait": step["wait"] | {"seconds": left}}
    else:
        do = "run"
    return {"do": do, "then": "end", "step": step, "child": "", "generation": generation}


def chain_of(step: State) -> State:
    """Return the input of a child execution that continues with a step."""
    return {"chain": {k: v for k, v in step.items() if k not in _BUDGET}, "calls": step["calls"] - 1}


def hand_on(step: State, child: str, generation: int) -> State:
    """Return that a branch continues in another execution, which this one or its starter starts."""
    do, then = ("end", "call") if step["back"] else ("call", "end")
    return {"do": do, "then": then, "step": {}, "child": child, "generation": generation}


def start_child(child: str, generation: int) -> State:
    """Return that a branch continues in a child execution."""
    return {"do": "call", "then": "end", "step": {}, "child": child, "generation": generation}


def first(step: State, generation: int) -> State:
    """Return how a branch of a new execution begins: at the time of its step."""
    return {"do": "wait", "then": "end", "step": step, "child": "", "generation": generation}


def end_with(step: State, generation: int) -> State:
    """Return that an execution ends and its starter continues with a step."""
    return {"do": "end", "then": "run", "step": step, "child": "", "generation": generation}


def resumed(step: State) -> State:
    """Return a step that no longer waits: its data are the payload and the event, if one came."""
    wait = {"of": step["wait"]["of"], "name": step["wait"]["name"]}
    return {k: v for k, v in step.items() if k != "wait"} | {"input": {"wait": wait, "input": step["input"]}}


def fail(step: State, name: str, message: str, generation: int) -> State:
    """Return that a branch fails."""
    error = {"name": name, "message": message}
    return {"do": "fail", "then": "end", "step": step, "child": "", "generation": generation, "error": error}


def parts(start: int, stop: int) -> list[tuple[int, int]]:
    """Return the at most 40 ranges that a wide fan-out is split into; each but the last is 40 to a power wide."""
    size = WIDTH
    while (stop - start) > size * WIDTH:
        size *= WIDTH
    return [(first, min(first + size, stop)) for first in range(start, stop, size)]
