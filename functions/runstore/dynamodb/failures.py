"""How a failed DynamoDB request is reported to the caller, and whether the table sends it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstore.aws_api.errors import THROTTLED
from runstore.errors import ConfigurationError, RunStoreError, ThrottledError, UnavailableError
from runstore.settings import TABLE_VARIABLE

if TYPE_CHECKING:
    from runstore.dynamodb.transport import RequestError

CONDITION_FALSE = {"ConditionalCheckFailed", "ConditionalCheckFailedException"}
INVALID = {"ValidationException"}
_CONFLICTS = {
    "ReplicatedWriteConflictException",  # of a global table with strong consistency
    "TransactionConflict",
    "TransactionConflictException",
}
_FORBIDDEN = {
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
}
_FAILED = {"InternalServerError", "ServiceUnavailable", "TransactionInProgressException"}
_CONFLICT_DELAY, _THROTTLE_DELAY = 0.01, 0.1  # seconds
_SERVER_ERROR = 500


def error_codes(failure: RequestError) -> set[str]:
    """Return the code of DynamoDB's answer; for a cancelled transaction, its reasons' codes."""
    reasons = set(failure.reasons) - {"None"}
    return reasons or ({failure.code} if failure.code else set())


def retry_delay(failure: RequestError) -> float | None:
    """Return the seconds to back off before a write that had no effect is sent again; None if it must not be.

    Transports repeat throttled requests, but not conflicts, and not a transaction that was cancelled for throttling.
    """
    codes = error_codes(failure)
    if codes & THROTTLED and failure.reasons:
        return _THROTTLE_DELAY
    return _CONFLICT_DELAY if codes & _CONFLICTS else None


def translate_error(
    failure: RequestError, operation: str, table: str, *, may_have_happened: bool = False
) -> RunStoreError:
    """Return the error that tells the caller what to do about a failed request.

    `may_have_happened`: whether it is a write of which some attempt may have taken effect.
    """
    codes = error_codes(failure)
    if failure.unusable:
        return ConfigurationError(f"cannot send {operation} to table {table!r}: {str(failure).rstrip('.')}")
    said = str(failure).rstrip(".") or ", ".join(sorted(codes))
    if codes & (THROTTLED | _CONFLICTS):
        what = f"DynamoDB throttled {operation} at every attempt ({', '.join(sorted(codes))})"
        return _with_advice(ThrottledError, what, may_have_happened=may_have_happened)
    if failure.status >= _SERVER_ERROR or codes & _FAILED:
        what = f"DynamoDB failed to process {operation}: {said}"
        return _with_advice(UnavailableError, what, may_have_happened=may_have_happened)
    if not codes:
        what = f"DynamoDB gave no complete answer to {operation}: {said}"
        return _with_advice(UnavailableError, what, may_have_happened=may_have_happened)
    if "ResourceNotFoundException" in codes:
        why = f"there is no such table. Check {TABLE_VARIABLE}, the region and the account"
    elif codes & _FORBIDDEN:
        why = f"not permitted: {said}"
    else:
        why = f"{said}. Does the table have the string keys run_id and key?"
    return ConfigurationError(f"DynamoDB refused {operation} on table {table!r}: {why}")


def unprocessed(operation: str) -> ThrottledError:
    """Return the error for a batch that DynamoDB processed only in part at every attempt."""
    return ThrottledError(f"DynamoDB left part of {operation} unprocessed at every attempt. Try again")


def _with_advice(kind: type[RunStoreError], what: str, *, may_have_happened: bool) -> RunStoreError:
    advice = (
        "The write may have happened. It is safe to repeat get, set, delete and anything with a token; "
        "a repeated push or increment without a token may count twice"
        if may_have_happened
        else "That request wrote nothing. Try again"
    )
    pace = (
        ". One run can use about 1,000 write units a second: pace a larger fan-out, or batch with push_many"
        if kind is ThrottledError
        else ""
    )
    return kind(f"{what}. {advice}{pace}", may_have_happened=may_have_happened)
