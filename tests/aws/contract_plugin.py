"""A pytest plugin that runs the contract suite on one table, over one transport: `-p tests.aws.contract_plugin`.

CONTRACT_TARGET is a JSON document with `table`, `transport`, `known_as` (whose known differences hold) and
`environment`, the variables that reach the table. They are set late, as tests/conftest.py clears them first.
"""

from __future__ import annotations

import functools
import json
import os
from typing import TYPE_CHECKING, Any

from runstore import RunStore, Settings
from runstore.dynamodb.defaults import new_client
from runstore.dynamodb.direct import DirectTransport
from tests.contract import implementations

if TYPE_CHECKING:
    import pytest

TARGET: dict[str, Any] = json.loads(os.environ["CONTRACT_TARGET"])


@functools.cache
def _client(number: int) -> Any:
    """Return a client or transport of its own for each of a few writers; number 0 reads what is stored."""
    os.environ.update(TARGET["environment"])
    return DirectTransport() if TARGET["transport"] == "direct" and number else new_client()


class TargetImplementation(implementations.TableImplementation):
    """The table: stores reach it over the transport that is asked for, tests themselves by boto3."""

    def client(self) -> Any:
        """Return a boto3 client for what a test does beside a store."""
        return _client(0)

    def store(self, run_id: str, **settings: Any) -> RunStore:
        """Return a store with a client or transport that no other store of this test uses."""
        self._made += 1
        return RunStore(run_id, client=_client(self._made), settings=Settings(self.table_name, **settings))


def _implementation(_request: pytest.FixtureRequest) -> TargetImplementation:
    return TargetImplementation(TARGET["table"], _client)


implementations.IMPLEMENTATIONS.clear()
implementations.IMPLEMENTATIONS[TARGET["known_as"]] = _implementation
# The suite asks for the names when it is collected.
for name in ("TABLES", "DEFAULT_TABLES"):
    setattr(implementations, name, (TARGET["known_as"],))
