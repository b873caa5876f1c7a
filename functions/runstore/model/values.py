"""JSON values: what is accepted, and the two forms in which they are stored.

A value is stored as compact JSON text. Non-ASCII characters stay as they are, lone surrogates are escaped. The "bytes"
of a value are the UTF-8 bytes of that text. A number that DynamoDB's type N holds exactly is stored as N, so that it
can be incremented; any other number stays JSON text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation
from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

from runstore.errors import CounterRangeError, InvalidRequestError, InvalidValueError, ValueTooLargeError

if TYPE_CHECKING:
    from typing import Any

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"

MAX_DEPTH = 256  # Python's parser gives up near 1,000 levels, less the frames in use when a value is read

_SURROGATE = re.compile("[\ud800-\udfff]")
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_KINDS = "a string, a number, true, false, null, a list or an object"

# DynamoDB's N: 38 significant digits, magnitudes from 1E-130 to 9.99...E+125, and zero.
_DIGITS, _MIN_EXPONENT, _MAX_EXPONENT = 38, -130, 125
_RANGE = f"at most {_DIGITS} significant digits and a magnitude from 1E{_MIN_EXPONENT} to below 1E+{_MAX_EXPONENT + 1}"
_EXACT = Context(prec=_DIGITS, traps=[Inexact, InvalidOperation])


def encode(value: Any, name: str, limit: int) -> tuple[str, int]:
    """Return the compact JSON of `value` and its size in bytes.

    Raises InvalidValueError with the path to what is not JSON (the path starts with `name`), or ValueTooLargeError if
    the text has more than `limit` bytes.
    """
    try:
        _check(value, name)
        text = _ENCODER.encode(value)
    except ValueError as failure:  # Python refuses to print integers of more than 4,300 digits
        raise InvalidValueError(f"{name} must be JSON that Python can write; got: {failure}") from failure
    if text.isascii():
        size = len(text)
    else:
        text = _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
        size = len(text.encode())
    if size > limit:
        raise too_large(name, size, limit)
    return text, size


def encode_list(elements: Any, name: str, limit: int) -> list[tuple[str, int]]:
    """Return what `encode` returns for each of the elements, which may come from any iterable of JSON values."""
    return [encode(element, f"{name}[{index}]", limit) for index, element in enumerate(check_list(elements, name))]


def check_list(elements: Any, name: str) -> list[Any]:
    """Return the elements of any iterable as a list, or raise InvalidRequestError.

    Strings, bytes and mappings are refused: they would fall apart into characters, numbers and keys.
    """
    checked = iterable(elements, name)
    return checked if isinstance(checked, list) else list(checked)


def iterable(elements: Any, name: str) -> Iterable[Any]:
    """Return what `check_list` accepts, without going through it."""
    if isinstance(elements, (str, bytes, bytearray, Mapping)) or not isinstance(elements, Iterable):
        raise InvalidRequestError(f"{name} must be a list; got {describe(elements)}")
    return elements


def too_large(name: str, size: int, limit: int) -> ValueTooLargeError:
    """Return the error for a value of `size` bytes where `limit` are allowed."""
    return ValueTooLargeError(
        f"{name} must have at most {limit:,} bytes of compact JSON; got {size:,}. "
        "Store it elsewhere (in S3, for example) and keep a reference to it here"
    )


def decode(text: str) -> JSON:
    """Return the value whose JSON text is `text`."""
    value: JSON = json.loads(text)
    return value


def decode_list(texts: Iterable[str]) -> list[JSON]:
    """Return the values of many JSON texts, in one parse."""
    values: list[JSON] = json.loads(f"[{','.join(texts)}]")
    return values


def encode_number(value: float) -> str | None:
    """Return `value` in the form of DynamoDB's N, or None if N cannot hold exactly this number."""
    # A whole float becomes its exact integer: 1e23 is 99999999999999991611392, and only that compares equal to it.
    # float.__repr__, because a subclass such as numpy's float64 may have another one.
    number = Decimal(int(value) if value == int(value) else float.__repr__(value))
    try:
        number = number.normalize(_EXACT)
    except Inexact:
        return None
    if not number:
        return "0"
    if not _MIN_EXPONENT <= number.adjusted() <= _MAX_EXPONENT:
        return None
    return f"{number:f}" if abs(number.adjusted()) < _DIGITS else str(number)


def decode_number(text: str) -> int | float:
    """Return the number that DynamoDB's N holds: an int if it is whole, else the nearest float."""
    number = Decimal(text)
    whole = int(number)
    return whole if whole == number else float(number)


def encode_delta(delta: Any) -> str:
    """Return a counter's delta in the form of DynamoDB's N."""
    finite = isinstance(delta, int) or (isinstance(delta, float) and isfinite(delta))
    if isinstance(delta, bool) or not finite:
        raise InvalidValueError(f"delta must be a finite number; got {describe(delta)}")
    number = encode_number(delta)
    if number is None:
        raise CounterRangeError(f"delta must have {_RANGE}; got {describe(delta)} outside that range")
    return number


def out_of_range() -> CounterRangeError:
    """Return the error for a counter whose new value DynamoDB's N cannot hold."""
    return CounterRangeError(
        f"the counter's new value must have {_RANGE}; got one outside that range. Nothing was written"
    )


def check_count(name: str, number: Any) -> int:
    """Return `number`, a whole number from 0, or raise InvalidRequestError that names it."""
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        short = type(number) in {int, float} and abs(number) < _LARGE
        raise InvalidRequestError(f"{name} must be a whole number from 0; got {number if short else describe(number)}")
    return int(number)


def check_flag(name: str, flag: Any) -> bool:
    """Return a truth value, or raise InvalidRequestError."""
    if not isinstance(flag, bool):
        raise InvalidRequestError(f"{name} must be true or false; got {describe(flag)}")
    return flag


_LARGE = 10**18  # a longer number is not shown: Python refuses to write more than 4,300 digits

# A path is a chain of steps from the innermost to the name where it starts; it is only written out for an error.
_Path: TypeAlias = "tuple[_Path | None, str | int]"


def _check(root: Any, name: str) -> None:
    """Raise InvalidValueError for the first part of `root` that is not JSON."""
    pending: list[tuple[Any, _Path, int]] = [(root, (None, name), 0)]
    while pending:
        value, path, depth = pending.pop()
        if value is None or isinstance(value, (str, int)):  # bool is an int
            continue
        if isinstance(value, float):
            if not isfinite(value):
                raise InvalidValueError(f"{_written(path)} must be a finite number; got {value}")
        elif not isinstance(value, (list, tuple, dict)):
            raise InvalidValueError(f"{_written(path)} must be {_KINDS}; got {describe(value)}")
        elif depth == MAX_DEPTH:
            raise InvalidValueError(
                f"{name} must be nested at most {MAX_DEPTH} levels deep; got a value that is deeper, or contains itself"
            )
        else:
            children = list(_members(value, path) if isinstance(value, dict) else enumerate(value))
            pending.extend((child, (path, step), depth + 1) for step, child in reversed(children))


def _members(value: dict[Any, Any], path: _Path) -> Iterator[tuple[str, Any]]:
    """Yield the members of an object under the names that JSON gives them, as `json.dumps` does."""
    seen: set[str] = set()
    for key, member in value.items():
        name = _member_name(key)
        if name is None:
            raise InvalidValueError(f"the names in {_written(path)} must be strings; got {describe(key)}")
        if name in seen:
            raise InvalidValueError(f"the names in {_written(path)} must differ in JSON; got {name!r} twice")
        seen.add(name)
        yield name, member


def _member_name(key: Any) -> str | None:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, int) or (isinstance(key, float) and isfinite(key)):
        return _ENCODER.encode(key)
    return None


def _written(path: _Path | None) -> str:
    steps: list[str] = []
    while path is not None:
        path, step = path
        plain = isinstance(step, int) or path is None or step.isidentifier()
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step}" if plain else f"[{step!r}]")
    return "".join(reversed(steps)).removeprefix(".")


def describe(value: Any) -> str:
    """Return what an error message says that it got, without the value itself."""
    if value is None:
        return "null"
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
