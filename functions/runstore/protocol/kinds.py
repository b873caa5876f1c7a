"""What a caller hears about a key of another kind than an operation needs, and about a token of another operation."""

from __future__ import annotations

import logging

from runstore.errors import KeyTypeMismatchError

_logger = logging.getLogger("runstore")

_HELD = {"list": "a list", "number": "a number", "value": "a value that is neither a list nor a number"}


def mismatch(key: str, holds: str, needs: str) -> KeyTypeMismatchError:
    """Return the error for a push (`needs` "list") or an increment ("number") on another kind of value."""
    operation = "push to it" if needs == "list" else "increment it"
    return KeyTypeMismatchError(
        f"key {key!r} must hold {_HELD[needs]}, or not be set, to {operation}; it holds {_HELD[holds]}. "
        "Nothing was changed. Set or delete the key first, or use another one",
        holds=holds,
    )


def not_a_list(key: str, holds: str) -> KeyTypeMismatchError:
    """Return the error for reading a part of something that has no parts."""
    return KeyTypeMismatchError(
        f"key {key!r} must hold a list to be read in parts; it holds {_HELD[holds]}. Read it without start and limit",
        holds=holds,
    )


def warn_of_other_operand(key: str, kind: str) -> None:
    """Log that a token was repeated with another operand: only the first one counts."""
    if kind == "list":
        _logger.warning("a token was repeated with other items on key %r: they are not appended", key)
    else:
        _logger.warning("a token was repeated with another delta on key %r: it is not added", key)
