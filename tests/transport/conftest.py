"""A direct client or transport to a server of the test's own, which never really waits between attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstore import clock
from runstore.aws_api.client import JsonClient
from runstore.aws_api.endpoint import DYNAMODB, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.transport.servers import Server


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, which nobody waits for."""
    taken: list[float] = []
    monkeypatch.setattr(clock, "sleep", taken.append)
    return taken


@pytest.fixture
def client_of() -> Iterator[Callable[[Server], JsonClient]]:
    """Make a client of a server."""
    made: list[JsonClient] = []

    def make(server: Server) -> JsonClient:
        environment = {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL_DYNAMODB": server.url}
        made.append(JsonClient(DYNAMODB, resolve(DYNAMODB, environment)))
        return made[-1]

    yield make
    for client in made:
        client.close()
