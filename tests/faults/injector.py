"""Faults below the transports: requests and answers get lost where they are handed to the network."""

import io
import json
import math
import re
from binascii import crc32
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from runstore.aws_api.connections import Pool
from runstore.aws_api.endpoint import Endpoint
from runstore.aws_api.errors import BrokenAnswerError, NotSentError
from runstore.aws_api.exchange import Answer

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Fault = Callable[["Injector", AWSPreparedRequest], AWSResponse]


class Injector:
    """Lets the request number `at`, counted from 0, fail; with `always` all from there on."""

    def __init__(self, fault: "Fault | None" = None, at: int = 0, *, always: bool = False) -> None:
        self.sent: list[str] = []  # the operations of all requests, re-sent ones too
        self.injected = 0
        self._fault, self._at, self._always = fault, at, always

    def meet(self, request: AWSPreparedRequest) -> AWSResponse | None:
        """Return or raise what comes of a request; None if it goes its usual way."""
        number = len(self.sent)
        self.sent.append(operation_of(request))
        if self._fault is None or number < self._at or (number > self._at and not self._always):
            return None
        self.injected += 1
        return self._fault(self, request)

    def pass_on(self, request: AWSPreparedRequest) -> AWSResponse:
        """Let DynamoDB have the request."""
        raise NotImplementedError


class Boto3Injector(Injector):
    """Faults where botocore hands a client's requests to the network."""

    def __init__(
        self, client: "DynamoDBClient", fault: "Fault | None" = None, at: int = 0, *, always: bool = False
    ) -> None:
        super().__init__(fault, at, always=always)
        self._network = URLLib3Session()
        events: Any = client.meta.events
        events.register("before-send.dynamodb", lambda request, **_: self.meet(request))

    def pass_on(self, request: AWSPreparedRequest) -> AWSResponse:
        """Let DynamoDB have the request."""
        return self._network.send(request)


class DirectInjector(Injector):
    """Faults where the direct transport hands its requests to a pool of connections."""

    def __init__(self, endpoint: Endpoint, fault: "Fault | None" = None, at: int = 0, *, always: bool = False) -> None:
        super().__init__(fault, at, always=always)
        self._pool = Pool(endpoint)

    def send(self, request: bytes, *, deadline: float, repeatable: bool) -> Answer:
        """Send a request, as a pool does, unless it meets a fault."""
        (target,) = re.findall(rb"\r\nx-amz-target: (\S+)", request)
        prepared: Any = SimpleNamespace(url="http://direct", headers={"X-Amz-Target": target}, data=request)
        try:
            response = self.meet(prepared)
        except EndpointConnectionError as failure:
            raise NotSentError(str(failure)) from failure
        except (ReadTimeoutError, ConnectionClosedError) as failure:
            raise BrokenAnswerError(str(failure)) from failure
        if response is None:
            return self._pool.send(request, deadline=deadline, repeatable=repeatable)
        headers = {name.lower(): str(value) for name, value in response.headers.items()}
        return Answer(response.status_code, headers, response.content, keeps_alive=True)

    def pass_on(self, request: AWSPreparedRequest) -> AWSResponse:
        """Let DynamoDB have the request."""
        sent: Any = request
        found = self._pool.send(sent.data, deadline=math.inf, repeatable=False)
        headers: Any = found.headers
        return AWSResponse("http://direct", found.status, headers, _Body(bytes(found.body)))

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


def operation_of(request: AWSPreparedRequest) -> str:
    """Return the name of the DynamoDB operation that a request asks for."""
    target: Any = request.headers["X-Amz-Target"]
    return str(target.decode()).partition(".")[2]


def request_lost(_: Injector, request: AWSPreparedRequest) -> AWSResponse:
    """No connection: DynamoDB never sees the request."""
    raise EndpointConnectionError(endpoint_url=request.url)


def answer_lost(injector: Injector, request: AWSPreparedRequest) -> AWSResponse:
    """DynamoDB carries the request out, and its answer never arrives."""
    injector.pass_on(request)
    raise ReadTimeoutError(endpoint_url=request.url)


def connection_closed(injector: Injector, request: AWSPreparedRequest) -> AWSResponse:
    """DynamoDB carries the request out, and the connection ends before its answer does."""
    injector.pass_on(request)
    raise ConnectionClosedError(endpoint_url=request.url)


def throttled(_: Injector, request: AWSPreparedRequest) -> AWSResponse:
    """DynamoDB has no capacity."""
    return answer(request, 400, "ProvisionedThroughputExceededException")


def server_error(_: Injector, request: AWSPreparedRequest) -> AWSResponse:
    """DynamoDB fails before it has done anything."""
    return answer(request, 500, "InternalServerError")


def server_error_after(injector: Injector, request: AWSPreparedRequest) -> AWSResponse:
    """DynamoDB fails after the write."""
    injector.pass_on(request)
    return answer(request, 500, "InternalServerError")


def answer_corrupted(injector: Injector, request: AWSPreparedRequest) -> AWSResponse:
    """DynamoDB carries the request out, and its answer does not arrive as it was sent."""
    response = injector.pass_on(request)
    response.headers["x-amz-crc32"] = str(crc32(response.content) ^ 1)
    return response


def throttled_transaction(injector: Injector, request: AWSPreparedRequest) -> AWSResponse:
    """DynamoDB has no capacity for part of a transaction, which botocore does not send again."""
    if operation_of(request) != "TransactWriteItems":
        return injector.pass_on(request)
    reasons = [{"Code": "None"}, {"Code": "ThrottlingError", "Message": "throttled"}]
    return answer(request, 400, "TransactionCanceledException", CancellationReasons=reasons)


def one_after_another(*faults: Fault) -> Fault:
    """Return the fault that is each of these in turn, and from then on the last."""

    def fault(injector: Injector, request: AWSPreparedRequest) -> AWSResponse:
        return faults[min(injector.injected, len(faults)) - 1](injector, request)

    return fault


def conflict(injector: Injector, request: AWSPreparedRequest) -> AWSResponse:
    """A transaction is under way on the same item: every write can meet one, no consistent read does."""
    operation = operation_of(request)
    if operation == "TransactWriteItems":
        reasons = [{"Code": "TransactionConflict", "Message": "conflict"}, {"Code": "None"}]
        return answer(request, 400, "TransactionCanceledException", CancellationReasons=reasons)
    if operation in {"PutItem", "UpdateItem", "DeleteItem"}:
        return answer(request, 400, "TransactionConflictException")
    return injector.pass_on(request)


def answer(request: AWSPreparedRequest, status: int, code: str, **more: Any) -> AWSResponse:
    """Return an error as DynamoDB answers it."""
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected", **more}).encode()
    headers: Any = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "injected"}
    return AWSResponse(request.url, status, headers, _Body(body))


class _Body(io.BytesIO):
    """A body as urllib3 hands it over."""

    def stream(self) -> Iterator[bytes]:
        """Yield all of it."""
        yield self.read()
