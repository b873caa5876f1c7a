"""The run store as a step sees it: with tokens of its own, so that a step that is tried again changes nothing twice."""

import hashlib
from typing import TYPE_CHECKING

from runstore.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from runstore.model.values import JSON
    from runstore.store import RunStore


_SHORT = 200  # characters: a token has up to 256 bytes


class StepStore:
    """The store of a run inside a step or hook: `RunStore`, with every push and increment exactly once per step.

    Where the caller passes no token, `push`, `push_many` and `increment` get one made of the step's id, the key, the
    operation's place among those on that key in this attempt, and its operand. So a step that is tried again neither
    doubles nor loses what an earlier attempt did, and one that takes another path the second time is not silenced.
    What differs between attempts (a time, a random number) makes another operand, and counts again.
    """

    def __init__(self, store: "RunStore", step_id: str) -> None:
        self._store, self._step_id = store, step_id
        self._places: dict[str, int] = {}

    @property
    def run_id(self) -> str:
        """The run: the ARN of its execution."""
        return self._store.run_id

    def get(self, key: str, default: "Any" = None) -> "Any":
        """Return the value of a key, or `default` when it is not set. See `RunStore.get`."""
        return self._store.get(key, default)

    def get_range(self, key: str, start: int = 0, limit: int | None = None) -> "list[JSON]":
        """Return part of a list without reading all of it. See `RunStore.get_range`."""
        return self._store.get_range(key, start, limit)

    def set(self, key: str, value: "Any") -> None:
        """Replace the value of a key. See `RunStore.set`."""
        self._store.set(key, value)

    def push(self, key: str, item: "Any", token: str | None = None) -> int:
        """Append to a list and return its length after this push, exactly once per step. See `RunStore.push`."""
        return self._store.push(key, item, self._token("push", key, item) if token is None else token)

    def push_many(self, key: str, items: "Iterable[Any]", token: str | None = None) -> int:
        """Append many elements in order, exactly once per step. See `RunStore.push_many`."""
        listed = items if isinstance(items, list) else list(items)
        return self._store.push_many(key, listed, self._token("push_many", key, listed) if token is None else token)

    def increment(self, key: str, delta: float = 1, token: str | None = None) -> int | float:
        """Add to a counter and return its new value, exactly once per step. See `RunStore.increment`."""
        return self._store.increment(key, delta, self._token("increment", key, delta) if token is None else token)

    def delete(self, key: str) -> None:
        """Remove a key. See `RunStore.delete`."""
        self._store.delete(key)

    def keys(self) -> list[str]:
        """Return the run's keys. See `RunStore.keys`."""
        return self._store.keys()

    def snapshot(self) -> "dict[str, JSON]":
        """Return all keys and values of the run. See `RunStore.snapshot`."""
        return self._store.snapshot()

    def complete(self) -> int:
        """Raise InvalidRequestError: the state machine ends the run, a step cannot."""
        raise InvalidRequestError("a step cannot complete its run: the state machine does, after on_workflow_complete")

    def _token(self, operation: str, key: str, operand: object) -> str:
        name = str(key)
        place = self._places[name] = self._places.get(name, -1) + 1
        # A JSON value's repr is the same in every attempt, and printable; tokens are told apart by key in the store.
        token = f"{self._step_id} {place} {operation} {operand!r}"
        if len(token) <= _SHORT and token.isascii() and token.isprintable():
            return token
        return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=18).hexdigest()
