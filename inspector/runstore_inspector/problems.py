"""What went wrong, in one line that says what to do about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from runstore.errors import InvalidRequestError, RunStoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_NOT_FOUND: Final = 1
EXIT_USAGE: Final = 2
EXIT_FAILED: Final = 3

_DENIED = re.compile(r"is not authorized to perform: (?P<action>[\w:]+)(?: on resource: (?P<resource>\S+))?")
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_INVALID = ("InvalidClientTokenId", "UnrecognizedClientException", "InvalidSignatureException", "SignatureDoesNotMatch")
_NO_CREDENTIALS = "no AWS credentials were found: pass --profile, or set AWS_PROFILE or AWS_ACCESS_KEY_ID"
_NO_REGION = "no AWS region is set: pass --region, or set AWS_REGION"


class InspectorError(Exception):
    """Something that the user can act on. The text is one line; `exit_code` is the command's."""

    exit_code = EXIT_FAILED


class NotFoundError(InspectorError):
    """What was asked for does not exist; `near` has the names of runs that look like it."""

    exit_code = EXIT_NOT_FOUND

    def __init__(self, text: str, near: Sequence[str] = ()) -> None:
        """Keep the near names beside the text."""
        super().__init__(text + (f". Near: {', '.join(near)}" if near else ""))
        self.text, self.near = text, tuple(near)


class UsageError(InspectorError):
    """The command itself is wrong."""

    exit_code = EXIT_USAGE


AWS_FAILURES = (ClientError, BotoCoreError, ResponseParserError)  # all that a boto3 client raises about a request
FAILURES = (RunStoreError, *AWS_FAILURES)


def explain(error: Exception) -> InspectorError:
    """Return what a failed request means to the user of the command or the page."""
    if isinstance(error, InspectorError):
        return error
    if isinstance(error, InvalidRequestError):
        return UsageError(one_line(str(error)))
    text = one_line(str(error))
    if denied := _DENIED.search(text):
        resource = f" on {denied['resource']}" if denied["resource"] else ""
        return InspectorError(
            f"the permission {denied['action']}{resource} is missing: add it to the role or user that you use"
        )
    cause = error.__cause__ if isinstance(error, RunStoreError) else error
    if isinstance(cause, ClientError):
        return _client_error(cause)
    return InspectorError(_connection_error(cause if isinstance(cause, Exception) else error) or text)


def _client_error(error: ClientError) -> InspectorError:
    found = error.response.get("Error", {})
    code, said = str(found.get("Code", "")), one_line(str(found.get("Message", "")))
    name = error.operation_name
    if code in _EXPIRED:
        return InspectorError("the AWS credentials have expired: sign in again (aws sso login, for example)")
    if code in _INVALID:
        return InspectorError(
            f"AWS does not accept the credentials ({code}): check the profile, the keys and the endpoint"
        )
    if code in {"AccessDenied", "AccessDeniedException"}:
        return InspectorError(f"a permission for {name} is missing: {said}")
    if code == "ResourceNotFoundException" and name != "GetExecutionHistory":
        return InspectorError(
            "there is no such table: check --table (or RUNSTORE_TABLE), --region, --profile and --endpoint-url"
        )
    return InspectorError(f"AWS refused {name}: {code}: {said}")


_ADVICE: Final[tuple[tuple[tuple[type[Exception], ...], str], ...]] = (
    ((ProfileNotFound,), "{}: see `aws configure list-profiles`"),
    ((NoRegionError,), _NO_REGION),
    ((NoCredentialsError, PartialCredentialsError), _NO_CREDENTIALS),
    ((SSOError, TokenRetrievalError), "{}: sign in with aws sso login"),
    ((ResponseParserError,), "the endpoint's answer is not that of this service: check --endpoint-url"),
    (
        (EndpointConnectionError, ConnectTimeoutError, ReadTimeoutError),
        "{}: check --endpoint-url (or AWS_ENDPOINT_URL), --region and the network",
    ),
)


def _connection_error(error: Exception) -> str:
    advice = (text for kinds, text in _ADVICE if isinstance(error, kinds))
    return next(advice, "").format(one_line(str(error)))


def no_credentials() -> InspectorError:
    """Return the problem of a machine without credentials."""
    return InspectorError(_NO_CREDENTIALS)


def no_region() -> InspectorError:
    """Return the problem of a session without a region."""
    return InspectorError(_NO_REGION)


def one_line(text: str) -> str:
    """Return a text without line breaks and other control characters, so that no stored text can steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text).strip()
