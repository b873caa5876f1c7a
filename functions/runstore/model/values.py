"""JSON values: what is accepted, and their two stored forms.

A value is stored as compact JSON text, non-ASCII characters kept as they are, lone surrogates escaped. "Bytes" of a
value are the UTF-8 bytes of that text. A number that DynamoDB's type N holds exactly is stored as N, so that it can be
incremented; any other number stays JSON text.
"""

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Context, Decimal, Inexact, InvalidOperation
from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

from runstore.errors import CounterRangeError, InvalidRequestError, InvalidValueError, ValueTooLargeError

if TYPE_CHECKING:
    from typing import Any

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"

MAX_DEPTH = 256  # Python's own parser gives up near 1,000, less the frames that are in use when a value is read

_SURROGATE = re.compile("[\ud800-\udfff]")
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_KINDS = "text, a number, true, false, null, a list or an object"

# DynamoDB's N: 38 significant digits, magnitudes from 1E-130 to 9.99...E+125, and zero.
_DIGITS, _LEAST, _MOST = 38, -130, 125
_EXACT = Context(prec=_DIGITS, traps=[Inexact, InvalidOperation])


def encode(value: "Any", name: str, limit: int) -> tuple[str, int]:
    """Return the compact JSON of `value` and its size in bytes.

    Raises InvalidValueError with the path to what is not JSON (`name` is where the path begins), or
    ValueTooLargeError when the text has more than `limit` bytes.
    """
    try:
        _check(value, name)
        text = _ENCODER.encode(value)
    except ValueError as failure:  # Python refuses to print integers of more than 4,300 digits
        raise InvalidValueError(f"{name} cannot be written as JSON: {failure}") from failure
    if text.isascii():
        size = len(text)
    else:
        text = _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
        size = len(text.encode())
    if size > limit:
        raise too_large(name, size, limit)
    return text, size


def encode_list(elements: "Any", name: str, limit: int) -> list[tuple[str, int]]:
    """Return what `encode` returns for each of the elements, which may come from any iterable of JSON values.

    Raises InvalidRequestError for what is no list of elements: text and objects would come apart into what they are
    made of.
    """
    if isinstance(elements, (str, bytes, dict)) or not isinstance(elements, Iterable):
        raise InvalidRequestError(f"{name} is {_describe(elements)}: it takes a list")
    return [encode(element, f"{name}[{index}]", limit) for index, element in enumerate(elements)]


def too_large(name: str, size: int, limit: int) -> ValueTooLargeError:
    """Return the error for a value of `size` bytes where `limit` are allowed."""
    return ValueTooLargeError(
        f"{name} has {size:,} bytes of compact JSON, at most {limit:,} are allowed: "
        "store it elsewhere (in S3, for example) and keep a reference to it here"
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
    """Return `value` in the form of DynamoDB's N, or None if N cannot hold it such that it comes back equal."""
    # Whole floats as their exact integer: 1e23 is 99999999999999991611392, and only that compares equal to it.
    # A subclass may have a repr of its own, as numpy's float64 has.
    number = Decimal(int(value) if value == int(value) else float.__repr__(value))
    try:
        number = number.normalize(_EXACT)
    except Inexact:
        return None
    if not number:
        return "0"
    if not _LEAST <= number.adjusted() <= _MOST:
        return None
    return f"{number:f}" if abs(number.adjusted()) < _DIGITS else str(number)


def decode_number(text: str) -> int | float:
    """Return the number that DynamoDB's N holds: an int if it is whole, else the nearest float."""
    number = Decimal(text)
    whole = int(number)
    return whole if whole == number else float(number)


def encode_delta(delta: "Any") -> str:
    """Return a counter's delta in the form of DynamoDB's N."""
    finite = isinstance(delta, int) or (isinstance(delta, float) and isfinite(delta))
    if isinstance(delta, bool) or not finite:
        raise InvalidValueError(f"delta is {_describe(delta)}: it takes a finite number")
    number = encode_number(delta)
    if number is None:
        raise CounterRangeError(
            f"delta does not fit a counter: it takes at most {_DIGITS} significant digits "
            f"and a magnitude from 1E{_LEAST} to below 1E+{_MOST + 1}"
        )
    return number


def out_of_range() -> CounterRangeError:
    """Return the error for a counter whose new value DynamoDB's N cannot hold."""
    return CounterRangeError(
        f"the counter's new value would not fit: DynamoDB keeps {_DIGITS} significant digits and magnitudes "
        f"from 1E{_LEAST} to below 1E+{_MOST + 1}. Nothing was written"
    )


def check_count(name: str, number: "Any") -> int:
    """Return `number`, a whole number from 0, or raise InvalidRequestError that names it."""
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        short = type(number) in {int, float} and abs(number) < _LARGE
        raise InvalidRequestError(f"{name} is {number if short else _describe(number)}: it takes a whole number from 0")
    return number


_LARGE = 10**18  # a longer number is not shown: Python refuses to write 4,300 digits

# A path is a chain of steps from the innermost to the name where it begins; it is only written out for an error.
_Path: TypeAlias = "tuple[_Path | None, str | int]"


def _check(root: "Any", name: str) -> None:
    """Raise InvalidValueError for the first thing inside `root` that JSON does not have."""
    pending: list[tuple[Any, _Path, int]] = [(root, (None, name), 0)]
    while pending:
        value, path, depth = pending.pop()
        if value is None or isinstance(value, (str, int)):  # bool is an int
            continue
        if isinstance(value, float):
            if not isfinite(value):
                raise InvalidValueError(f"{_written(path)} is {value}: JSON numbers are finite")
        elif not isinstance(value, (list, tuple, dict)):
            raise InvalidValueError(f"{_written(path)} is {_describe(value)}: JSON has {_KINDS}")
        elif depth == MAX_DEPTH:
            raise InvalidValueError(f"{name} is nested more than {MAX_DEPTH} levels deep, or contains itself")
        else:
            children = list(_members(value, path) if isinstance(value, dict) else enumerate(value))
            pending.extend((child, (path, step), depth + 1) for step, child in reversed(children))


def _members(value: "dict[Any, Any]", path: "_Path") -> "Iterator[tuple[str, Any]]":
    """Yield the members of an object under the names that JSON gives them, as `json.dumps` does."""
    seen: set[str] = set()
    for key, member in value.items():
        name = _member_name(key)
        if name is None:
            raise InvalidValueError(f"{_written(path)} has a key that is {_describe(key)}: names in JSON are text")
        if name in seen:
            raise InvalidValueError(f"{_written(path)} has two keys that are both {name!r} in JSON")
        seen.add(name)
        yield name, member


def _member_name(key: "Any") -> str | None:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, int) or (isinstance(key, float) and isfinite(key)):
        return _ENCODER.encode(key)
    return None


def _written(path: "_Path | None") -> str:
    steps: list[str] = []
    while path is not None:
        path, step = path
        plain = isinstance(step, int) or path is None or step.isidentifier()
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step}" if plain else f"[{step!r}]")
    return "".join(reversed(steps)).removeprefix(".")


def _describe(value: "Any") -> str:
    if value is None:
        return "null"
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
