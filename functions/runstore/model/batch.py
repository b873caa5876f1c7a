"""The operations of one `apply`: all are checked before the first is sent, then they take effect in order."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from runstore.errors import InvalidRequestError, InvalidTokenError, RunStoreError
from runstore.model import operations, values
from runstore.model.identifiers import check_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from runstore.model.expressions import Change
    from runstore.model.items import Item
    from runstore.settings import Settings

MAX_OPERATIONS = 100

# What each operation takes beside `do` and `key`: fields of which it needs one set, and fields that it may have.
_FIELDS: dict[str, tuple[tuple[frozenset[str], ...], frozenset[str]]] = {
    "get": ((frozenset(),), frozenset({"start", "limit"})),
    "set": ((frozenset({"value"}),), frozenset({"ifAbsent"})),
    "push": ((frozenset({"item"}), frozenset({"items"})), frozenset()),
    "increment": ((frozenset(),), frozenset({"delta"})),
    "delete": ((frozenset(),), frozenset()),
}
_NULLABLE = {"value", "item"}
_ADDS = {"push", "increment"}
_RESETS = {"set", "delete"}
_SHOWN = 100  # characters of an unknown name


class Backend(Protocol):
    """One key at a time, with requests that have been checked: what a store does with each operation."""

    def find_value(self, key: str) -> tuple[bool, Any]:
        """Return whether the key is set, and its value."""
        ...

    def find_part(self, key: str, start: int, stop: int | None) -> list[Any] | None:
        """Return part of a list, None if the key is not set."""
        ...

    def write(self, key: str, value: Item | operations.ListValue) -> None:
        """Replace what the key holds."""
        ...

    def write_if_absent(self, key: str, value: Item | operations.ListValue) -> Any:
        """Write the value if the key is not set, and return what it holds then."""
        ...

    def append(self, key: str, change: Change) -> str:
        """Apply a push or an increment and return the running total."""
        ...

    def remove(self, key: str) -> None:
        """Remove the key."""
        ...


@dataclass(frozen=True, slots=True)
class Planned:
    """An operation that has been checked: what it does to its key, and returns beside that."""

    key: str
    run: Callable[[Backend], dict[str, Any]]


def plan(given: Any, token: Any, settings: Settings) -> list[Planned]:
    """Check the operations of an `apply`; raise an InvalidRequestError that has the index of the first bad one."""
    given = values.check_list(given, "operations")
    token = operations.token_name(token)
    if not 1 <= len(given) <= MAX_OPERATIONS:
        raise InvalidRequestError(f"operations must be a list of 1 to {MAX_OPERATIONS}; got {len(given)}")
    planned = []
    for index, each in enumerate(given):
        with at_index(index, each.get("key") if isinstance(each, dict) else None):
            do = _check(each)
            key = check_key(each["key"])
            if do in _ADDS and token is None:
                raise InvalidTokenError("token must be given if an operation is a push or an increment; got null")
            derived = None if token is None else operations.derived_token(token, index)
            planned.append(Planned(key, _PLANS[do](key, each, derived, settings)))
    _check_resets(given)
    return planned


def perform(
    planned: Sequence[Planned], backend: Backend, check: Callable[[dict[str, Any]], None] | None = None
) -> list[dict[str, Any]]:
    """Do the operations in order; an error has the index of its operation. Everything before it took effect.

    `check` sees each result, and raises an error if the caller cannot hold it.
    """
    results = []
    for index, each in enumerate(planned):
        with at_index(index, each.key):
            result = {"key": each.key, **each.run(backend)}
            if check is not None:
                check(result)
            results.append(result)
    return results


@contextmanager
def at_index(index: int, key: Any) -> Iterator[None]:
    """Say in an error which operation failed."""
    try:
        yield
    except RunStoreError as failure:
        key = str.__str__(key) if isinstance(key, str) else None
        raise failure.replace(f"operations[{index}]: {failure}", index=index, key=key) from failure


def _check(operation: Any) -> str:
    """Return what an operation does; raise InvalidRequestError unless it has the fields for that."""
    if not isinstance(operation, dict):
        raise InvalidRequestError(f"an operation must be an object; got {values.describe(operation)}")
    do = operation.get("do")
    if not isinstance(do, str) or do not in _FIELDS:
        got = repr(do[:_SHOWN]) if isinstance(do, str) else values.describe(do)
        raise InvalidRequestError(f"do must be one of {', '.join(_FIELDS)}; got {got}")
    needed, optional = _FIELDS[do]
    must = "it must be " + " or ".join(_shape(str.__str__(do), each, optional) for each in needed)
    own = operation.keys() - {"do", "key"}
    for field in own:
        if field not in optional and not any(field in each for each in needed):
            raise InvalidRequestError(f"{must}; got the unknown field {str(field)[:_SHOWN]!r}")
    if "key" not in operation or not any(own - optional == each for each in needed):
        raise InvalidRequestError(f"{must}; got the fields {', '.join(map(str, operation))}")
    for field, value in operation.items():
        if value is None and field not in _NULLABLE:
            raise InvalidRequestError(f"{must}; {field} is null")
    return str.__str__(do)


def _shape(do: str, needed: frozenset[str], optional: frozenset[str]) -> str:
    fields = [f"do: {do}", "key", *sorted(needed), *(f"{field}?" for field in sorted(optional))]
    return f"{{{', '.join(fields)}}}"


def _check_resets(given: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a reset of a key that the same call adds to: repeated, it would reset the receipts of the additions."""
    added = {check_key(each["key"]) for each in given if each["do"] in _ADDS}
    for index, each in enumerate(given):
        if each["do"] in _RESETS and each["key"] in added:
            with at_index(index, each["key"]):
                raise InvalidRequestError(
                    f"it must not {each['do']} the key {each['key']!r}; the same call pushes to this key or increments "
                    "it, and would count twice when it is repeated. Use two calls"
                )


# ---------------------------------------------------------------------------------------------- each operation


def _get(key: str, given: Mapping[str, Any], _token: str | None, _settings: Settings) -> Any:
    if not given.keys() & {"start", "limit"}:

        def whole(backend: Backend) -> dict[str, Any]:
            found, value = backend.find_value(key)
            return {"value": value, "found": found}

        return whole
    start, stop = operations.get_range(given.get("start", 0), given.get("limit"))

    def part(backend: Backend) -> dict[str, Any]:
        elements = backend.find_part(key, start, stop)
        return {"value": elements, "found": elements is not None}

    return part


def _set(key: str, given: Mapping[str, Any], _token: str | None, settings: Settings) -> Any:
    if_absent = values.check_flag("ifAbsent", given.get("ifAbsent", False))
    value = operations.set_value(given["value"], settings)

    def write(backend: Backend) -> dict[str, Any]:
        if if_absent:
            return {"value": backend.write_if_absent(key, value)}
        backend.write(key, value)
        return {}

    return write


def _push(key: str, given: Mapping[str, Any], token: str | None, settings: Settings) -> Any:
    if "item" in given:
        change = operations.push(given["item"], token, settings)
        return lambda backend: {"length": int(backend.append(key, change))}
    _, parts = operations.push_many(given["items"], token, settings)
    return lambda backend: {"length": [int(backend.append(key, part.change)) for part in parts][-1]}


def _increment(key: str, given: Mapping[str, Any], token: str | None, _settings: Settings) -> Any:
    change = operations.increment(given.get("delta", 1), token)
    return lambda backend: {"value": values.decode_number(backend.append(key, change))}


def _delete(key: str, _given: Mapping[str, Any], _token: str | None, _settings: Settings) -> Any:
    def remove(backend: Backend) -> dict[str, Any]:
        backend.remove(key)
        return {}

    return remove


_PLANS = {"get": _get, "set": _set, "push": _push, "increment": _increment, "delete": _delete}
