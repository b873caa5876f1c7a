"""Search the protocol model for a history that no sequence of operations explains; break it, and search again."""

from __future__ import annotations

import itertools
import random
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import protocol_model
from protocol_world import Choose, Op, Program, Record, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    [[("push", "large 1")], [("push", "large 2"), ("get",)]],
    [[("push", "large 1", "t1")], [("push", "large 1", "t1"), ("push", "b")]],
    [[("push", "a"), ("push", "large 1"), ("push", "b")], [("push", "c")]],
    [[("push", "large 1"), ("get",)], [("delete",)]],
    [[("push", "large 1")], [("set", ["p"]), ("push", "b")]],
]

PUSHES: list[Op] = [("push", "a"), ("push", "b")]

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
    # A late copy of the first push brings back a head that names the dead chain, in which the token has a receipt.
    [[*PUSHES, ("push", "c", "t1"), ("delete",), ("push", "d"), ("push", "c", "t1"), ("get",)]],
    [[("push", "large 1", "t1"), ("delete",), ("push", "large 1", "t1"), ("get",)]],
    [[("set", []), ("push", "large 1"), ("delete",), ("set", []), ("push", "large 2"), ("get",)]],
    [[("push", "large 1"), ("delete",), ("get",)]],
    [[("push", "large 1")], [("push", "a")]],
]

KINDS = {"lists": ("push",), "counters": ("inc",), "both kinds": ("push", "inc")}


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
            name, operand = rng.choice(names), next(operands)
            plain: Op = (name, f"large {operand}" if name == "push" and rng.random() < 0.15 else operand)  # noqa: PLR2004
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


# ---------------------------------------------------------------------------------------------- deliberate breaks

# What is broken, and how: a text that the model has once, and what replaces it.
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
    "chains share an id": ('("chain", self.call, self.attempts)', '("chain", 0)'),
    "a segment forgets what came before": ("Target(n + 1, total(row)) if is_closed", "Target(n + 1, 0) if is_closed"),
    "plain pushes leave no receipt": ('self.token or (self.call if self.kind == "list" else None)', "self.token"),
    "a long list is written head first": ("if len(value) < CAPACITY:", "if True:"),
    "a resurrected head keeps its dead chain": ('if head["chain"] == self.sealed_chain:', "if False:"),
    "a receipt of a dead chain counts": (
        "target = self.after(last or",
        "if result is not None:\n            return result\n        target = self.after(last or",
    ),
    "a large element leaves the head open": ('row["weight"] = CAPACITY\n', 'row["weight"] = 1\n'),
    "a late list is begun again": ("replaced_by(first), is_absent)", "replaced_by(first), lambda _: True)"),
    "a large element leaves no intent": (
        "if self.token:\n            writes.append",
        "if False:\n            writes.append",
    ),
    "kinds are mixed in one item": ('row.get("kind") == self.kind and ', ""),
    "setdefault overwrites": ("(HEAD, replaced_by(new), is_absent)", "(HEAD, replaced_by(new), is_open)"),
}


def mutant(old: str, new: str) -> Any:
    """Return the model with one text replaced."""
    names = ("protocol_append", "protocol_model")
    sources = {name: (Path(__file__).parent / f"{name}.py").read_text("utf-8") for name in names}
    if sum(source.count(old) for source in sources.values()) != 1:
        raise ValueError(f"the model must have this text once: {old!r}")
    modules = {name: types.ModuleType(name) for name in names}
    with mock.patch.dict(sys.modules, modules):
        for name, source in sources.items():
            exec(compile(source.replace(old, new), "mutant", "exec"), modules[name].__dict__)  # noqa: S102 our own text
    return modules["protocol_model"]


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
