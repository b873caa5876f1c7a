"""The transport of a process that is given no client, made when it is first needed."""

from __future__ import annotations

import logging
import os
import sys
from threading import Lock
from typing import TYPE_CHECKING

from runstore.aws_api.choice import choose, unusual_process
from runstore.aws_api.endpoint import DYNAMODB
from runstore.errors import ConfigurationError, InvalidRequestError
from runstore.model.values import describe

if TYPE_CHECKING:
    from typing import Any

    from types_boto3_dynamodb import DynamoDBClient

    from runstore.aws_api.choice import TransportChoice
    from runstore.dynamodb.transport import Transport

# DynamoDB answers in milliseconds or not at all. With botocore's backoff of at most 1, 2 and 4 seconds a request has
# failed after 23. The functions, which have 30, then still report whether the write may have happened.
_ATTEMPTS = 4
_CONNECT_TIMEOUT, _READ_TIMEOUT = 1, 3  # seconds
_CONNECTIONS = 16

_logger = logging.getLogger("runstore")


def default_transport() -> Transport:
    """Return the process's transport; make it at the first call.

    Raises ConfigurationError if there is no region.
    """
    return process.default_transport()


def transport_of(client: Any) -> Transport:
    """Return the transport over a boto3 client. Anything that has a transport's `send` is one already.

    Raises InvalidRequestError for anything else, such as a resource of boto3 or the client of another service.
    """
    if hasattr(client, "send"):
        transport: Transport = client
        return transport
    if not (hasattr(client, "update_item") and hasattr(getattr(client, "meta", None), "events")):
        raise InvalidRequestError(f'client must be boto3.client("dynamodb"); got {describe(client)}')
    from runstore.dynamodb.boto3_transport import Boto3Transport  # noqa: PLC0415 the direct transport needs no botocore

    return Boto3Transport(client)


def transport_choice() -> TransportChoice:
    """Return how a `RunStore` without a client reaches DynamoDB in this process, and why.

    `name` is "direct" or "boto3", `reason` a sentence. Nothing is sent, and no client is made. The same is logged once
    at DEBUG by the logger `runstore`. Raises ConfigurationError if RUNSTORE_TRANSPORT is neither.
    """
    return process.current_choice()


class Process:
    """What one process has: a child of `fork` starts without it, and makes its own."""

    def __init__(self) -> None:
        self.transport: Transport | None = None
        self.choice: TransportChoice | None = None
        self._lock = Lock()

    def default_transport(self) -> Transport:
        """Return the transport; make it at the first call."""
        with self._lock:
            choice = self._choose()
            if self.transport is None:
                self.transport = _new_transport(choice)
            return self.transport

    def current_choice(self) -> TransportChoice:
        """Return the choice; make it at the first call."""
        with self._lock:
            return self._choose()

    def after_fork(self) -> None:
        """Forget the parent's transport, and a lock that another of its threads may have held."""
        self.transport, self._lock = None, Lock()

    def _choose(self) -> TransportChoice:
        # The environment is looked at once. What happens in the process later, such as a test that starts moto, counts.
        if self.choice is None or (self.choice.name == "direct" and unusual_process()):
            choice = choose(DYNAMODB)
            if self.choice is not None and choice.name != self.choice.name:
                self.transport = None
            if choice != self.choice:
                _logger.debug("DynamoDB is reached by the %s transport: %s", choice.name, choice.reason)
                self.choice = choice
        return self.choice


process = Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=process.after_fork)


def _new_transport(choice: TransportChoice) -> Transport:
    if choice.name == "direct":
        from runstore.dynamodb.direct import DirectTransport  # noqa: PLC0415 others need none of it

        return DirectTransport()
    return transport_of(new_client())


def new_client() -> DynamoDBClient:
    """Return a client from boto3's usual sources, whose requests fail soon enough for a function to say so."""
    from botocore.config import Config  # noqa: PLC0415 only here is it needed
    from botocore.exceptions import BotoCoreError, NoRegionError  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    # boto3's client is botocore's, and importing boto3 just to make one takes a tenth of a cold start. If the caller
    # has set up boto3's default session, the client comes from there.
    session = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    make: Any = session.client if session else Session().create_client
    config = Config(
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        connect_timeout=_CONNECT_TIMEOUT,
        read_timeout=_READ_TIMEOUT,
        max_pool_connections=_CONNECTIONS,
        tcp_keepalive=True,
    )
    try:
        try:
            client: DynamoDBClient = make("dynamodb", config=config)
        except NoRegionError:  # botocore itself ignores AWS_REGION, which Lambda and the other SDKs use
            client = make("dynamodb", config=config, region_name=os.environ.get("AWS_REGION") or None)
    except (BotoCoreError, ValueError) as failure:
        reason = str(failure).rstrip(".")
        raise ConfigurationError(
            f"boto3 must be able to create a DynamoDB client; it failed: {reason}. Set AWS_REGION, or pass client=..."
        ) from failure
    return client
