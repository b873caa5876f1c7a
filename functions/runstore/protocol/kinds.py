"""The errors for a key that holds another kind of value than an operation needs."""

from __future__ import annotations

from runstore.errors import KeyTypeMismatchError

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
