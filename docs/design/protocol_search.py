"""Search the protocol model for a history that no sequence of operations explains.

Clients run one request at a time in any order. A fault is one of:

    crash    the request takes effect and its sender is gone
    lost     the request takes effect, its response is lost, and its sender sends it again, sooner or later
    late     the request lingers in the network and takes effect when it arrives, at any later time; meanwhile its
             sender either sends it again or gives up

What is checked is linearizability: every completed operation took effect exactly once, in one order that agrees with
real time, and an operation whose receipt is still there changed nothing and returned the recorded result. A request
that was sent twice may take effect a second time, at the moment it arrives, only if it finds no receipt: because the
key was set or deleted in between, or because it is a `delete`, which leaves none. Operations that overlap a completion
may have any outcome, but whatever stragglers leave behind, later operations end.
"""

from __future__ import annotations

import itertools
import random
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import protocol_model

STEPS = 600  # requests after which a program is said never to end
RESETS = {"set", "delete"}

Op = tuple[Any, ...]
Program = list[list[Op]]
Choose = Callable[[int], int]  # one of so many ways to go on


@dataclass
class Record:
    """One operation of a history. `returned` is None as long as nobody knows whether it took effect."""

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
    """One program, run step by step. `choose` decides who goes on and which request meets a fault."""

    def __init__(self, model: Any, program: Program, choose: Choose, fault: Callable[[tuple[str, ...]], str]) -> None:
        self.model, self.choose, self.fault = model, choose, fault
        self.table = model.Table()
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
        if name == "segment":
            return self.table.segment(*arguments[:2], last=arguments[2])
        return getattr(self.table, name)(*arguments)

    def alone(self, op: Op, tail: dict[str, Any] | None = None) -> Any:
        """Run one operation with nobody beside it."""
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


# ---------------------------------------------------------------------------------------------- the search


def every_order(model: Any, program: Program, faults: int = 0) -> tuple[int, str | None, list[Record]]:
    """Run a program in every order, with up to so many faults at every request, by replaying choices depth first."""
    prefix: list[int] = []
    for count in itertools.count(1):
        picks: list[tuple[int, int]] = []
        left = [faults]

        def choose(ways: int, picks: list[tuple[int, int]] = picks, replay: list[int] = prefix) -> int:
            choice = replay[len(picks)] if len(picks) < len(replay) else 0
            picks.append((choice, ways))
            return choice

        def fault(possible: tuple[str, ...], left: list[int] = left, choose: Choose = choose) -> str:
            chosen = ("", *possible)[choose(len(possible) + 1) if left[0] and possible else 0]
            left[0] -= bool(chosen)
            return chosen

        scenario = Scenario(model, program, choose, fault)
        wrong = scenario.run()
        while picks and picks[-1][0] + 1 == picks[-1][1]:
            picks.pop()
        if wrong or not picks:
            return count, wrong, scenario.history
        prefix = [choice for choice, _ in picks[:-1]] + [picks[-1][0] + 1]
    raise AssertionError


def random_program(rng: random.Random, names: tuple[str, ...], *, resets: bool, completes: bool) -> Program:
    """Return two or three clients with up to five operations each; tokens are repeated, by others too."""
    tokens: dict[str, Op] = {}
    operands = iter(range(1, 99))

    def op() -> Op:
        chance = rng.random()
        if chance < 0.6:  # noqa: PLR2004
            plain = rng.choice(names), next(operands)
            token = f"t{rng.randrange(4)}"
            return tokens.setdefault(token, (*plain, token)) if rng.random() < 0.6 else plain  # noqa: PLR2004
        if chance < 0.72 or not resets:  # noqa: PLR2004
            return ("get",)
        if chance < 0.82:  # noqa: PLR2004
            return ("delete",)
        if completes and chance < 0.87:  # noqa: PLR2004
            return ("complete",)
        value = rng.choice(["x", rng.randrange(99), [next(operands) for _ in range(rng.randrange(6))]])
        return rng.choice(["set", "set", "setdefault"]), value

    return [[op() for _ in range(rng.randrange(1, 6))] for _ in range(rng.randrange(2, 4))]


CASES: list[Program] = [
    [[("push", "a"), ("push", "b")], [("push", "c"), ("push", "d")], [("get",)]],
    [[("push", "a"), ("push", "b"), ("push", "c")], [("delete",), ("push", "d")]],
    [[("push", "a"), ("push", "b"), ("push", "c")], [("set", "x"), ("get",)]],
    [[("set", ["p", "q", "r"]), ("push", "s")], [("push", "a")], [("delete",)]],
    [[("inc", 1)], [("inc", 2)], [("get",)]],
    [[("push", "a", "t1"), ("push", "b")], [("push", "a", "t1")], [("push", "c")]],
    [[("set", ["p", "q"]), ("push", "a", "t1")], [("push", "a", "t1"), ("push", "b")]],
    [[("inc", 1, "t1"), ("inc", 2, "t2")], [("inc", 1, "t1"), ("inc", 4)]],
    [[("push", "a", "t1"), ("push", "b", "t2")], [("push", "a", "t1"), ("push", "c", "t3")]],
    [[("push", "a", "t1")], [("push", "a", "t1")], [("delete",)]],
    [[("inc", 5, "t1")], [("inc", 5, "t1")], [("set", 3)]],
    [[("push", "a"), ("push", "b"), ("push", "c")], [("inc", 1), ("get",)]],
    [[("push", "a"), ("delete",)], [("inc", 1, "t1"), ("inc", 2, "t2")], [("get",)]],
    [[("setdefault", "x")], [("setdefault", "y")], [("delete",)]],
    [[("setdefault", ["p", "q", "r"])], [("setdefault", ["s", "t", "u"])]],
    [[("push", "a"), ("push", "b"), ("push", "c"), ("push", "d")], [("complete",)]],
]

# With one fault at every request of every order.
FAULTY_CASES: list[Program] = [
    [[("push", "a"), ("push", "b")], [("delete",)]],
    [[("push", "a", "t1"), ("push", "b")], [("push", "a", "t1")]],
    [[("set", [])], [("push", "a")]],
    [[("set", ["p", "q", "r"])], [("delete",), ("push", "a")]],
    [[("inc", 1), ("get",)], [("inc", 2, "t1")]],
    [[("delete",)], [("set", "x"), ("get",)]],
    [[("push", "a"), ("push", "b"), ("push", "c")], [("complete",)]],
    [[("push", "a"), ("push", "b"), ("push", "c"), ("delete",), ("push", "d"), ("push", "e"), ("push", "f")]],
]

KINDS = {"lists": ("push",), "counters": ("inc",), "both kinds": ("push", "inc")}


def fuzz(model: Any, runs: int) -> Iterator[tuple[str, int, str | None, list[Record]]]:
    """Run random programs of every sort, without and with faults."""
    for (what, names), completes, rate in itertools.product(KINDS.items(), (False, True), (0.0, 0.05)):
        rng = random.Random(1)

        def fault(possible: tuple[str, ...], rng: random.Random = rng, rate: float = rate) -> str:
            return rng.choice(possible) if possible and rng.random() < rate else ""

        title = f"{what}{', with completions' if completes else ''}{', with faults' if rate else ''}"
        wrong, history, count = None, [], 0
        while count < runs and not wrong:
            program = random_program(rng, names, resets=rng.random() < 0.6, completes=completes)  # noqa: PLR2004
            scenario = Scenario(model, program, rng.randrange, fault)
            wrong, history, count = scenario.run(), scenario.history, count + 1
        yield title, count, wrong, history


def check(model: Any, runs: int, report: Callable[[str], object]) -> list[Record] | None:
    """Search; return the first history that cannot be explained."""
    for faults, cases in enumerate((CASES, FAULTY_CASES)):
        for case in cases:
            count, wrong, history = every_order(model, case, faults)
            report(f"{count:7d} orders{' with faults' if faults else ''}  {wrong or 'ok'}  {case}")
            if wrong:
                return history
    for title, count, wrong, history in fuzz(model, runs):
        report(f"{count:7d} random programs  {wrong or 'ok'}  {title}")
        if wrong:
            return history
    return None


# What is broken, and how: a text that protocol_model.py has once, and what replaces it.
MUTATIONS = {
    "a reader ignores gaps": ('if row["length"] - len(row["items"]) != len(items):', "if False:"),
    "a reset seals no stub": (
        "1 if tail else 1), seal, is_absent)",
        "1 if tail else 1), lambda row: None, lambda _: True)",
    ),
    "a reset leaves the tail open": ("tail[0]), seal, unsealed_tail", "tail[0]), lambda row: None, unsealed_tail"),
    "the intent names a later segment": ('{"from": known}', '{"from": known + 1}'),
    "a retry ignores the intent": ('find_receipt(row["from"], (0, head))', "find_receipt(target.n, (0, head))"),
    "no intent is written": ("if not self.token or head is None:", "if True:"),
    "a write ignores receipts": (' and self.receipt not in row.get("receipts", {})', ""),
    "a token trusts the cache": ("if self.token:  # a receipt counts", "if False:  # a receipt counts"),
    "a closed cached tail is not asked for": ("if closed and head is None:", "if False:"),
    "replace ignores closed heads": ("return is_open(row) and (delete", "return True and (delete"),
    "a repeated set overwrites its own result": ('row.get("origin") != call)', "True)"),
    "chains share an id": ('HEAD, ("chain", self.call, self.attempts), 0)', 'HEAD, ("chain", 0), 0)'),
    "a segment forgets what came before": ("Target(n + 1, total(row)) if is_closed", "Target(n + 1, 0) if is_closed"),
    "plain pushes leave no receipt": ('self.token or (self.call if self.kind == "list" else None)', "self.token"),
    "a long list is written head first": ("if len(value) < CAPACITY:", "if True:"),
    "a resurrected head keeps its dead chain": ('if head["chain"] == self.sealed_chain:', "if False:"),
    "kinds are mixed in one item": ('row.get("kind") == self.kind and ', ""),
    "setdefault overwrites": ("(HEAD, replaced_by(new), is_absent)", "(HEAD, replaced_by(new), is_open)"),
}


def mutant(old: str, new: str) -> Any:
    """Return the model with one text replaced."""
    source = Path(str(protocol_model.__file__)).read_text("utf-8")
    if source.count(old) != 1:
        raise ValueError(f"protocol_model.py must have this text once: {old!r}")
    module = types.ModuleType(protocol_model.__name__)
    exec(compile(source.replace(old, new), "mutant", "exec"), module.__dict__)  # noqa: S102 our own text
    return module


def is_detected(name: str, runs: int) -> bool:
    """Return whether the search finds a deliberate break; a model that fails counts as found."""
    try:
        return check(mutant(*MUTATIONS[name]), runs, lambda _: None) is not None
    except (KeyError, TypeError, AttributeError):
        return True


def main(arguments: list[str]) -> int:
    """Run as a program; the exit status is 0 if all is as it must be."""
    if arguments == ["--mutate"]:
        missed = 0
        for name in MUTATIONS:
            found = is_detected(name, 20_000)
            missed += not found
            print(f"{'detected' if found else 'MISSED  '}  {name}", flush=True)
        return missed
    history = check(protocol_model, int(arguments[0]) if arguments else 2_000, print)
    for record in history or ():
        print("   ", record)
    return int(history is not None)
