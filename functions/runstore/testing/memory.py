"""The run store without a table: the same operations, results and errors, in memory."""

from dataclasses import dataclass, field
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow, Subnormal
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

from runstore import clock
from runstore.errors import InvalidRequestError
from runstore.model import identifiers as names
from runstore.model import values
from runstore.protocol.append import mismatch
from runstore.protocol.read import no_list
from runstore.settings import Settings
from runstore.store import Naming, RunStore

if TYPE_CHECKING:
    from runstore.lifecycle.completion import Retirement, TimeLeft
    from runstore.lifecycle.retirement import StatusChange
    from runstore.model.expressions import Change
    from runstore.model.items import Item, Kind
    from runstore.model.values import JSON

_DAY = 86_400
_DIGITS = Context(prec=38, Emin=-130, Emax=125, traps=[Inexact, InvalidOperation, Overflow, Subnormal])
_LOCK = Lock()  # one for all: stores that share their runs need not know each other


@dataclass(slots=True)
class Entry:
    """What one key holds: JSON texts, so that nothing that a caller changes later changes it."""

    kind: "Kind"
    texts: list[str] = field(default_factory=list)
    number: Decimal = Decimal(0)
    results: dict[str, str] = field(default_factory=dict)  # by the digests of their tokens
    expires_at: int = 0


Runs: TypeAlias = dict[str, dict[str, Entry]]


class InMemoryRunStore(RunStore):
    """`RunStore` for tests: it passes the same contract suite, and needs no AWS.

    Every operation is atomic, also between threads, and validates, limits and fails like the real one. It sends no
    requests, and nothing retires its runs. Where a list or counter has outgrown one DynamoDB item, each push or
    increment renews its time to live here, but not there.

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
        with Naming("open"):
            self._run_id = names.check_run_id(run_id)
        self._settings = Settings("in-memory") if settings is None else settings
        self._runs: Runs = {} if runs is None else runs

    @property
    def requests(self) -> int:
        """None: there is nowhere to send them."""
        return 0

    def retire(self, change: "StatusChange", *, time_left: "TimeLeft | None" = None) -> "Retirement":  # noqa: ARG002
        """Raise InvalidRequestError: Step Functions tells of no end of such a run. Use complete."""
        raise InvalidRequestError("an in-memory run is not retired: complete() deletes it")

    def _read(self, key: str) -> "tuple[bool, JSON]":
        with _LOCK:
            entry = self._entry(key)
            return entry is not None, None if entry is None else _value(entry)

    def _read_part(self, key: str, start: int, stop: int | None) -> "list[JSON] | None":
        with _LOCK:
            entry = self._entry(key)
            if entry is None:
                return None
            if entry.kind != "list":
                raise no_list(key, entry.kind)
            return values.decode_list(entry.texts[start:stop])

    def _read_keys(self) -> list[str]:
        with _LOCK:
            return sorted((key for key in self._keys() if self._entry(key)), key=str.encode)

    def _read_all(self) -> "dict[str, JSON]":
        with _LOCK:
            return {key: _value(entry) for key, entry in self._keys().items() if self._entry(key)}

    def _write(self, key: str, head: "Item") -> None:
        number = Entry("number", number=Decimal(head.number))
        with _LOCK:
            self._keep(key, number if head.kind == "number" else Entry("value", [head.value]))

    def _write_list(self, key: str, texts: tuple[str, ...], sizes: list[int]) -> None:  # noqa: ARG002
        with _LOCK:
            self._keep(key, Entry("list", list(texts)))

    def _append(self, key: str, change: "Change") -> str:
        with _LOCK:
            entry = self._entry(key) or Entry(change.kind)
            if change.digest is not None and change.digest in entry.results:
                return entry.results[change.digest]
            if entry.kind != change.kind:
                raise mismatch(key, entry.kind)
            if isinstance(change.operand, str):
                entry.number = _sum(entry.number, change.operand)
                total = str(entry.number)
            else:
                entry.texts += change.operand
                total = str(len(entry.texts))
            if change.digest is not None:
                entry.results[change.digest] = total
            self._keep(key, entry)
            return total

    def _remove(self, key: str) -> None:
        with _LOCK:
            self._keys().pop(key, None)

    def _complete(self, time_left: "TimeLeft | None") -> int:  # noqa: ARG002 it takes no time
        with _LOCK:
            return len(self._runs.pop(self._run_id, {}))

    def _keys(self) -> dict[str, Entry]:
        return self._runs.setdefault(self._run_id, {})

    def _entry(self, key: str) -> Entry | None:
        entry = self._keys().get(key)
        return None if entry is None or entry.expires_at <= clock.now() else entry

    def _keep(self, key: str, entry: Entry) -> None:
        entry.expires_at = clock.now() + self._settings.ttl_days * _DAY
        self._keys()[key] = entry


def _sum(number: Decimal, delta: str) -> Decimal:
    try:
        return _DIGITS.add(number, Decimal(delta))
    except DecimalException as failure:
        raise values.out_of_range() from failure


def _value(entry: Entry) -> "JSON":
    if entry.kind == "list":
        return values.decode_list(entry.texts)
    return values.decode_number(str(entry.number)) if entry.kind == "number" else values.decode(entry.texts[0])
