"""What a failed DynamoDB request means, by its code, and when it may be sent again."""

from binascii import crc32
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoAuthTokenError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from runstore.errors import ConfigurationError, RunStoreError, ThrottledError, UnavailableError
from runstore.settings import TABLE_VARIABLE

if TYPE_CHECKING:
    from typing import Any

FAILURES = (ClientError, BotoCoreError, ResponseParserError)  # all that a client's method raises about a request
CONDITION_FALSE = {"ConditionalCheckFailed", "ConditionalCheckFailedException"}
_CONFLICTS = {"TransactionConflict", "TransactionConflictException"}
INVALID = {"ValidationException"}
_THROTTLED = {
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
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
_NO_CREDENTIALS = (
    CredentialRetrievalError,
    NoAuthTokenError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
_NEVER_SENT = (ConnectTimeoutError, EndpointConnectionError)
_PACE = ". One run takes about 1,000 write units a second: pace a larger fan-out, or batch with push_many"
_CONFLICT_PAUSE, _THROTTLE_PAUSE = 0.01, 0.1  # seconds
_OK, _SERVER_ERROR = 200, 500


@dataclass(slots=True)
class Sending:
    """A write on its way. `once`: nothing protects it from counting twice. `doubtful`: it may have happened."""

    once: bool = False
    doubtful: bool = False


sending: ContextVar[Sending | None] = ContextVar("sending", default=None)


def watch(response: "Any" = None, caught_exception: Exception | None = None, **_: object) -> None:
    """Note what each attempt of a write may have done, and keep botocore from re-sending one that is to be sent once.

    A handler of `needs-retry`: it cannot veto a retry, but what it raises ends the call. A request that was never
    sent or that was throttled has had no effect: those are re-sent as usual.
    """
    write = sending.get()
    if write is None or isinstance(caught_exception, _NEVER_SENT):
        return
    error = caught_exception
    if response is not None:
        status = response[0].status_code
        if status == _OK:
            error = _corrupt(response[0]) if write.once else None
        elif status >= _SERVER_ERROR:
            error = ClientError(response[1], "UpdateItem")
        else:
            return
    write.doubtful = True
    if write.once and error is not None:
        raise error


def _corrupt(answer: "Any") -> ChecksumError | None:
    """Return what is wrong with an answer that did not arrive as it was sent: botocore would send its request again."""
    expected = answer.headers.get("x-amz-crc32")
    actual = crc32(answer.content)
    if expected is None or int(expected) == actual:
        return None
    return ChecksumError(checksum_type="crc32", expected_checksum=expected, actual_checksum=str(actual))


def codes(failure: BaseException | None) -> set[str]:
    """Return the code of DynamoDB's answer, for a cancelled transaction its reasons' codes; none without an answer."""
    if not isinstance(failure, ClientError):
        return set()
    reasons = failure.response.get("CancellationReasons")
    if reasons:
        return {reason.get("Code", "None") for reason in reasons} - {"None"}
    return {failure.response.get("Error", {}).get("Code", "")}


def first_pause(failure: Exception) -> float | None:
    """Return the seconds to wait before a request is sent again that had no effect; None for what is not to be.

    Clients repeat what was throttled themselves, but no transaction that was cancelled for it.
    """
    found = codes(failure)
    if found & _THROTTLED and isinstance(failure, ClientError) and failure.response.get("CancellationReasons"):
        return _THROTTLE_PAUSE
    return _CONFLICT_PAUSE if found & _CONFLICTS else None


def meaning(failure: Exception, operation: str, table: str, write: Sending | None = None) -> RunStoreError:
    """Return the error that tells the caller what to do about a failed request, `write` if it is one."""
    if isinstance(failure, _NO_CREDENTIALS):
        return ConfigurationError(f"no usable AWS credentials or region: {failure}")
    if isinstance(failure, ParamValidationError):
        return ConfigurationError(f"boto3 refused {operation} on table {table!r}: {failure}")
    doubtful = write is not None and write.doubtful
    if not isinstance(failure, ClientError):
        doubtful |= write is not None and not isinstance(failure, _NEVER_SENT)
        return _told(
            UnavailableError, f"DynamoDB gave no readable answer to {operation}: {failure}", may_have_happened=doubtful
        )
    found = codes(failure)
    said = failure.response.get("Error", {}).get("Message") or ", ".join(sorted(found))
    status = failure.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if found & (_THROTTLED | _CONFLICTS):
        what = f"DynamoDB throttled {operation} to the last try ({', '.join(sorted(found))})"
        return _told(ThrottledError, what, _PACE, may_have_happened=doubtful)
    if status >= _SERVER_ERROR or found & _FAILED:
        return _told(UnavailableError, f"DynamoDB failed at {operation}: {said}", may_have_happened=write is not None)
    if "ResourceNotFoundException" in found:
        why = f"there is no such table here: check {TABLE_VARIABLE}, the region and the account"
    elif found & _FORBIDDEN:
        why = f"not permitted: {said}"
    else:
        why = f"{said}. Has the table the string keys run_id and key?"
    return ConfigurationError(f"DynamoDB refused {operation} on table {table!r}: {why}")


def _told(kind: type[RunStoreError], what: str, more: str = "", *, may_have_happened: bool) -> RunStoreError:
    advice = (
        "The write may have happened: get, set, delete and whatever has a token can be repeated safely; "
        "a push or an increment without a token may then count twice"
        if may_have_happened
        else "That request wrote nothing: try again"
    )
    error = kind(f"{what}. {advice}{more}")
    error.may_have_happened = may_have_happened
    return error
