"""The calls to Step Functions that the engine makes, and what their errors mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstore.aws_api.errors import THROTTLED
from runstore.errors import ConfigurationError, ThrottledError, UnavailableError

if TYPE_CHECKING:
    from typing import Any

_REFUSED = {
    "AccessDeniedException",
    "InvalidArn",
    "InvalidExecutionInput",
    "InvalidName",
    "InvalidSignatureException",
    "KmsAccessDeniedException",
    "KmsInvalidStateException",
    "MissingAuthenticationToken",
    "StateMachineDeleting",
    "StateMachineDoesNotExist",
    "StateMachineTypeNotSupported",
    "UnrecognizedClientException",
    "ExpiredTokenException",
    "ValidationException",
}


def step_functions() -> Any:
    """Return the process's client of Step Functions: in an ordinary Lambda function ours, elsewhere boto3's."""
    from runstore.aws_api.stepfunctions import default_client  # noqa: PLC0415 most processes call nothing

    try:
        return default_client()
    except ConfigurationError:
        raise
    except Exception as failure:
        reason = str(failure).rstrip(".")
        raise ConfigurationError(
            f"a Step Functions client must be possible to create; it failed: {reason}. Set AWS_REGION, or pass a client"
        ) from failure


def error_code(failure: Exception) -> str:
    """Return the service's name for an error, from boto3's or our client; "" if it gave none."""
    response = getattr(failure, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", ""))
    return str(getattr(failure, "code", ""))


def translate_error(failure: Exception, what: str) -> Exception:
    """Return the store's error for a failed call."""
    code = error_code(failure)
    if code in THROTTLED:
        return ThrottledError(f"Step Functions throttled the request to {what}: try again")
    if code in _REFUSED or getattr(failure, "unusable", False):
        return ConfigurationError(f"Step Functions refused to {what}: {failure}")
    return UnavailableError(f"Step Functions did not {what}: {failure}")
