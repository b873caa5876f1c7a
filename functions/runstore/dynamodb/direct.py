"""The transport that speaks DynamoDB's protocol itself: no botocore, a quarter of its processor time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runstore.aws_api.client import JsonClient
from runstore.aws_api.endpoint import DYNAMODB, resolve
from runstore.aws_api.errors import ApiError, UnusableError
from runstore.dynamodb.answers import is_complete
from runstore.dynamodb.transport import RequestError
from runstore.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_TRANSACTION = "TransactWriteItems"
_READS = {"BatchGetItem", "GetItem", "Query"}


class DirectTransport:
    """Sends requests over pooled HTTPS connections, signed with the environment's credentials.

    Safe between threads, and in a child of fork. A request ends within 25 seconds, or within the caller's
    `runstore.aws_api.time_limit.time_limit` if that is shorter.
    """

    def __init__(self, client: JsonClient | None = None) -> None:
        """Find the endpoint and make the TLS context, which takes a while; connect at the first request.

        Args:
            client: By default, one for the region or endpoint that the environment names.

        Raises:
            ConfigurationError: There is no region, or the environment asks for what only boto3 can do.
        """
        try:
            self._client = JsonClient(DYNAMODB, resolve(DYNAMODB)) if client is None else client
        except UnusableError as failure:
            raise ConfigurationError(f"cannot reach DynamoDB directly: {failure}") from failure

    @property
    def endpoint_url(self) -> str:
        """Return where requests go."""
        endpoint = self._client.endpoint
        return f"{endpoint.scheme}://{endpoint.authority}"

    def send(self, operation: str, request: Mapping[str, Any], *, idempotent: bool) -> dict[str, Any]:
        """Send a request and return its answer, as `Transport.send` describes it."""
        if operation == _TRANSACTION:
            # DynamoDB carries out one transaction of a token, however often it arrives within ten minutes.
            request, idempotent = {"ClientRequestToken": os.urandom(16).hex(), **request}, True
        try:
            return self._client.call(
                operation, request, idempotent=idempotent, accept=lambda answer: is_complete(operation, request, answer)
            )
        except ApiError as failure:
            raise _request_error(failure, write=operation not in _READS) from failure

    def close(self) -> None:
        """Close the idle connections; the next request opens another."""
        self._client.close()


def _request_error(failure: ApiError, *, write: bool) -> RequestError:
    reasons = failure.body.get("CancellationReasons") or ()
    codes = (reason["Code"] for reason in reasons if reason.get("Code", "None") != "None")
    return RequestError(
        str(failure),
        code=failure.code,
        status=failure.status,
        reasons=tuple(codes),
        item=failure.body.get("Item"),
        may_have_happened=write and failure.may_have_happened,
        unusable=failure.unusable,
    )
