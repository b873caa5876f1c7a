"""DynamoDB's expression language: a parser that turns each expression into a function, once, and remembers it.

It knows what the run store uses and a little more. Whatever it does not know it refuses, so that the simulation
can never be kinder than DynamoDB: undefined and unused placeholders, reserved words, overlapping paths, operands
of a wrong type. Only top-level attributes can be named.
"""

import importlib.resources
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, NamedTuple, NoReturn, TypeAlias

from tests.simulation.numbers import add, number

Value: TypeAlias = dict[str, Any]  # an attribute value in wire form: {"S": "text"}
Item: TypeAlias = dict[str, Value]


class RefusedError(Exception):
    """DynamoDB would answer ValidationException."""


class Scope(NamedTuple):
    """What an expression is evaluated against."""

    item: Mapping[str, Value]
    names: Mapping[str, str]
    values: Mapping[str, Value]


Operand: TypeAlias = Callable[[Scope], Value | None]
Condition: TypeAlias = Callable[[Scope], bool]
Name: TypeAlias = Callable[[Scope], str]

_TOKEN = re.compile(r"\s*(?:(<>|<=|>=|[=<>(),+\-])|([#:]?[A-Za-z0-9_]+)|(\S))")
_FUNCTIONS = frozenset({"attribute_exists", "attribute_not_exists", "begins_with", "if_not_exists", "list_append"})
_KEYWORDS = frozenset({"and", "or", "not", "between", "set", "remove", "add"})


@cache
def reserved_words() -> frozenset[str]:
    """Return the words that an expression may use for an attribute only behind a placeholder."""
    words = importlib.resources.files("moto").joinpath("dynamodb/parsing/reserved_keywords.txt").read_text()
    return frozenset(words.split())


@dataclass
class Parsed:
    """An expression, and the placeholders that it uses."""

    names: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    condition: Condition = lambda _: True
    # One entry for each action of an update: the clause, the attribute, and what is set or added.
    actions: list[tuple[str, Name, Operand]] = field(default_factory=list)
    attributes: list[Name] = field(default_factory=list)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.parsed, self.at = text, Parsed(), 0
        self.tokens = [match[0].strip() for match in _TOKEN.finditer(text.strip())]
        if any(match[3] for match in _TOKEN.finditer(text.strip())):
            self.fail()

    def fail(self) -> NoReturn:
        raise RefusedError(f"Syntax error in {self.text!r} near {' '.join(self.tokens[self.at : self.at + 3])!r}")

    def peek(self) -> str:
        return self.tokens[self.at].lower() if self.at < len(self.tokens) else ""

    def take(self, *wanted: str) -> bool:
        found = self.peek() in wanted
        self.at += found
        return found

    def expect(self, *wanted: str) -> None:
        if not self.take(*wanted):
            self.fail()

    def end(self) -> Parsed:
        if self.peek():
            self.fail()
        return self.parsed

    # ---------------------------------------------------------------- operands
    def name(self) -> Name:
        token = self.tokens[self.at] if self.at < len(self.tokens) else self.fail()
        self.at += 1
        if token.startswith("#"):
            self.parsed.names.add(token)
            return lambda scope: scope.names[token]
        if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", token) or token.lower() in _KEYWORDS | _FUNCTIONS:
            self.fail()
        if token.upper() in reserved_words():
            raise RefusedError(f"Attribute name is a reserved keyword; reserved keyword: {token}")
        return lambda _: token

    def operand(self) -> Operand:
        if self.peek().startswith(":"):
            token = self.tokens[self.at]
            self.at += 1
            self.parsed.values.add(token)
            return lambda scope: scope.values[token]
        name = self.name()
        return lambda scope: scope.item.get(name(scope))

    # ---------------------------------------------------------------- conditions
    def disjunction(self) -> Condition:
        parts = [self.conjunction()]
        while self.take("or"):
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else lambda scope: any(part(scope) for part in parts)

    def conjunction(self) -> Condition:
        parts = [self.negation()]
        while self.take("and"):
            parts.append(self.negation())
        return parts[0] if len(parts) == 1 else lambda scope: all(part(scope) for part in parts)

    def negation(self) -> Condition:
        if self.take("not"):
            inner = self.negation()
            return lambda scope: not inner(scope)
        if self.take("("):
            inner = self.disjunction()
            self.expect(")")
            return inner
        return self.predicate()

    def predicate(self) -> Condition:
        if self.take("attribute_exists"):
            name = self.in_parentheses(self.name)
            return lambda scope: name(scope) in scope.item
        if self.take("attribute_not_exists"):
            name = self.in_parentheses(self.name)
            return lambda scope: name(scope) not in scope.item
        if self.take("begins_with"):
            whole, start = self.in_parentheses(self.pair)
            return lambda scope: _begins(whole(scope), start(scope))
        left = self.operand()
        if self.take("between"):
            low = self.operand()
            self.expect("and")
            high = self.operand()
            return lambda scope: _compare(">=", left(scope), low(scope)) and _compare("<=", left(scope), high(scope))
        operator = self.peek()
        self.expect("=", "<>", "<", "<=", ">", ">=")
        right = self.operand()
        return lambda scope: _compare(operator, left(scope), right(scope))

    def in_parentheses(self, inner: Callable[[], Any]) -> Any:
        self.expect("(")
        found = inner()
        self.expect(")")
        return found

    def pair(self) -> tuple[Operand, Operand]:
        first = self.operand()
        self.expect(",")
        return first, self.operand()

    # ---------------------------------------------------------------- updates
    def update(self) -> Parsed:
        clauses: set[str] = set()
        while clause := self.peek():
            self.expect("set", "remove", "add")
            if clause in clauses:
                raise RefusedError(f"The {clause} section can only be used once in an update expression")
            clauses.add(clause)
            self.action(clause)
            while self.take(","):
                self.action(clause)
        return self.parsed

    def action(self, clause: str) -> None:
        name = self.name()
        operand: Operand
        if clause == "set":
            self.expect("=")
            operand = self.sum()
        elif clause == "add":
            operand = self.operand()
        else:
            operand = _nothing
        self.parsed.actions.append((clause, name, operand))

    def sum(self) -> Operand:
        left = self.term()
        operator = self.peek()
        if not self.take("+", "-"):
            return left
        right = self.term()
        return lambda scope: add(_present(left(scope)), _present(right(scope)), -1 if operator == "-" else 1)

    def term(self) -> Operand:
        if self.take("if_not_exists"):
            self.expect("(")
            name = self.name()
            self.expect(",")
            default = self.term()
            self.expect(")")
            return lambda scope: scope.item[name(scope)] if name(scope) in scope.item else default(scope)
        if self.take("list_append"):
            self.expect("(")
            front = self.term()
            self.expect(",")
            back = self.term()
            self.expect(")")
            return lambda scope: {"L": _list(front(scope)) + _list(back(scope))}
        return self.operand()


def _nothing(_: Scope) -> None:
    """Be the operand of REMOVE."""


def _present(value: Value | None) -> Value:
    if value is None:
        raise RefusedError("The provided expression refers to an attribute that does not exist in the item")
    return value


def _list(value: Value | None) -> list[Value]:
    found = _present(value)
    if "L" not in found:
        raise RefusedError("An operand in the update expression has an incorrect data type")
    return list(found["L"])


def _begins(whole: Value | None, start: Value | None) -> bool:
    return whole is not None and start is not None and "S" in whole and whole["S"].startswith(start["S"])


def _compare(operator: str, left: Value | None, right: Value | None) -> bool:
    if left is None or right is None:
        return operator == "<>"
    ((kind, a),), ((other, b),) = left.items(), right.items()
    if kind != other:
        return operator == "<>"
    if kind == "N":
        a, b = number(a), number(b)
    elif kind != "S" and operator not in ("=", "<>"):
        raise RefusedError(f"Incorrect operand type for {operator}: {kind}")
    # Python orders text by code points, which is the order of the UTF-8 bytes.
    return bool(
        {"=": a.__eq__, "<>": a.__ne__, "<": a.__lt__, "<=": a.__le__, ">": a.__gt__, ">=": a.__ge__}[operator](b)
    )


@lru_cache(maxsize=4096)
def condition(text: str) -> Parsed:
    """Parse a condition, filter or key condition."""
    parser = _Parser(text)
    parser.parsed.condition = parser.disjunction()
    return parser.end()


@lru_cache(maxsize=4096)
def update(text: str) -> Parsed:
    """Parse an update expression."""
    parsed = _Parser(text).update()
    if not parsed.actions:
        raise RefusedError("The expression can not be empty")
    return parsed


@lru_cache(maxsize=4096)
def projection(text: str) -> Parsed:
    """Parse a projection expression."""
    parser = _Parser(text)
    parser.parsed.attributes.append(parser.name())
    while parser.take(","):
        parser.parsed.attributes.append(parser.name())
    return parser.end()


def apply(parsed: Parsed, scope: Scope) -> Item:
    """Return the item after an update; every operand is read from the item before it."""
    item, touched = dict(scope.item), set()
    for clause, name, operand in parsed.actions:
        attribute = name(scope)
        if attribute in touched:
            raise RefusedError(f"Two document paths overlap with each other: {attribute}")
        touched.add(attribute)
        if clause == "set":
            item[attribute] = _present(operand(scope))
        elif clause == "add":
            item[attribute] = add(scope.item.get(attribute, {"N": "0"}), _present(operand(scope)))
        else:
            item.pop(attribute, None)
    return item
