"""Run-scoped state for AWS Step Functions workflows, on DynamoDB.

store = RunStore(execution_arn)
store.set("customerId", "c-1")
store.push("results", {"id": 7, "status": "done"}, token="ship-7")
store.increment("processedCount", token="ship-7")
"""

from runstore._version import __version__
from runstore.aws_api.choice import TransportChoice
from runstore.dynamodb.defaults import transport_choice
from runstore.errors import (
    ConfigurationError,
    CounterRangeError,
    IncompleteCompletionError,
    InvalidKeyError,
    InvalidRequestError,
    InvalidRunIdError,
    InvalidTokenError,
    InvalidValueError,
    KeyTypeMismatchError,
    ResultTooLargeError,
    RunStoreError,
    ThrottledError,
    TransientError,
    UnavailableError,
    ValueTooLargeError,
)
from runstore.interface import Store
from runstore.model.values import JSON
from runstore.settings import Settings
from runstore.store import RunStore

__all__ = [
    "JSON",
    "ConfigurationError",
    "CounterRangeError",
    "IncompleteCompletionError",
    "InvalidKeyError",
    "InvalidRequestError",
    "InvalidRunIdError",
    "InvalidTokenError",
    "InvalidValueError",
    "KeyTypeMismatchError",
    "ResultTooLargeError",
    "RunStore",
    "RunStoreError",
    "Settings",
    "Store",
    "ThrottledError",
    "TransientError",
    "TransportChoice",
    "UnavailableError",
    "ValueTooLargeError",
    "__version__",
    "transport_choice",
]
