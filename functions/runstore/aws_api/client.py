"""A client of one AWS JSON 1.0 service: what is sent, what an answer means, and when a request is sent again."""

from __future__ import annotations

import json
import os
import random
import time
from binascii import crc32
from typing import TYPE_CHECKING, NamedTuple, Protocol

from runstore import clock
from runstore._version import __version__
from runstore.aws_api.connections import Pool
from runstore.aws_api.credentials import Credentials
from runstore.aws_api.errors import (
    THROTTLED,
    ApiError,
    BrokenAnswerError,
    NotSentError,
    UntrustedServerError,
    UnusableError,
)
from runstore.aws_api.signing import Signer
from runstore.aws_api.time_limit import seconds_left

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from runstore.aws_api.endpoint import Endpoint, Service
    from runstore.aws_api.exchange import Answer

_MAX_ATTEMPTS = 4
_ATTEMPT_SECONDS = 5.0  # to the last byte of the answer. Four attempts and their pauses fit a function's 30 seconds
_RETRY_PAUSE, _THROTTLE_PAUSE = 0.05, 0.5  # seconds; doubled with each attempt
_OK, _SERVER_ERROR = 200, 500

# The same transaction, sent before, is still on its way.
_IN_PROGRESS = {"TransactionInProgressException"}


class Connections(Protocol):
    """What a client needs of a `Pool`."""

    def send(self, request: bytes, *, deadline: float, repeatable: bool) -> Answer:
        """Send a request and return the whole answer; raise what `Pool.send` raises."""
        ...

    def close(self) -> None:
        """Close the idle connections."""
        ...


class _Failure(NamedTuple):
    """An attempt that did not succeed. `pause`: of the first retry in seconds; None if none can help."""

    message: str
    pause: float | None
    code: str = ""
    status: int = 0
    body: Mapping[str, Any] | None = None
    doubtful: bool = False  # it may have taken effect
    unusable: bool = False


class JsonClient:
    """Sends requests of one service to one endpoint; safe between threads and after fork.

    Credentials are read from the environment for each attempt.
    """

    def __init__(self, service: Service, endpoint: Endpoint, pool: Connections | None = None) -> None:
        """Make the TLS context, unless there is a `pool`; connections are opened when they are needed."""
        self.service, self.endpoint = service, endpoint
        self._signer = Signer(service.name, endpoint.region)
        self._pool = Pool(endpoint) if pool is None else pool
        # Every separator without a space; only trees of JSON values are sent, so nothing can hold itself.
        self._encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode

    def call(
        self,
        operation: str,
        request: Mapping[str, Any],
        *,
        idempotent: bool,
        accept: Callable[[dict[str, Any]], bool] = lambda _: True,
    ) -> dict[str, Any]:
        """Send a request and return the answer's body, if `accept` finds in it what the service always answers.

        What never arrived or was throttled is sent again, up to four times in all, after pauses with full jitter. What
        may have taken effect is sent again only if `idempotent`. Nothing outlasts the `time_limit` of the caller.

        Raises:
            ApiError: The service refused the request, or gave no whole answer.
        """
        try:
            body = self._encode(request).encode()
        except (TypeError, ValueError, RecursionError) as failure:
            raise ApiError(f"a request must be JSON; {failure}", unusable=True) from failure
        doubtful, attempt = False, 1
        while True:
            outcome = self._attempt(operation, body, idempotent=idempotent)
            if not isinstance(outcome, _Failure):
                if accept(outcome):
                    return outcome
                outcome = _Failure("the answer lacks what the service always answers", _RETRY_PAUSE, doubtful=True)
            doubtful |= outcome.doubtful
            if attempt == _MAX_ATTEMPTS or (outcome.doubtful and not idempotent) or not _pause(outcome, attempt):
                raise ApiError(
                    outcome.message,
                    code=outcome.code,
                    status=outcome.status,
                    body=outcome.body,
                    may_have_happened=doubtful,
                    unusable=outcome.unusable and not doubtful,
                )
            attempt += 1

    def close(self) -> None:
        """Close the idle connections; the next request opens another."""
        self._pool.close()

    def _attempt(self, operation: str, body: bytes, *, idempotent: bool) -> dict[str, Any] | _Failure:
        try:
            request = self._http_request(operation, body)
            limit = min(_ATTEMPT_SECONDS, seconds_left())
            answer = self._pool.send(request, deadline=clock.elapsed() + limit, repeatable=idempotent)
            return _understand(answer)
        except UnusableError as failure:
            return _Failure(str(failure), None, unusable=True)
        except UntrustedServerError as failure:
            return _Failure(str(failure), None, unusable=True)
        except NotSentError as failure:
            return _Failure(str(failure), _RETRY_PAUSE)
        except BrokenAnswerError as failure:
            return _Failure(str(failure), _RETRY_PAUSE, doubtful=True)

    def _http_request(self, operation: str, body: bytes) -> bytes:
        headers = {
            "accept-encoding": "identity",
            "content-type": "application/x-amz-json-1.0",
            "host": self.endpoint.authority,
            "x-amz-target": f"{self.service.target}.{operation}",
        }
        headers = self._signer.sign(headers, body, Credentials.from_environment(), time.time())
        headers["content-length"] = str(len(body))
        headers["user-agent"] = f"runstore/{__version__}"
        headers |= _trace()
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        return f"POST / HTTP/1.1\r\n{lines}\r\n".encode("ascii") + body


def _pause(failure: _Failure, attempt: int) -> bool:
    """Wait before the next attempt; return whether there should be one, and time for it."""
    if failure.pause is None:
        return False
    seconds = random.uniform(0, failure.pause * 2 ** (attempt - 1))  # noqa: S311 not for secrecy
    if seconds >= seconds_left():
        return False
    clock.sleep(seconds)
    return True


def _understand(answer: Answer) -> dict[str, Any] | _Failure:
    """Return the body of a success, or what an error means.

    Raises BrokenAnswerError for an answer that cannot be the service's.
    """
    expected = answer.headers.get("x-amz-crc32")
    if expected is not None and expected != str(crc32(answer.body)):
        raise BrokenAnswerError(f"the answer's CRC32 is not {expected[:80]}, as its header says")
    body = _parse(answer)
    if answer.status == _OK and body is not None:
        return body
    code = str((body or {}).get("__type", "")).rpartition("#")[2].partition(":")[0]
    if answer.status >= _SERVER_ERROR:
        message = f"{code or 'no error'} with status {answer.status}: {_message(body)}"
        return _Failure(message, _RETRY_PAUSE, code, answer.status, body, doubtful=True)
    if body is None or not code:
        raise BrokenAnswerError(f"the answer with status {answer.status} is not from an AWS service")
    pause = _THROTTLE_PAUSE if code in THROTTLED else _RETRY_PAUSE if code in _IN_PROGRESS else None
    return _Failure(f"{code}: {_message(body)}", pause, code, answer.status, body, doubtful=code in _IN_PROGRESS)


def _parse(answer: Answer) -> dict[str, Any] | None:
    if answer.headers.get("content-encoding", "identity") != "identity":
        return None
    try:
        body = json.loads(answer.body or b"{}")
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _message(body: Mapping[str, Any] | None) -> str:
    body = body or {}
    return str(body.get("message") or body.get("Message") or "it gave no reason")


def _trace() -> dict[str, str]:
    """Return the header by which Lambda and X-Ray recognise what an invocation leads to, as botocore sends it."""
    trace = os.environ.get("_X_AMZN_TRACE_ID", "")
    if not trace or "AWS_LAMBDA_FUNCTION_NAME" not in os.environ or not (trace.isascii() and trace.isprintable()):
        return {}
    return {"x-amzn-trace-id": trace}
