"""The run store without a table: the same operations, results and errors, in memory."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow, Subnormal
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

from runstore import clock
from runstore.errors import error_context
from runstore.model import batch, operations, values
from runstore.model.identifiers import check_key, check_prefix, check_run_id
from runstore.protocol.kinds import mismatch, not_a_list, warn_of_other_operand
from runstore.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from runstore.lifecycle.completion import TimeLeft
    from runstore.model.expressions import Change
    from runstore.model.items import Item, Kind
    from runstore.protocol.budget import Budget

_DIGITS = Context(prec=38, Emin=-130, Emax=125, traps=[Inexact, InvalidOperation, Overflow, Subnormal])
_LOCK = Lock()  # one for all stores: those that share runs do not know each other
if hasattr(os, "register_at_fork"):
    # A fork waits for the operation of another thread: the child finds it done, and the lock free.
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


@dataclass(slots=True)
class Entry:
    """What one key holds: JSON texts, so that later changes by the caller do not reach it."""

    kind: Kind
    texts: list[str] = field(default_factory=list)
    number: Decimal = Decimal(0)
    # By the digests of their tokens: the results, and what was pushed or added.
    results: dict[str, tuple[str, tuple[str, ...] | str]] = field(default_factory=dict)
    expires_at: int = 0


Runs: TypeAlias = "dict[str, dict[str, Entry]]"


class InMemoryRunStore:
    """A store for tests without AWS: it satisfies `runstore.Store` and passes the same contract suite as `RunStore`.

    Every operation is atomic, also between threads, and has the limits and errors of the real one. Nothing retires its
    runs. One difference: each push or increment renews how long a key lives, also where a list or counter would have
    outgrown one DynamoDB item.

    Args:
        run_id: The run.
        runs: What several stores share, as they would share a table: pass the same dict to each.
        settings: Settings to test with, such as another `max_value_bytes`.

    Example:
        ```python
        store = InMemoryRunStore()
        assert store.push("results", {"id": 1}) == 1
        ```
    """

    def __init__(self, run_id: str = "run", *, runs: Runs | None = None, settings: Settings | None = None) -> None:
        with error_context("open"):
            self._run_id = check_run_id(run_id)
            self._settings = Settings("in-memory") if settings is None else settings
            self._settings.check_served(self._run_id)
        self._keys = _Keys({} if runs is None else runs, self._run_id, self._settings)

    def __repr__(self) -> str:
        return f"InMemoryRunStore({self._run_id!r})"

    @property
    def run_id(self) -> str:
        """The run."""
        return self._run_id

    @property
    def requests(self) -> int:
        """Always 0: there is nowhere to send requests."""
        return 0

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or `default` if it is not set. See `RunStore.get`."""
        found, value = self.find(key)
        return value if found else default

    def find(self, key: str) -> tuple[bool, Any]:
        """Return whether a key is set, and its value. See `RunStore.find`."""
        with error_context("get", self._run_id, key):
            return self._keys.find_value(check_key(key))

    def get_range(self, key: str, start: int = 0, limit: int | None = None) -> list[Any]:
        """Return part of a list. See `RunStore.get_range`."""
        with error_context("get_range", self._run_id, key):
            return self._keys.find_part(check_key(key), *operations.get_range(start, limit)) or []

    def set(self, key: str, value: Any) -> None:
        """Replace the value of a key. See `RunStore.set`."""
        with error_context("set", self._run_id, key):
            self._keys.write(check_key(key), operations.set_value(value, self._settings))

    def setdefault(self, key: str, value: Any) -> Any:
        """Write a value if the key is not set, and return what it holds then. See `RunStore.setdefault`."""
        with error_context("setdefault", self._run_id, key):
            return self._keys.write_if_absent(check_key(key), operations.set_value(value, self._settings))

    def push(self, key: str, item: Any, *, token: str | None = None) -> int:
        """Append to a list and return its length after that. See `RunStore.push`."""
        with error_context("push", self._run_id, key):
            key, token = check_key(key), operations.token_name(token)
            return int(self._keys.append(key, operations.push(item, token, self._settings)))

    def push_many(self, key: str, items: Iterable[Any], *, token: str | None = None) -> int:
        """Append several elements in order. See `RunStore.push_many`."""
        with error_context("push_many", self._run_id, key):
            key, token = check_key(key), operations.token_name(token)
            _, parts = operations.push_many(items, token, self._settings)
            return [int(self._keys.append(key, part.change)) for part in parts][-1]

    def increment(self, key: str, delta: float = 1, *, token: str | None = None) -> int | float:
        """Add to a counter and return its new value. See `RunStore.increment`."""
        with error_context("increment", self._run_id, key):
            key, token = check_key(key), operations.token_name(token)
            return values.decode_number(self._keys.append(key, operations.increment(delta, token)))

    def delete(self, key: str) -> None:
        """Remove a key. See `RunStore.delete`."""
        with error_context("delete", self._run_id, key):
            self._keys.remove(check_key(key))

    def apply(self, operations: Sequence[Mapping[str, Any]], *, token: str | None = None) -> list[dict[str, Any]]:
        """Do several operations in order. See `RunStore.apply`."""
        with error_context("apply", self._run_id):
            return batch.perform(batch.plan(operations, token, self._settings), self._keys)

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that are set and begin with `prefix`. See `RunStore.keys`."""
        with error_context("keys", self._run_id):
            return list(self._keys.values(check_prefix(prefix)))

    def snapshot(self, prefix: str = "") -> dict[str, Any]:
        """Return every key that begins with `prefix`, with its value. See `RunStore.snapshot`."""
        with error_context("snapshot", self._run_id):
            return self._keys.values(check_prefix(prefix))

    def complete(self) -> int:
        """Delete the run and return how many keys it had. See `RunStore.complete`."""
        return self._complete(None)

    def _complete(self, _time_left: TimeLeft | None) -> int:
        return self._keys.clear()


class _Keys:
    """The keys of one run. Satisfies `batch.Backend`; each method is atomic."""

    def __init__(self, runs: Runs, run_id: str, settings: Settings) -> None:
        self._runs, self._run_id, self.settings = runs, run_id, settings

    def within(self, _budget: Budget) -> _Keys:
        return self  # everything is in memory already; the functions check their results

    def find_value(self, key: str) -> tuple[bool, Any]:
        with _LOCK:
            entry = self._entry(key)
            return entry is not None, None if entry is None else _value(entry)

    def find_part(self, key: str, start: int, stop: int | None) -> list[Any] | None:
        with _LOCK:
            entry = self._entry(key)
            if entry is None:
                return None
            if entry.kind != "list":
                raise not_a_list(key, entry.kind)
            return values.decode_list(entry.texts[start:stop])

    def write(self, key: str, value: Item | operations.ListValue) -> None:
        with _LOCK:
            self._keep(key, _entry_of(value))

    def write_if_absent(self, key: str, value: Item | operations.ListValue) -> Any:
        with _LOCK:
            if self._entry(key) is None:
                self._keep(key, _entry_of(value))
            return _value(self._run()[key])

    def append(self, key: str, change: Change) -> str:
        with _LOCK:
            entry = self._entry(key) or Entry(change.kind)
            if change.digest is not None and change.digest in entry.results:
                total, operand = entry.results[change.digest]
                if operand != change.operand:
                    warn_of_other_operand(key, change.kind)
                return total
            if entry.kind != change.kind:
                raise mismatch(key, entry.kind, change.kind)
            if isinstance(change.operand, str):
                entry.number = _sum(entry.number, change.operand)
                total = str(entry.number)
            else:
                entry.texts += change.operand
                total = str(len(entry.texts))
            if change.digest is not None:
                entry.results[change.digest] = total, change.operand
            self._keep(key, entry)
            return total

    def remove(self, key: str) -> None:
        with _LOCK:
            self._run().pop(key, None)

    def values(self, prefix: str) -> dict[str, Any]:
        with _LOCK:
            found = sorted((key for key in self._run() if key.startswith(prefix) and self._entry(key)), key=str.encode)
            return {key: _value(self._run()[key]) for key in found}

    def clear(self) -> int:
        with _LOCK:
            return len(self._runs.pop(self._run_id, {}))

    def _run(self) -> dict[str, Entry]:
        return self._runs.setdefault(self._run_id, {})

    def _entry(self, key: str) -> Entry | None:
        entry = self._run().get(key)
        return None if entry is None or entry.expires_at <= clock.now() else entry

    def _keep(self, key: str, entry: Entry) -> None:
        entry.expires_at = clock.now() + self.settings.ttl_days * clock.SECONDS_PER_DAY
        self._run()[key] = entry


def _entry_of(value: Item | operations.ListValue) -> Entry:
    if isinstance(value, operations.ListValue):
        return Entry("list", list(value.texts))
    return Entry("number", number=Decimal(value.number)) if value.kind == "number" else Entry("value", [value.value])


def _sum(number: Decimal, delta: str) -> Decimal:
    try:
        return _DIGITS.add(number, Decimal(delta))
    except DecimalException as failure:
        raise values.out_of_range() from failure


def _value(entry: Entry) -> Any:
    if entry.kind == "list":
        return values.decode_list(entry.texts)
    return values.decode_number(str(entry.number)) if entry.kind == "number" else values.decode(entry.texts[0])
