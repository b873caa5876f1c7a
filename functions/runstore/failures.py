"""What a failed DynamoDB request means, by its code, and when it may be sent again."""

from contextvars import ContextVar
from typing import TYPE_CHECKING

from botocore.exceptions import (
    BotoCoreError,
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
CONFLICTS = {"TransactionConflict", "TransactionConflictException"}
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
_SERVER_ERROR = 500

# Set while a request is on its way that nothing protects from counting twice.
sending_once: ContextVar[bool] = ContextVar("sending_once", default=False)


def stop_resending(response: "Any" = None, caught_exception: Exception | None = None, **_: object) -> None:
    """Keep botocore from re-sending, after an ambiguous failure, a request marked by `sending_once`.

    A handler of `needs-retry`: it cannot veto a retry, but what it raises ends the call. A request that was never
    sent or that was throttled has had no effect: those are re-sent as usual.
    """
    if not sending_once.get():
        return
    if caught_exception is not None and not isinstance(caught_exception, _NEVER_SENT):
        raise caught_exception
    if response is not None and response[0].status_code >= _SERVER_ERROR:
        raise ClientError(response[1], "UpdateItem")


def codes(failure: BaseException | None) -> set[str]:
    """Return the code of DynamoDB's answer, for a cancelled transaction its reasons' codes; none without an answer."""
    if not isinstance(failure, ClientError):
        return set()
    reasons = failure.response.get("CancellationReasons")
    if reasons:
        return {reason.get("Code", "None") for reason in reasons} - {"None"}
    return {failure.response.get("Error", {}).get("Code", "")}


def meaning(failure: Exception, operation: str, table: str, *, write: bool) -> RunStoreError:
    """Return the error that tells the caller what to do about a failed request."""
    if isinstance(failure, _NO_CREDENTIALS):
        return ConfigurationError(f"no usable AWS credentials or region: {failure}")
    if isinstance(failure, ParamValidationError):
        return ConfigurationError(f"boto3 refused {operation} on table {table!r}: {failure}")
    if not isinstance(failure, ClientError):
        return _unavailable(f"DynamoDB gave no readable answer to {operation}: {failure}", write=write)
    found = codes(failure)
    said = failure.response.get("Error", {}).get("Message") or ", ".join(sorted(found))
    status = failure.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if found & (_THROTTLED | CONFLICTS):
        return ThrottledError(
            f"DynamoDB throttled {operation} to the last try ({', '.join(sorted(found))}): that request wrote "
            "nothing: try again. One run takes about 1,000 write units a second: pace a larger fan-out, or batch with "
            "push_many"
        )
    if status >= _SERVER_ERROR or found & _FAILED:
        return _unavailable(f"DynamoDB failed at {operation}: {said}", write=write)
    if "ResourceNotFoundException" in found:
        why = f"there is no such table here: check {TABLE_VARIABLE}, the region and the account"
    elif found & _FORBIDDEN:
        why = f"not permitted: {said}"
    else:
        why = f"{said}. Has the table the string keys run_id and key?"
    return ConfigurationError(f"DynamoDB refused {operation} on table {table!r}: {why}")


def _unavailable(text: str, *, write: bool) -> UnavailableError:
    advice = (
        "The write may have happened: get, set, delete and whatever has a token can be repeated safely; "
        "a push or an increment without a token may then count twice"
        if write
        else "Nothing was written: try again"
    )
    error = UnavailableError(f"{text}. {advice}")
    error.may_have_happened = write
    return error
