"""Whether a history of one key can be explained: every operation took effect once, at one moment while it ran."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.simulation.specification import MISMATCH, Receipts, State, Step, apply_once


@dataclass
class Call:
    """An operation on one key, as its caller saw it.

    Attributes:
        steps: what it does, in order; others may come between them.
        invoked: when it began.
        returned: when it ended.
        result: the answer to its last step, or MISMATCH of the step that ended it.
        optional: it may have taken effect, in part, or not: its caller never learned its result, or an expiry is due
            but not certain, or it is the first sending of a request whose answer was lost.
        alternatives: only one of the steps takes effect: a late request is one of those that the operation sent.
        original: of a request that was sent twice, the call that it belongs to; and of that, the step.
        label: what a failing history shows.
    """

    steps: tuple[Step, ...]
    invoked: float
    returned: float
    result: Any = None
    optional: bool = False
    alternatives: bool = False
    original: "tuple[Call, int] | None" = None
    label: str = ""


def _reads_a_list(call: Call) -> bool:
    reads = call.steps[0].name == "get" and not call.optional
    return reads and isinstance(call.result, tuple) and call.result[0] == "list"


def _bases(call: Call) -> list[State]:
    """Return what the key may hold when the call has just replaced or removed it."""
    resets = [step for step in call.steps if step.name in {"set", "delete"}]
    return [apply_once(None, (), step)[0] for step in resets]


def _can_become(value: tuple[Any, ...], state: State, ahead: Sequence[State]) -> bool:
    """Return whether a list can still be read: lists only grow, until they are replaced.

    Without this, a history of many steps that may have taken effect or not takes more memory than there is.
    """
    return any(base is None or (base[0] == "list" and value[: len(base[1])] == base[1]) for base in (state, *ahead))


def is_linearizable(calls: Sequence[Call]) -> bool:  # noqa: C901 one search, whose state all of it reads
    """Return whether some order explains every answer."""
    calls = sorted(calls, key=lambda call: call.invoked)
    binding = [i for i, call in enumerate(calls) if not call.optional]
    places = {id(call): i for i, call in enumerate(calls)}
    lists = [(i, call.result[1]) for i, call in enumerate(calls) if _reads_a_list(call)]
    bases = [(i, _bases(call)) for i, call in enumerate(calls)]
    seen: set[tuple[tuple[int, ...], State, Receipts]] = set()
    pending: list[tuple[tuple[int, ...], State, Receipts]] = [((0,) * len(calls), None, ())]
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        progress, state, receipts = node
        ahead = [base for i, found in bases if progress[i] < len(calls[i].steps) for base in found]
        if any(not progress[i] and not _can_become(seen_list, state, ahead) for i, seen_list in lists):
            continue
        horizon = min((calls[i].returned for i in binding if progress[i] < len(calls[i].steps)), default=None)
        if horizon is None:
            return True
        begun = max((call.invoked for call, done in zip(calls, progress, strict=True) if done), default=0)
        for i, call in enumerate(calls):
            if call.invoked > horizon:
                break
            if progress[i] == len(call.steps) or (call.optional and call.returned < begun):
                continue
            if call.original and progress[places[id(call.original[0])]] != call.original[1]:
                continue  # of two sendings the first one comes first
            single = call.alternatives or len(call.steps) == 1
            for step in call.steps if call.alternatives else (call.steps[progress[i]],):
                after, kept, result = apply_once(state, receipts, step)
                if call.optional and single and (after, kept) == (state, receipts):
                    continue  # it need not be there, and changes nothing
                over = single or result == MISMATCH or progress[i] + 1 == len(call.steps)
                if over and not call.optional and result != call.result:
                    continue
                done = len(call.steps) if over else progress[i] + 1
                pending.append(((*progress[:i], done, *progress[i + 1 :]), after, kept))
    return False
