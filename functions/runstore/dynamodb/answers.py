"""Whether an answer of DynamoDB is complete: a cut one must not pass for an empty success."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# What an answer always holds. A complete answer to any other request may be an empty object.
_ALWAYS = {"Query": "Items", "BatchGetItem": "Responses"}


def is_complete(operation: str, request: Mapping[str, Any], answer: Any) -> bool:
    """Return whether `answer`, parsed from JSON, holds what DynamoDB always answers to this request."""
    if not isinstance(answer, dict):
        return False
    if operation == "UpdateItem" and request.get("ReturnValues") == "ALL_NEW":
        return isinstance(answer.get("Attributes"), dict)
    name = _ALWAYS.get(operation)
    return name is None or isinstance(answer.get(name), (list, dict))


def is_object(body: bytes) -> bool:
    """Return whether `body` is a whole JSON object."""
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False
