"""The three names that a caller chooses: run ids, keys and tokens."""

import re
from typing import TYPE_CHECKING

from runstore.errors import InvalidKeyError, InvalidRequestError, InvalidRunIdError, InvalidTokenError

if TYPE_CHECKING:
    from typing import Any

MAX_RUN_ID_BYTES = 1_024  # DynamoDB takes 2,048 for a partition key; an execution ARN has at most about 350
MAX_KEY_BYTES = 512  # a segment's sort key adds about 22 bytes, an intent's about 31; DynamoDB takes 1,024
MAX_TOKEN_BYTES = 256

# The item model separates its own parts of a sort key by control characters: no user key can reach into them.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def check_run_id(run_id: "Any") -> str:
    """Return `run_id`, or raise InvalidRunIdError."""
    return _check("runId", run_id, MAX_RUN_ID_BYTES, InvalidRunIdError)


def check_key(key: "Any") -> str:
    """Return `key`, or raise InvalidKeyError."""
    return _check("key", key, MAX_KEY_BYTES, InvalidKeyError)


def check_token(token: "Any") -> str:
    """Return `token`, or raise InvalidTokenError."""
    return _check("token", token, MAX_TOKEN_BYTES, InvalidTokenError)


def _check(name: str, text: "Any", limit: int, error: type[InvalidRequestError]) -> str:
    takes = f"it takes text of 1 to {limit:,} UTF-8 bytes without control characters"
    if not isinstance(text, str):
        raise error(f"{name} is {'null' if text is None else f'of type {type(text).__name__}'}: {takes}")
    if not text:
        raise error(f"{name} is empty: {takes}")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as failure:
        raise error(f"{name} has a lone surrogate at position {failure.start}: {takes}") from failure
    if size > limit:
        raise error(f"{name} has {size:,} bytes: {takes}")
    if found := _CONTROL.search(text):
        raise error(f"{name} has the control character U+{ord(found[0]):04X} at position {found.start()}: {takes}")
    return text
