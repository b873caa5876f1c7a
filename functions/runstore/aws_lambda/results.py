"""What a function can return: JSON that Lambda can write and a Step Functions state can hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runstore.errors import InvalidValueError, ResultTooLargeError

if TYPE_CHECKING:
    from typing import Any

STATE_BYTES = 262_144  # Step Functions' limit for the input or output of a state, UTF-8 bytes
MAX_RESULT_BYTES = STATE_BYTES - 4_096  # less what lambda:invoke puts around a result: status, request id, headers

_STATE = f"A Step Functions state holds {STATE_BYTES:,}"
READ_IN_PARTS = f"{_STATE}: read a list in parts with start and limit, or read it in a function with the package"
NARROW_PREFIX = f"{_STATE}: narrow the prefix, or read the keys one by one"


def check_result(result: dict[str, Any]) -> int:
    """Return the size of a result in bytes, or raise InvalidValueError or ResultTooLargeError."""
    size = size_of(result)
    if size > MAX_RESULT_BYTES:
        raise too_large(size, result.get("key"), NARROW_PREFIX if "values" in result else READ_IN_PARTS)
    return size


def size_of(result: dict[str, Any]) -> int:
    """Return the bytes that Lambda writes for a result; raise InvalidValueError for what it cannot write."""
    # As Lambda's Python runtime writes it since 3.12: with a space after commas and colons, non-ASCII unescaped.
    try:
        return len(json.dumps(result, ensure_ascii=False).encode())
    except UnicodeEncodeError as failure:
        key = result.get("key")
        what = "a value" if key is None else f"the value of key {key!r}"
        raise InvalidValueError(
            f"{what} must be text that a function can return; it has half of a surrogate pair. "
            "Read it in a function with the package",
            key=key,
        ) from failure


def too_large(size: int, key: str | None, advice: str) -> ResultTooLargeError:
    """Return the error for a result of `size` bytes."""
    what = "the result" if key is None else f"the result with the value of key {key!r}"
    return ResultTooLargeError(
        f"{what} must have at most {MAX_RESULT_BYTES:,} bytes; got {size:,}. {advice}",
        key=key,
    )
