"""DynamoDB as the tests meet it: moto in process, ministack and DynamoDB Local as child processes.

Each backend is a context manager, so that benchmarks use them as tests do:

    with dynamodb_local.start() as backend:
        store = RunStore("run-1", table_name=backend.make_table(), client=backend.client())
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.backends import dynamodb_local, ministack, moto
from tests.backends.backend import Backend, BackendUnavailableError

BACKENDS: dict[str, Callable[[], AbstractContextManager[Backend]]] = {
    "moto": moto.start,
    "ministack": ministack.start,
    "dynamodb_local": dynamodb_local.start,
}

__all__ = ["BACKENDS", "Backend", "BackendUnavailableError", "dynamodb_local", "ministack", "moto"]
