"""The three names that a caller chooses: run ids, keys and tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runstore.errors import InvalidKeyError, InvalidRequestError, InvalidRunIdError, InvalidTokenError

if TYPE_CHECKING:
    from typing import Any

MAX_RUN_ID_BYTES = 1_024  # DynamoDB allows 2,048 for a partition key; an execution ARN has at most about 350
MAX_KEY_BYTES = 512  # a segment's sort key adds about 22 bytes, an intent's about 31; DynamoDB allows 1,024
MAX_TOKEN_BYTES = 256

# Sort keys separate their parts by control characters, so no user key can reach into them.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def check_run_id(run_id: Any) -> str:
    """Return `run_id` as a plain string, or raise InvalidRunIdError."""
    return _check("runId", run_id, MAX_RUN_ID_BYTES, InvalidRunIdError)


def check_key(key: Any) -> str:
    """Return `key` as a plain string, or raise InvalidKeyError."""
    return _check("key", key, MAX_KEY_BYTES, InvalidKeyError)


def check_prefix(prefix: Any) -> str:
    """Return the beginning of keys, which may be empty, as a plain string, or raise InvalidKeyError."""
    return _check("prefix", prefix, MAX_KEY_BYTES, InvalidKeyError, minimum=0)


def check_token(token: Any) -> str:
    """Return `token` as a plain string, or raise InvalidTokenError."""
    return _check("token", token, MAX_TOKEN_BYTES, InvalidTokenError)


def _check(name: str, text: Any, limit: int, error: type[InvalidRequestError], *, minimum: int = 1) -> str:
    must = f"{name} must be a string of {minimum} to {limit:,} UTF-8 bytes without control characters"
    if not isinstance(text, str):
        raise error(f"{must}; got {'null' if text is None else type(text).__name__}")
    # A member of a string enum is taken as the text that it holds: its str() and format() may be something else.
    plain = str.__str__(text)
    if len(plain) < minimum:
        raise error(f"{must}; got an empty string")
    try:
        size = len(plain.encode())
    except UnicodeEncodeError as failure:
        raise error(f"{must}; got a lone surrogate at position {failure.start}") from failure
    if size > limit:
        raise error(f"{must}; got {size:,} bytes")
    if found := _CONTROL.search(plain):
        raise error(f"{must}; got the control character U+{ord(found[0]):04X} at position {found.start()}")
    return plain
