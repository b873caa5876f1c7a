"""What can become of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

# The services' names for a refusal because of load: the request had no effect.
THROTTLED: Final = frozenset(
    {
        "ExecutionLimitExceeded",
        "ProvisionedThroughputExceeded",  # a reason of a cancelled transaction
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottledException",
        "ThrottledException",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


class ApiError(Exception):
    """A request that did not succeed.

    Attributes:
        code: The service's name for the error, such as "ThrottlingException"; "" without a readable answer.
        status: The HTTP status; 0 without an answer.
        body: The parsed body of the answer; empty without a readable one.
        may_have_happened: Whether some attempt of the request may have taken effect.
        unusable: Nothing was sent, and trying again cannot help: credentials or parameters are missing or wrong.
    """

    def __init__(  # noqa: PLR0913 all but the message are by keyword, each with a default
        self,
        message: str,
        *,
        code: str = "",
        status: int = 0,
        body: Mapping[str, Any] | None = None,
        may_have_happened: bool = False,
        unusable: bool = False,
    ) -> None:
        """Carry what is known of the failure."""
        super().__init__(message)
        self.code, self.status, self.body = code, status, body or {}
        self.may_have_happened, self.unusable = may_have_happened, unusable


class NotSentError(Exception):
    """One attempt never reached the service: it had no effect."""


class UntrustedServerError(NotSentError):
    """The server could not prove with its certificate that it is the one that was asked for."""


class BrokenAnswerError(Exception):
    """One attempt brought no whole, readable answer: the request may have taken effect."""


class UnusableError(Exception):
    """No request can be made: credentials, region or endpoint are missing or wrong."""
