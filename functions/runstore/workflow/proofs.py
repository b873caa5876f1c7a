"""Proofs under a run's secret: what a child execution is started with, and the tokens of events.

Nobody else can create either text: an HMAC-SHA256 under a random secret that only the run's record holds. A proof
covers opaque text, because Step Functions may rewrite the numbers of JSON that passes through a state.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, NamedTuple

from runstore.errors import InvalidRunIdError
from runstore.model.identifiers import check_run_id
from runstore.workflow.errors import InvalidEventError, InvalidEventTokenError

if TYPE_CHECKING:
    from typing import Any

_SECRET_BYTES = 32
_PROOF_BYTES = 24  # 192 bits, 32 characters
_MAX_TOKEN = 8_192  # characters; a run id of 1,024 bytes and an action make about 2,000
_INVALID = "token must be one that wait_for_event returned, unchanged"


class EventToken(NamedTuple):
    """A token taken apart; nothing is known of it until `proves` has checked it."""

    text: str
    run_id: str
    step_id: str
    wait: str


def new_secret() -> str:
    """Return the secret of a new run."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def seal_child(secret: str, run_id: str, child: dict[str, Any]) -> str:
    """Return what a child execution is started with, as text with its proof."""
    text = json.dumps(child, ensure_ascii=True, separators=(",", ":"))
    return f"{_proof(secret, 'child', run_id, text)}.{text}"


def open_child(secret: str, run_id: str, sealed: Any) -> dict[str, Any]:
    """Return what a child execution was started with, or raise InvalidEventError if the engine did not write it."""
    proof, _, text = sealed.partition(".") if isinstance(sealed, str) else ("", "", "")
    if not _same(proof, _proof(secret, "child", run_id, text)):
        raise InvalidEventError(
            "the input of a child execution must carry the engine's proof; this one does not belong to the run that it "
            'names. Start a workflow with {"data": ..., "headers": {...}}'
        )
    child: dict[str, Any] = json.loads(text)
    return child


def event_token(secret: str, run_id: str, step_id: str, wait: str) -> str:
    """Return the token of one wait of a step: URL-safe text, the same for each attempt."""
    name = urlsafe_b64encode(f"{run_id}\n{step_id}\n{wait}".encode()).rstrip(b"=").decode()
    return f"{name}.{_proof(secret, 'event', run_id, step_id, wait)}"


def read_token(token: Any) -> EventToken:
    """Take a token apart, or raise InvalidEventTokenError for what cannot be one."""
    if not isinstance(token, str):
        raise InvalidEventTokenError(f"{_INVALID}; got {'null' if token is None else type(token).__name__}")
    text = str.__str__(token)
    name = text.partition(".")[0]
    try:
        padded = name.encode("ascii") + b"=" * (-len(name) % 4)
        parts = urlsafe_b64decode(padded).decode().split("\n") if len(text) <= _MAX_TOKEN else []
        run_id, step_id, wait = parts
        check_run_id(run_id)
    except (ValueError, InvalidRunIdError) as failure:
        raise InvalidEventTokenError(f"{_INVALID}; this one was cut or altered") from failure
    return EventToken(text, run_id, step_id, wait)


def check_token(secret: str, token: EventToken) -> None:
    """Raise InvalidEventTokenError unless the run with this secret has made the token."""
    # The whole text is compared: several texts in base64 stand for the same bytes.
    if not _same(token.text, event_token(secret, token.run_id, token.step_id, token.wait)):
        raise InvalidEventTokenError(f"{_INVALID}; this one was cut or altered")


def _proof(secret: str, *parts: str) -> str:
    message = json.dumps(parts).encode()  # unambiguous: no part can run into the next
    digest = hmac.digest(secret.encode(), message, hashlib.sha256)
    return urlsafe_b64encode(digest[:_PROOF_BYTES]).decode()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode())
