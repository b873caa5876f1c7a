"""A world for the protocol model: a table, clients that take turns, faults, and the check of what the clients saw.

Clients run one request at a time in any order. A fault is one of:

    crash    the request takes effect and its sender is gone
    lost     the request takes effect, its response is lost, and its sender sends it again, sooner or later
    late     the request takes effect only when it arrives, at any later time; before that, its sender either sends
             it again or gives up

What is checked is linearizability: every completed operation took effect exactly once, in one order that agrees with
real time, and an operation whose receipt is still there changed nothing and returned the recorded result. A request
that was sent twice may take effect a second time, at the moment it arrives, only if it finds no receipt: because the
key was set or deleted in between, or because it is a `delete`, which leaves none. Operations that overlap a completion
may have any outcome, but whatever stragglers leave behind, later operations end.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

STEPS = 600  # requests after which a program is said never to end
RESETS = {"set", "delete"}

Row = dict[str, Any]
Op = tuple[Any, ...]  # a name, an operand, a token
Program = list[list[Op]]  # the operations of each client, in order
Choose = Callable[[int], int]  # one of so many ways to go on


class Table:
    """DynamoDB: conditional single-item requests, a transaction, and reads."""

    def __init__(self) -> None:
        self.rows: dict[Any, Row] = {}

    def get(self, key: Any) -> Row | None:
        """GetItem."""
        return copy.deepcopy(self.rows.get(key))

    def segment(self, chain: Any, at_least: int, last: bool) -> tuple[int, Row] | None:  # noqa: FBT001 as in a request
        """Return the first item of a Query over a chain, or with `last` of a descending one."""
        found = sorted(key for key in self.rows if key[:2] == ("seg", chain) and key[2] >= at_least)
        if not found:
            return None
        key = found[-1] if last else found[0]
        return key[2], copy.deepcopy(self.rows[key])

    def any_key(self) -> Any:
        """Return one key of those that are there; a completion works through all of them."""
        return min(self.rows, key=str, default=None)

    def write(self, *writes: Any) -> tuple[bool, Row | None]:
        """Write all or nothing; a change of None deletes.

        Returns whether it was done, and the first item: the new one, or the one that the condition met (ALL_OLD).
        """
        first = writes[0][0]
        if not all(condition(self.rows.get(key)) for key, _, condition in writes):
            return False, self.get(first)
        for key, change, _ in writes:
            if change is None:
                self.rows.pop(key, None)
            else:
                change(self.rows.setdefault(key, {}))
        return True, self.get(first)


# ---------------------------------------------------------------------------------------------- what clients saw


@dataclass
class Record:
    """One operation of a history. `returned` is None if its caller got no answer: it may have taken effect or not."""

    op: Op
    receipt: str | None
    invoked: int
    returned: int | None = None
    result: Any = None
    again: bool = False  # a second copy of a request: it may take effect, at this moment, or not


def after(state: Any, op: Op) -> tuple[Any, Any]:
    """Return the state after an operation, and its result: the sequential specification."""
    name, operand = op[0], op[1] if len(op) > 1 else None
    if name == "get" or (name == "setdefault" and state):
        return state, state
    if name == "delete":
        return None, None
    if name in {"set", "setdefault"}:
        kind = "list" if isinstance(operand, list) else "number" if isinstance(operand, int) else "value"
        new = kind, tuple(operand) if isinstance(operand, list) else operand
        return new, new if name == "setdefault" else None
    kind = "list" if name == "push" else "number"
    held: Any = state or (kind, () if kind == "list" else 0)
    if held[0] != kind:
        return state, "mismatch"
    if kind == "list":
        return (kind, (*held[1], operand)), len(held[1]) + 1
    return (kind, held[1] + operand), held[1] + operand


def linearizable(history: list[Record]) -> bool:
    """Search for an order of the operations that explains their results."""
    seen = set()

    def search(done: int, state: Any, receipts: tuple[tuple[str, Any], ...]) -> bool:
        if (done, state, receipts) in seen:
            return False
        seen.add((done, state, receipts))
        left = [number for number in range(len(history)) if not done >> number & 1]
        returned = [history[number].returned for number in left if not history[number].again]
        due = [moment for moment in returned if moment is not None]
        if not due:
            return True
        latest = max((history[n].invoked for n in range(len(history)) if done >> n & 1), default=0)
        for number in left:
            record = history[number]
            if record.invoked > min(due) or (record.again and latest > (record.returned or STEPS * 9)):
                continue
            known = dict(receipts)
            if record.receipt in known:
                state_after, expected, kept = state, known[record.receipt], known
            else:
                state_after, expected = after(state, record.op)
                kept = {} if record.op[0] in RESETS else known
                if record.receipt and expected != "mismatch":
                    kept = kept | {record.receipt: expected}
            unknown = record.again or record.returned is None
            following = tuple(sorted(kept.items(), key=str))
            if (unknown or expected == record.result) and search(done | 1 << number, state_after, following):
                return True
        return False

    return search(0, None, ())


# ---------------------------------------------------------------------------------------------- one program


@dataclass
class Client:
    """A process with its operations. `tail` is what it caches about the key."""

    ops: list[Op]
    tail: dict[str, Any] = field(default_factory=dict)
    routine: Any = None
    request: Any = None
    record: Any = None


@dataclass(eq=False)
class LateRequest:
    """A request that is still in the network, and the record of it if its sender has sent it again."""

    request: Any
    copy: Record | None


class Scenario:
    """One program, run step by step. `choose` picks who sends the next request, and what fault meets it."""

    def __init__(self, model: Any, program: Program, choose: Choose, fault: Callable[[tuple[str, ...]], str]) -> None:
        self.model, self.choose, self.fault = model, choose, fault
        self.table = Table()
        self.clients = [Client(list(ops)) for ops in program]
        self.late: list[LateRequest] = []
        self.history: list[Record] = []
        self.clock = 0

    def run(self) -> str | None:
        """Run to the end; return what is wrong with the outcome."""
        for _ in range(STEPS):
            live = [client for client in self.clients if client.routine or client.ops]
            actors: list[Client | LateRequest] = [*live, *self.late]
            if not actors:
                return self.verdict()
            actor = actors[self.choose(len(actors))]
            self.clock += 1
            if isinstance(actor, Client):
                self.step(actor)
            else:
                self.late.remove(actor)
                self.send(actor.request)
                if actor.copy is not None:
                    actor.copy.invoked = actor.copy.returned = self.clock
        return "never ends"

    def step(self, client: Client) -> None:
        """Send one request of a client and let it go on with the answer."""
        try:
            if client.routine is None:
                self.begin(client)
            match self.fault(self.possible_faults(client)):
                case "crash":
                    self.send(client.request)
                    client.routine = None
                case "lost":
                    self.send(client.request)
                    self.again(client, self.clock)
                case "late, sent again":
                    self.late.append(LateRequest(client.request, self.again(client, None)))
                case "late, given up":
                    self.late.append(LateRequest(client.request, None))
                    client.routine = None
                case _:
                    client.request = client.routine.send(self.send(client.request))
        except (StopIteration, self.model.TypeMismatch) as end:
            self.clock += 1
            client.record.returned = self.clock
            client.record.result = end.value if isinstance(end, StopIteration) else "mismatch"
            client.routine = None
        except self.model.Unavailable:
            client.routine = None

    def begin(self, client: Client) -> None:
        """Invoke the client's next operation."""
        op = client.ops.pop(0)
        call = f"call{len(self.history)}"
        receipt = (op[2] if len(op) > 2 else None) or (call if op[0] in {"push", "set"} else None)  # noqa: PLR2004
        client.record = Record(op, receipt, self.clock)
        self.history.append(client.record)
        client.routine = self.model.start(op, call, client.tail)
        client.request = client.routine.send(None)

    def possible_faults(self, client: Client) -> tuple[str, ...]:
        """Reads are harmless. A plain increment is never sent again."""
        if client.request[0] != "write":
            return ()
        if client.record.op[0] == "inc" and not client.record.receipt:
            return "crash", "late, given up"
        return "crash", "lost", "late, sent again", "late, given up"

    def again(self, client: Client, moment: int | None) -> Record:
        """Note that a request is sent twice; `moment` is when the first copy took effect, if it has."""
        copy = Record(client.record.op, client.record.receipt, moment or self.clock, moment, again=True)
        self.history.append(copy)
        return copy

    def send(self, request: Any) -> Any:
        """Have the table do one request."""
        name, *arguments = request
        return getattr(self.table, name)(*arguments)

    def alone(self, op: Op, tail: dict[str, Any] | None = None) -> Any:
        """Run one operation while no other client runs."""
        routine, answer = self.model.start(op, f"alone{self.clock}", {} if tail is None else tail), None
        for _ in range(STEPS):
            self.clock += 1
            try:
                answer = self.send(routine.send(answer))
            except StopIteration as end:
                return end.value
            except self.model.Unavailable:
                return "unavailable"
        return "never ends"

    def verdict(self) -> str | None:
        """Check the history; after a completion check only that the key can be used."""
        if any(record.op[0] == "complete" for record in self.history):
            return self.aftermath()
        moment = self.clock + 1
        self.history.append(Record(("get",), None, moment, moment + 1, self.alone(("get",))))
        return None if linearizable(self.history) else "not linearizable"

    def aftermath(self) -> str | None:
        """After stragglers a new client can use the key; after an undisturbed completion the old clients can."""
        pushes: list[Op] = [("push", "a"), ("push", "b"), ("push", "c")]
        expected = [1, 2, 3, ("list", ("a", "b", "c"))]
        self.alone(("delete",))
        found = [self.alone(op) for op in (*pushes, ("get",))]
        if found != expected:
            return f"stragglers: {found}"
        for client in self.clients:
            self.alone(("complete",))
            found = [*(self.alone(op, client.tail) for op in pushes), self.alone(("get",))]
            if found != expected:
                return f"after completion: {found}"
        return None
