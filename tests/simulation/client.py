"""A boto3 DynamoDB client whose network is ours: requests go to the in-memory database, or get lost on their way."""

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Protocol

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from botocore.hooks import HierarchicalEmitter

from tests.simulation.database import Database
from tests.simulation.wire import FailedError, Request

ATTEMPTS = 3
THROTTLED = "ProvisionedThroughputExceededException"
_ENDPOINT = "http://simulated"
_tokens = itertools.count()


class NetworkError(Exception):
    """A request failed on its way. `sent` tells whether DynamoDB may have seen it, `last` that no retry will help."""

    def __init__(self, *, sent: bool, last: bool) -> None:
        super().__init__()
        self.sent, self.last = sent, last
        self.error = (ReadTimeoutError if sent else EndpointConnectionError)(endpoint_url=_ENDPOINT)


class ServerError(Exception):
    """DynamoDB answered, but not with what was asked for."""

    def __init__(self, code: str, *, last: bool) -> None:
        super().__init__(code)
        self.code, self.last = code, last


class Network(Protocol):
    """How a request gets to the database and its answer back."""

    def deliver(self, operation: str, request: Request) -> dict[str, Any]:
        """Return the answer; raise ClientError, NetworkError or ServerError."""
        ...


class Direct:
    """A network that loses nothing and lets nobody in between."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def deliver(self, operation: str, request: Request) -> dict[str, Any]:
        """Return the database's answer."""
        return self.database.perform(operation, request, lambda: None)


class SimulatedClient:
    """The low-level client, as far as the run store uses it.

    Like botocore, it re-sends what was throttled or failed on the way, unless a handler of `needs-retry` objects, and
    gives every TransactWriteItems a ClientRequestToken, so that its repetition is recognised.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self.meta = SimpleNamespace(events=HierarchicalEmitter(), region_name="simulated", endpoint_url=_ENDPOINT)

    def _call(self, operation: str, request: Request) -> dict[str, Any]:
        if operation == "TransactWriteItems":
            request = {"ClientRequestToken": f"transaction-{next(_tokens)}", **request}
        context: dict[str, Any] = {}
        event = f"provide-client-params.dynamodb.{operation}"
        self.meta.events.emit(event, params=request, model=None, context=context)
        for attempt in itertools.count(1):
            response, caught, last = None, None, attempt == ATTEMPTS
            try:
                return self._network.deliver(operation, request)
            except NetworkError as failure:
                caught, last = failure.error, last or failure.last
            except ServerError as failure:
                error = FailedError(failure.code, "injected").as_client_error(operation)
                status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
                response, last = (SimpleNamespace(status_code=status), error.response), last or failure.last
            self.meta.events.emit(
                f"needs-retry.dynamodb.{operation}",
                response=response,
                caught_exception=caught,
                attempts=attempt,
                endpoint=None,
                operation=None,
                request_dict={"context": context},
            )
            if last:
                raise caught or ClientError(response[1], operation)  # type: ignore[index]
        raise AssertionError


def _method(operation: str) -> Callable[..., dict[str, Any]]:
    def call(self: SimulatedClient, **request: Any) -> dict[str, Any]:
        return self._call(operation, request)

    return call


for _name, _operation in {
    "get_item": "GetItem",
    "put_item": "PutItem",
    "delete_item": "DeleteItem",
    "update_item": "UpdateItem",
    "query": "Query",
    "transact_write_items": "TransactWriteItems",
    "batch_get_item": "BatchGetItem",
    "batch_write_item": "BatchWriteItem",
}.items():
    setattr(SimulatedClient, _name, _method(_operation))
