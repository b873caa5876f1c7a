"""The seam between the table and what carries its requests to DynamoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from runstore.model.items import Wire


class Transport(Protocol):
    """Sends one request of DynamoDB's low-level API and returns its answer, both in wire form.

    Implementations may be shared between threads. They repeat a request themselves where that is safe, and a child of
    `fork` opens connections of its own.
    """

    def send(self, operation: str, request: Mapping[str, Any], *, idempotent: bool) -> dict[str, Any]:
        """Send `request` and return the answer.

        Args:
            operation: The API's name for it, such as "UpdateItem".
            request: Its parameters, attribute values in wire form (`{"S": "text"}`).
            idempotent: Whether repeating the request changes nothing. If not, it is never sent again once it may have
                taken effect.

        Raises:
            RequestError: DynamoDB refused the request, or gave no complete answer: one that is not whole JSON, or
                lacks what `answers.is_complete` expects, is a failure without a code that may have happened.
        """
        ...

    def close(self) -> None:
        """Close the connections; the next request opens another. Called in a process restored from a snapshot."""
        ...


class RequestError(Exception):
    """A request that did not succeed.

    Attributes:
        code: DynamoDB's name for the error, such as "ConditionalCheckFailedException"; "" without a readable answer.
        status: The HTTP status; 0 without an answer.
        reasons: For a cancelled transaction, the code of each write that was in the way.
        item: For a false condition with ALL_OLD, the item that it met.
        may_have_happened: Whether some attempt of the request may have taken effect.
        unusable: Nothing could be sent: credentials, region or parameters are missing or wrong.
    """

    def __init__(  # noqa: PLR0913 all but the message are by keyword, each with a default
        self,
        message: str,
        *,
        code: str = "",
        status: int = 0,
        reasons: tuple[str, ...] = (),
        item: Wire | None = None,
        may_have_happened: bool = False,
        unusable: bool = False,
    ) -> None:
        super().__init__(message)
        self.code, self.status, self.reasons, self.item = code, status, reasons, item
        self.may_have_happened, self.unusable = may_have_happened, unusable
