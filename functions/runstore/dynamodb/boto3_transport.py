"""The transport over a boto3 client.

The client belongs to the caller, who may use it for other things. So the four event handlers registered here act only
on requests of this transport, which they recognise by a mark in the request's own parameters. The one exception is the
quick parser, whose answers are equal to botocore's.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from binascii import crc32
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

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

from runstore import clock
from runstore.dynamodb.answers import is_complete, is_object
from runstore.dynamodb.transport import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_boto3_dynamodb import DynamoDBClient

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
_READS = {"GetItem", "Query", "BatchGetItem"}
_METHODS = {
    "BatchGetItem": "batch_get_item",
    "BatchWriteItem": "batch_write_item",
    "DeleteItem": "delete_item",
    "GetItem": "get_item",
    "PutItem": "put_item",
    "Query": "query",
    "TransactWriteItems": "transact_write_items",
    "UpdateItem": "update_item",
}
_ATTEMPTS = 4  # of an idempotent request whose answers are not complete: botocore takes those for successes
_FIRST_PAUSE = 0.05  # seconds
_OK, _SERVER_ERROR = 200, 500
_CHECKSUM = "x-amz-crc32"  # DynamoDB sends it with every answer
_CONTEXT = "runstore_attempts"  # in botocore's context of a request


class Boto3Transport:
    """Sends requests through a boto3 DynamoDB client, with the client's own retries.

    Satisfies `runstore.dynamodb.transport.Transport`. Cheap to make.
    """

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        events: Any = client.meta.events
        events.register_first("provide-client-params.dynamodb", _recognise, unique_id="runstore-recognise")
        events.register_first("needs-retry.dynamodb", _watch, unique_id="runstore-watch")
        events.register("before-parse.dynamodb.Query", _parse_quickly, unique_id="runstore-parse")
        _process.add(client)

    def send(self, operation: str, request: Mapping[str, Any], *, idempotent: bool) -> dict[str, Any]:
        """Send a request; see `Transport.send`."""
        attempts = _Attempts(write=operation not in _READS, idempotent=idempotent)
        marked = _marked(request, attempts)
        if operation == "TransactWriteItems":  # the same for all attempts, so that DynamoDB recognises a repetition
            marked.setdefault("ClientRequestToken", str(uuid.uuid4()))
        for number in range(_ATTEMPTS):
            answer, cause = self._attempt(operation, marked, attempts)
            if answer is not None and is_complete(operation, request, answer):
                return answer
            attempts.may_have_happened |= attempts.write
            if not idempotent or number + 1 == _ATTEMPTS:
                raise _no_answer(cause or "it is not complete", attempts) from cause
            clock.back_off(number, _FIRST_PAUSE)
        raise AssertionError

    def _attempt(
        self, operation: str, request: dict[str, Any], attempts: _Attempts
    ) -> tuple[dict[str, Any] | None, Exception | None]:
        """Return the answer; or None, and the exception if there is one, when it is not complete."""
        attempts.incomplete = False
        call: Callable[..., dict[str, Any]] = getattr(self._client, _METHODS[operation])
        try:
            answer = call(**request)
        except ClientError as failure:
            if _is_readable(failure):
                raise _refusal(failure, attempts) from failure
            return None, failure
        except _NO_CREDENTIALS as failure:
            raise RequestError(f"no usable AWS credentials or region: {failure}", unusable=True) from failure
        except ParamValidationError as failure:
            raise RequestError(f"boto3 refused the request: {failure}", unusable=True) from failure
        except (BotoCoreError, ResponseParserError) as failure:  # botocore has tried again already
            attempts.may_have_happened |= attempts.write and not isinstance(failure, _NEVER_SENT)
            raise _no_answer(failure, attempts) from failure
        except (ValueError, TypeError, AttributeError, LookupError) as failure:  # botocore's parser, about cut JSON
            return None, failure
        return (None if attempts.incomplete else answer), None

    def close(self) -> None:
        """Close the client's connections; the next request opens another."""
        self._client.close()


class _Attempts:
    """What the attempts of one request have come to so far.

    `incomplete`: the last one brought an answer that is not whole. `may_have_happened`: some attempt of a write may
    have taken effect.
    """

    __slots__ = ("idempotent", "incomplete", "may_have_happened", "write")

    def __init__(self, *, write: bool, idempotent: bool) -> None:
        self.write, self.idempotent = write, idempotent
        self.incomplete = self.may_have_happened = False


# ---------------------------------------------------------------------------------------------- marking a request


class _MarkedName(str):
    """The table's name, which knows the attempts of its request. botocore takes it for any other string."""

    __slots__ = ("attempts",)

    attempts: _Attempts

    def __deepcopy__(self, _: object) -> _MarkedName:
        return self


def _marked(request: Mapping[str, Any], attempts: _Attempts) -> dict[str, Any]:
    """Return the request with a table name that stays with it through botocore."""

    def mark(name: str) -> _MarkedName:
        marked = _MarkedName(name)
        marked.attempts = attempts
        return marked

    if "TableName" in request:
        return {**request, "TableName": mark(request["TableName"])}
    if "RequestItems" in request:
        return {**request, "RequestItems": {mark(name): rest for name, rest in request["RequestItems"].items()}}
    (kind, write), *others = request["TransactItems"][0].items()
    first = {kind: {**write, "TableName": mark(write["TableName"])}, **dict(others)}
    return {**request, "TransactItems": [first, *request["TransactItems"][1:]]}


def _recognise(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Put what a mark knows where the later handlers find it. A handler of `provide-client-params`."""
    name = params.get("TableName")
    if "RequestItems" in params:
        name = next(iter(params["RequestItems"]), None)
    elif params.get("TransactItems"):
        name = next((write.get("TableName") for write in params["TransactItems"][0].values()), None)
    if isinstance(name, _MarkedName):
        context[_CONTEXT] = name.attempts


# ---------------------------------------------------------------------------------------------- watching its attempts


def _watch(
    request_dict: dict[str, Any], response: Any = None, caught_exception: Exception | None = None, **_: object
) -> None:
    """Note what each attempt of a write may have done, and stop botocore where it must not try again.

    A handler of `needs-retry`. It cannot forbid a retry, but what it raises ends the call. A request that was never
    sent or that was refused has had no effect: botocore may send it again.
    """
    attempts: _Attempts | None = request_dict.get("context", {}).get(_CONTEXT)
    if attempts is None or isinstance(caught_exception, _NEVER_SENT):
        return
    error = caught_exception
    if response is not None:
        http, parsed = response
        if http.status_code == _OK:
            error = _checksum_error(http)
            attempts.incomplete = error is not None or not (_CHECKSUM in http.headers or is_object(http.content))
        elif http.status_code >= _SERVER_ERROR:
            error = ClientError(parsed, "UpdateItem")
        else:
            return
    attempts.may_have_happened |= attempts.write
    if not attempts.idempotent and error is not None:
        raise error


def _checksum_error(http: Any) -> ChecksumError | None:
    """Return the error of an answer that was altered on its way: botocore would send its request again."""
    expected, actual = http.headers.get(_CHECKSUM), str(crc32(http.content))
    if expected is None or expected == actual:
        return None
    return ChecksumError(checksum_type="crc32", expected_checksum=expected, actual_checksum=actual)


# ---------------------------------------------------------------------------------------------- failures


def _is_readable(failure: ClientError) -> bool:
    """Return whether DynamoDB says what is wrong; an error whose body is cut has its status as its code, or none."""
    code = failure.response.get("Error", {}).get("Code", "")
    return _status(failure) >= _SERVER_ERROR or (bool(code) and not code.isdigit())


def _refusal(failure: ClientError, attempts: _Attempts) -> RequestError:
    response: Any = failure.response
    error = response.get("Error", {})
    reasons = tuple(reason.get("Code", "None") for reason in response.get("CancellationReasons", ()))
    status = _status(failure)
    return RequestError(
        error.get("Message", ""),
        code=error.get("Code", ""),
        status=status,
        reasons=reasons,
        item=response.get("Item"),
        may_have_happened=attempts.may_have_happened or (attempts.write and status >= _SERVER_ERROR),
    )


def _status(failure: ClientError) -> int:
    return int(failure.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _no_answer(why: object, attempts: _Attempts) -> RequestError:
    return RequestError(f"{why}", may_have_happened=attempts.may_have_happened)


# ---------------------------------------------------------------------------------------------- parsing


_BINARY = re.compile(rb'"BS?"\s*:')
_QUERY = {"Items", "Count", "ScannedCount", "LastEvaluatedKey"}


def _parse_quickly(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    """Skip botocore's response parser for a Query: validating each attribute dominates long reads.

    A handler of `before-parse`. botocore turns only binary values into something other than their JSON form, so an
    answer without any is in its parsed form already. Any other answer is left to botocore.
    """
    body = response_dict["body"]
    if response_dict["status_code"] != _OK or _BINARY.search(body):
        return
    try:
        answer = json.loads(body)
    except ValueError:
        return
    if isinstance(answer, dict) and answer.keys() <= _QUERY and isinstance(answer.get("Items"), list):
        customized_response_dict.update(answer)
        response_dict["body"] = b"{}"


# ---------------------------------------------------------------------------------------------- forks


class _Process:
    """The clients in use in this process. A child of `fork` must not share their connections."""

    def __init__(self) -> None:
        self._lock, self._clients = Lock(), WeakSet[Any]()

    def add(self, client: Any) -> None:
        with self._lock:
            self._clients.add(client)

    def after_fork(self) -> None:
        """Close the child's copies of the connections; the parent's stay open, and the next request opens another."""
        self._lock = Lock()
        for client in self._clients:
            close: Callable[[], None] | None = getattr(client, "close", None)
            if close:
                close()


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.after_fork)
