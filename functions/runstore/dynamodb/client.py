"""The process's DynamoDB client, and what belongs to a client."""

import sys
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from botocore.exceptions import BotoCoreError

from runstore.errors import ConfigurationError
from runstore.protocol.tails import TailMemory

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from types_boto3_dynamodb import DynamoDBClient

# DynamoDB answers in milliseconds or not at all. With botocore's backoff of at most 1, 2 and 4 seconds a request has
# failed after 23: the functions, which have 30, then still say what may have happened.
_ATTEMPTS = 4
_CONNECT_TIMEOUT, _READ_TIMEOUT = 1, 3  # seconds
_CONNECTIONS = 16

_lock = Lock()
_default: "list[DynamoDBClient]" = []
_memories: "WeakKeyDictionary[DynamoDBClient, TailMemory]" = WeakKeyDictionary()


def default_client() -> "DynamoDBClient":
    """Return the process's client from boto3's usual sources, made at the first call.

    Raises ConfigurationError when there is no region.
    """
    with _lock:
        if not _default:
            _default.append(_new_client())
        return _default[0]


def memory_of(client: "DynamoDBClient") -> TailMemory:
    """Return what writers that use this client remember; one client is one account, region and endpoint."""
    with _lock:
        return _memories.setdefault(client, TailMemory())


def _new_client() -> "DynamoDBClient":
    from botocore.config import Config  # noqa: PLC0415 whoever brings a client of their own need not wait for it
    from botocore.session import Session  # noqa: PLC0415

    # boto3's client is botocore's; importing boto3 only to make one costs a tenth of a cold start. Who has set up
    # boto3's default session gets the client from there.
    session = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    make: Callable[..., Any] = session.client if session else Session().create_client
    config = Config(
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        connect_timeout=_CONNECT_TIMEOUT,
        read_timeout=_READ_TIMEOUT,
        max_pool_connections=_CONNECTIONS,
        tcp_keepalive=True,
    )
    try:
        client: DynamoDBClient = make("dynamodb", config=config)
    except (BotoCoreError, ValueError) as failure:
        raise ConfigurationError(f"cannot make a DynamoDB client: {failure}. Is AWS_REGION set?") from failure
    return client
