"""The direct transport with connections of ours: requests go to the in-memory database, or get lost on their way."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runstore.aws_api.client import JsonClient
from runstore.aws_api.endpoint import DYNAMODB, Endpoint
from runstore.aws_api.errors import BrokenAnswerError, NotSentError
from runstore.aws_api.exchange import Answer
from runstore.dynamodb.direct import DirectTransport
from tests.simulation.client import NetworkError, ServerError
from tests.simulation.wire import FailedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulation.client import Network

_ENDPOINT = Endpoint("http", "simulated", 80, "eu-central-1")


class SimulatedTransport(DirectTransport):
    """The transport itself, with its signatures, retries and errors; only the network is simulated."""

    def __init__(self, network: Network) -> None:
        self._connections = _Connections(network)
        super().__init__(JsonClient(DYNAMODB, _ENDPOINT, self._connections))

    def send(self, operation: str, request: Mapping[str, Any], *, idempotent: bool) -> dict[str, Any]:
        """Send a request; a failure for good belongs to one request."""
        self._connections.lasting = None
        return super().send(operation, request, idempotent=idempotent)


class _Connections:
    """Stands for a pool. `lasting`: what every further attempt of the current request meets."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.lasting: Answer | Exception | None = None

    def send(self, request: bytes, *, deadline: float, repeatable: bool) -> Answer:  # noqa: ARG002 as of a pool
        """Return the database's answer, or raise what a pool raises."""
        found = self.lasting or self._deliver(request)
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        """There is nothing to close."""

    def _deliver(self, request: bytes) -> Answer | Exception:
        head, _, body = request.partition(b"\r\n\r\n")
        (operation,) = re.findall(r"\r\nx-amz-target: \w+\.(\w+)", head.decode("ascii"))
        last = False
        found: Answer | Exception
        try:
            return _answer(200, self._network.deliver(operation, json.loads(body)))
        except NetworkError as failure:
            last = failure.last
            found = (BrokenAnswerError if failure.sent else NotSentError)("simulated")
        except ServerError as failure:
            last = failure.last
            found = _refusal(FailedError(failure.code, "injected").as_client_error(operation))
        except ClientError as failure:
            found = _refusal(failure)
        if last:
            self.lasting = found
        return found


def _refusal(failure: ClientError) -> Answer:
    response: Any = {**failure.response}
    error, metadata = response.pop("Error"), response.pop("ResponseMetadata")
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{error['Code']}", "message": error["Message"], **response}
    return _answer(metadata["HTTPStatusCode"], body)


def _answer(status: int, body: Mapping[str, Any]) -> Answer:
    return Answer(status, {}, json.dumps(body).encode(), keeps_alive=True)
