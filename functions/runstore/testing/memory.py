"""The run store without a table: the same operations, results and errors, in memory."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow, Subnormal
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

from runstore import clock, names, values
from runstore.errors import CounterRangeError, KeyTypeMismatchError, RunStoreError
from runstore.items import split
from runstore.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Any

    from runstore.items import Kind
    from runstore.values import JSON

_DAY = 86_400
_DIGITS = Context(prec=38, Emin=-130, Emax=125, traps=[Inexact, InvalidOperation, Overflow, Subnormal])
_HOLDS = {"list": "a list", "number": "a number", "value": "a value that is neither a list nor a number"}


@dataclass(slots=True)
class Entry:
    """What one key holds: JSON texts, so that nothing that a caller changes later changes it."""

    kind: "Kind"
    texts: list[str] = field(default_factory=list)
    number: Decimal = Decimal(0)
    results: dict[str, str] = field(default_factory=dict)
    expires_at: int = 0


Runs: TypeAlias = dict[str, dict[str, Entry]]


class InMemoryRunStore:
    """`RunStore` for tests: it passes the same contract suite, and needs no AWS.

    Every operation is atomic, also between threads, and validates, limits, expires and fails like the real one.

    Args:
        run_id: The run.
        runs: What several stores have in common, as they would a table: pass the same dict to each.
        settings: Settings to test with, such as another `max_value_bytes`.

    Example:
        ```python
        store = InMemoryRunStore()
        assert store.push("results", {"id": 1}) == 1
        ```
    """

    def __init__(self, run_id: str = "run", *, runs: Runs | None = None, settings: Settings | None = None) -> None:
        with _Naming("open", None, None):
            self.run_id = names.check_run_id(run_id)
        self._runs: Runs = {} if runs is None else runs
        self._settings = Settings("in-memory") if settings is None else settings
        self._lock = _LOCK

    def get(self, key: str, default: "Any" = None) -> "Any":
        """Return the value of a key, or `default` when it is not set."""
        found, value = self.find(key)
        return value if found else default

    def find(self, key: str) -> "tuple[bool, JSON]":
        """Return whether a key is set, and its value."""
        with _Naming("get", self.run_id, key):
            entry = self._entry(names.check_key(key))
            return entry is not None, None if entry is None else _value(entry)

    def get_range(self, key: str, start: int = 0, limit: int | None = None) -> "list[JSON]":
        """Return at most `limit` elements of a list from index `start` on; none when the key is not set."""
        return self.find_range(key, start, limit)[1]

    def find_range(self, key: str, start: int = 0, limit: int | None = None) -> "tuple[bool, list[JSON]]":
        """Return whether a key is set, and what `get_range` returns."""
        with _Naming("get_range", self.run_id, key):
            names.check_key(key)
            values.check_count("start", start)
            stop = None if limit is None else start + values.check_count("limit", limit)
            entry = self._entry(key)
            if entry is None:
                return False, []
            if entry.kind != "list":
                raise _mismatch(key, entry.kind, f"key {key!r} holds no list but a {entry.kind}: read it with get")
            return True, values.decode_list(entry.texts[start:stop])

    def set(self, key: str, value: "Any") -> None:
        """Make `value` what the key holds, whatever it held before."""
        with _Naming("set", self.run_id, key):
            names.check_key(key)
            limit = self._settings.max_value_bytes
            if isinstance(value, (list, tuple)):
                texts = values.encode_list(value, "value", limit)
                size = sum(size for _, size in texts) + max(1, len(texts)) + 1
                if size > limit:
                    raise values.too_large("value", size, limit)
                entry = Entry("list", [text for text, _ in texts])
            else:
                text, _ = values.encode(value, "value", limit)
                numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
                number = values.encode_number(value) if numeric else None
                entry = Entry("value", [text]) if number is None else Entry("number", number=Decimal(number))
            with self._lock:
                self._keep(key, entry, None, "")

    def push(self, key: str, item: "Any", token: str | None = None) -> int:
        """Append `item` to the list and return its length after that."""
        with _Naming("push", self.run_id, key):
            names.check_key(key)
            if token is not None:
                names.check_token(token)
            text, _ = values.encode(item, "item", self._settings.max_value_bytes)
            return self._push(key, [text], token)

    def push_many(self, key: str, items: "Iterable[Any]", token: str | None = None) -> int:
        """Append all of `items` in order, and return the length of the list after the last."""
        with _Naming("push_many", self.run_id, key):
            names.check_key(key)
            if token is not None:
                names.check_token(token)
            encoded = values.encode_list(items, "items", self._settings.max_value_bytes)
            texts, length = [text for text, _ in encoded], 0
            parts = split([size for _, size in encoded], self._settings.segment_bytes, small_head=True)
            for number, (part, _) in enumerate(parts):
                length = self._push(key, texts[part], None if token is None else f"{token}\x1f{number}")
            return length

    def increment(self, key: str, delta: float = 1, token: str | None = None) -> int | float:
        """Add `delta` to the counter and return its new value."""
        with _Naming("increment", self.run_id, key):
            names.check_key(key)
            if token is not None:
                names.check_token(token)
            operand = Decimal(values.encode_delta(delta))
            with self._lock:
                entry = self._of_kind(key, "number", token)
                if isinstance(entry, str):
                    return values.decode_number(entry)
                try:
                    entry.number = _DIGITS.add(entry.number, operand)
                except DecimalException as failure:
                    raise CounterRangeError(
                        "the counter's new value would not fit: DynamoDB keeps 38 significant digits and magnitudes "
                        "from 1E-130 to below 1E+126. Nothing was written"
                    ) from failure
                result = str(entry.number)
                self._keep(key, entry, token, result)
            return values.decode_number(result)

    def delete(self, key: str) -> None:
        """Remove the key; not an error when it is not set."""
        with _Naming("delete", self.run_id, key), self._lock:
            self._keys().pop(names.check_key(key), None)

    def keys(self) -> list[str]:
        """Return the keys that are set, sorted by their UTF-8 bytes."""
        return sorted((key for key in list(self._keys()) if self._entry(key)), key=str.encode)

    def snapshot(self) -> "dict[str, JSON]":
        """Return every key with its value."""
        with self._lock:
            return {key: _value(self._keys()[key]) for key in self.keys()}

    def complete(self) -> int:
        """Delete everything of the run and return how many keys there were."""
        with self._lock:
            return len(self._runs.pop(self.run_id, {}))

    def _keys(self) -> dict[str, Entry]:
        return self._runs.setdefault(self.run_id, {})

    def _entry(self, key: str) -> Entry | None:
        entry = self._keys().get(key)
        return None if entry is None or entry.expires_at <= clock.now() else entry

    def _push(self, key: str, texts: list[str], token: str | None) -> int:
        with self._lock:
            entry = self._of_kind(key, "list", token)
            if isinstance(entry, str):
                return int(entry)
            entry.texts += texts
            self._keep(key, entry, token, str(len(entry.texts)))
            return len(entry.texts)

    def _of_kind(self, key: str, kind: "Kind", token: str | None) -> Entry | str:
        """Return what an operation adds to, or the result that it had before under its token."""
        entry = self._entry(key)
        if entry is None:
            return Entry(kind)
        if token is not None and token in entry.results:
            return entry.results[token]
        if entry.kind != kind:
            raise _mismatch(
                key,
                entry.kind,
                f"key {key!r} holds {_HOLDS[entry.kind]}: push takes a list, increment a number (or a key that is not "
                "set). Nothing was changed; set or delete the key first, or use another one",
            )
        return entry

    def _keep(self, key: str, entry: Entry, token: str | None, result: str) -> None:
        if token is not None:
            entry.results[token] = result
        entry.expires_at = clock.now() + self._settings.ttl_days * _DAY
        self._keys()[key] = entry


_LOCK = Lock()  # one for all: stores that share their runs need not know each other


class _Naming(AbstractContextManager[None]):
    """Gives the errors that pass through it the run, the key and the operation, as `RunStore` does."""

    __slots__ = ("_key", "_operation", "_run_id")

    def __init__(self, operation: str, run_id: str | None, key: "Any") -> None:
        self._operation, self._run_id, self._key = operation, run_id, key

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        if isinstance(error, RunStoreError):
            error.operation, error.run_id = self._operation, self._run_id
            error.key = self._key if isinstance(self._key, str) else None


def _value(entry: Entry) -> "JSON":
    if entry.kind == "list":
        return values.decode_list(entry.texts)
    return values.decode_number(str(entry.number)) if entry.kind == "number" else values.decode(entry.texts[0])


def _mismatch(key: str, kind: str, message: str) -> KeyTypeMismatchError:
    error = KeyTypeMismatchError(message)
    error.holds, error.key = kind, key
    return error
