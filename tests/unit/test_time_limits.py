"""How long a request to DynamoDB can last, and the time that the functions have for it."""

from itertools import chain, repeat
from typing import Any

import pytest
from botocore.retries.standard import ExponentialBackoff, RetryContext

from runstore import IncompleteCompletionError, RunStore, Settings
from runstore.dynamodb.defaults import new_client
from runstore.lifecycle.completion import complete
from runstore.store import table_of
from tests.repository.test_template import RESOURCES, TEMPLATE
from tests.simulation.client import Direct, SimulatedClient
from tests.simulation.database import Database


@pytest.fixture
def worst(monkeypatch: pytest.MonkeyPatch) -> float:
    """The seconds after which a request of the default client has failed, if every attempt and pause is the longest."""
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    config: Any = new_client().meta.config
    assert config.retries["mode"] == "standard"
    attempts: int = config.retries["total_max_attempts"]
    assert attempts > 1
    backoff = ExponentialBackoff(random=lambda: 1.0)
    pauses: float = sum(backoff.delay_amount(RetryContext(attempt)) for attempt in range(1, attempts))
    seconds: float = config.connect_timeout + config.read_timeout
    return attempts * seconds + pauses


def test_a_request_fails_before_its_function_is_ended(worst: float) -> None:
    """A function's time limit leaves room for a request that fails at each attempt, so that its error can be told."""
    functions = [each for each in RESOURCES.values() if each["Type"] == "AWS::Serverless::Function"]
    assert functions
    for function in functions:
        limit = function["Properties"].get("Timeout", TEMPLATE["Globals"]["Function"]["Timeout"])
        assert worst + 5 <= limit, function


def test_a_completion_begins_no_request_that_may_outlast_it(worst: float) -> None:
    """With no more time left than one request can take, complete stops and says how far it got."""
    network: Any = Direct(Database())
    client: Any = SimulatedClient(network)
    store = RunStore("run", client=client, settings=Settings("runs"))
    store.set("key", 1)
    left = chain([300.0], repeat(worst))
    with pytest.raises(IncompleteCompletionError):
        complete(table_of(store), lambda: next(left))
    assert store.get("key") == 1
    assert complete(table_of(store), lambda: 300.0) == 1
