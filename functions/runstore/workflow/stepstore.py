"""The run store as a step sees it: pushes and increments carry tokens, so that no attempt repeats another's."""

from __future__ import annotations

import hashlib
import json
import os
from threading import Lock
from typing import TYPE_CHECKING

from runstore.errors import InvalidRequestError, error_context
from runstore.model.identifiers import check_key
from runstore.model.operations import token_name
from runstore.model.values import check_list, encode, encode_delta, encode_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, NoReturn

    from runstore.interface import Store


_NO_LIMIT = 2**63  # bytes: the store knows its limit, and says so in its error
_SHORT = 200  # characters: a token has up to 256 bytes
_COUNTING = Lock()  # one for all steps: it is held for an addition
if hasattr(os, "register_at_fork"):  # a child finds it free, whichever thread of its parent was counting
    os.register_at_fork(before=_COUNTING.acquire, after_in_parent=_COUNTING.release, after_in_child=_COUNTING.release)
_NOT_CANONICAL = (TypeError, ValueError, RecursionError)  # names of several types cannot be sorted; or it is not JSON
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


class StepStore:
    """The store of a run inside a step or hook: a `runstore.Store` with every push and increment exactly once per step.

    Where the caller passes no token, `push`, `push_many` and `increment` get one made of the step's id, the key, the
    operation, its operand, and how many equal calls this attempt has made before: the n-th push of an equal element to
    a key is one push, however many attempts make it and in whatever order or thread. So a step that is tried again
    neither doubles nor loses what an earlier attempt did. Equal means the same JSON, whatever the order of an object's
    members. What differs between attempts (a time, a random number) is another operand and counts again.
    """

    def __init__(self, store: Store, step_id: str) -> None:
        self._store, self._step_id = store, step_id
        self._counts: dict[str, int] = {}

    @property
    def run_id(self) -> str:
        """The run: the ARN of its execution."""
        return self._store.run_id

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or `default` when it is not set. See `RunStore.get`."""
        return self._store.get(key, default)

    def find(self, key: str) -> tuple[bool, Any]:
        """Return whether a key is set, and its value. See `RunStore.find`."""
        return self._store.find(key)

    def get_range(self, key: str, start: int = 0, limit: int | None = None) -> list[Any]:
        """Return part of a list without reading all of it. See `RunStore.get_range`."""
        return self._store.get_range(key, start, limit)

    def set(self, key: str, value: Any) -> None:
        """Replace the value of a key. See `RunStore.set`."""
        self._store.set(key, value)

    def setdefault(self, key: str, value: Any) -> Any:
        """Write a value if the key is not set, and return what it holds then. See `RunStore.setdefault`."""
        return self._store.setdefault(key, value)

    def push(self, key: str, item: Any, *, token: str | None = None) -> int:
        """Append to a list and return its length after this push, exactly once per step. See `RunStore.push`."""
        token = self._token("push", key, item) if token is None else token
        return self._store.push(key, item, token=token)

    def push_many(self, key: str, items: Iterable[Any], *, token: str | None = None) -> int:
        """Append many elements in order, exactly once per step. See `RunStore.push_many`.

        The elements of a set, which have no order, are appended in that of their JSON, so that each attempt's is equal.
        """
        with error_context("push_many", self.run_id, key):
            check_key(key)
            token_name(token)  # before the items, as in the store
            encoded = [text for text, _ in encode_list(items, "items", _NO_LIMIT)]
        if isinstance(items, (set, frozenset)):
            encoded.sort()
        listed = json.loads(f"[{','.join(encoded)}]")
        token = self._token("push_many", key, listed) if token is None else token
        return self._store.push_many(key, listed, token=token)

    def increment(self, key: str, delta: float = 1, *, token: str | None = None) -> int | float:
        """Add to a counter and return its new value, exactly once per step. See `RunStore.increment`."""
        token = self._token("increment", key, delta) if token is None else token
        return self._store.increment(key, delta, token=token)

    def delete(self, key: str) -> None:
        """Remove a key. See `RunStore.delete`."""
        self._store.delete(key)

    def apply(self, operations: Sequence[Mapping[str, Any]], *, token: str | None = None) -> list[dict[str, Any]]:
        """Do several operations in order, each push and increment exactly once per step. See `RunStore.apply`."""
        if token is None:
            with error_context("apply", self.run_id):
                operations = check_list(operations, "operations")
            token = self._token("apply", "", _digest(operations))
        return self._store.apply(operations, token=token)

    def keys(self, prefix: str = "") -> list[str]:
        """Return the run's keys that begin with `prefix`. See `RunStore.keys`."""
        return self._store.keys(prefix)

    def snapshot(self, prefix: str = "") -> dict[str, Any]:
        """Return every key of the run that begins with `prefix`, with its value. See `RunStore.snapshot`."""
        return self._store.snapshot(prefix)

    def complete(self) -> NoReturn:
        """Raise InvalidRequestError: the state machine ends the run, a step cannot."""
        raise InvalidRequestError(
            "complete must not be called in a step; the state machine completes the run after on_workflow_complete"
        )

    def _token(self, operation: str, key: Any, operand: Any) -> str:
        name = str.__str__(key) if isinstance(key, str) else ""  # the store refuses what is no key
        try:
            canonical = _CANONICAL(operand)
        except _NOT_CANONICAL:
            with error_context(operation, self.run_id, key):  # refuses what the store does, in the same order
                if operation != "apply":
                    check_key(key)
                if operation == "increment":
                    encode_delta(operand)
                canonical = _canonical(operand, "item")
        call = f"{operation} {name} {canonical}"
        with _COUNTING:
            occurrence = self._counts[call] = self._counts.get(call, -1) + 1
        token = f"{self._step_id} {occurrence} {operation} {canonical}"  # the store tells keys apart
        if len(token) <= _SHORT and token.isascii() and token.isprintable():
            return token
        return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=18).hexdigest()


def _digest(operations: list[Any]) -> str:
    """Return what stands for the operations of an `apply`; the store refuses those that are not JSON."""
    try:
        text = "\n".join(_canonical(operation, "operation") for operation in operations)
    except InvalidRequestError:
        return ""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=18).hexdigest()


def _canonical(operand: Any, name: str) -> str:
    """Return the JSON of an operand with the members of objects in one order."""
    try:
        return _CANONICAL(operand)
    except _NOT_CANONICAL:
        text, _ = encode(operand, name, _NO_LIMIT)
        return _CANONICAL(json.loads(text))
