"""What a table measures with: one DynamoDB Local, metered clients, rows."""

import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Self
from uuid import uuid4

import boto3
from pytest import MonkeyPatch  # noqa: PT013 it restores the environment, here too

from runstore.dynamodb.direct import DirectTransport
from tests.backends import Backend, dynamodb_local
from tests.backends.backend import REGION
from tests.backends.server import running
from tests.bench.meter import Meter

if TYPE_CHECKING:
    from types import TracebackType

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.service_resource import Table as TableResource

ELEMENT_BYTES = 190
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class Row:
    """One line of a table: `met` is None where nothing is asked."""

    what: str
    measured: str
    target: str = ""
    met: bool | None = None

    @classmethod
    def at_most(cls, what: str, value: float, limit: float, unit: str = "", also: str = "") -> "Row":
        """Return a row whose value should not exceed `limit`."""
        return cls(what, _written(value, unit, also), f"at most {limit:g}", met=value <= limit)

    @classmethod
    def at_least(cls, what: str, value: float, limit: float, unit: str = "", also: str = "") -> "Row":
        """Return a row whose value should reach `limit`."""
        return cls(what, _written(value, unit, also), f"at least {limit:g}", met=value >= limit)


def _written(value: float, unit: str, also: str) -> str:
    return f"{value:.2f}{f' {unit}' if unit else ''}{f' ({also})' if also else ''}"


def compact(value: object) -> str:
    """Return a value's compact JSON."""
    return json.dumps(value, separators=(",", ":"))


class Bench:
    """One run of the benchmarks."""

    def __init__(self) -> None:
        self._open = ExitStack()

    def __enter__(self) -> Self:
        patch = self._open.enter_context(MonkeyPatch.context())
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self._open.close()

    @cached_property
    def backend(self) -> Backend:
        """DynamoDB Local with Java's full compiler. Raises BackendUnavailableError where it cannot run."""
        return self._open.enter_context(dynamodb_local.start(quick_start=False))

    @cached_property
    def table_name(self) -> str:
        """The table; runs keep the measurements apart."""
        return self.backend.make_table("bench")

    @contextmanager
    def replay(self, certificate: Path | None = None) -> Iterator[str]:
        """Start a server that answers at once what the backend has answered before; yield its URL."""
        upstream = [str(self.backend.endpoint_url), *([] if certificate is None else [str(certificate)])]

        def command(port: int) -> list[str]:
            return [sys.executable, "-m", "tests.bench.replay", str(port), *upstream]

        with running(command) as server:
            yield server.url if certificate is None else server.url.replace("http:", "https:")

    def direct(self, url: str | None = None) -> DirectTransport:
        """Return a new direct transport to the backend, or to another server."""
        with MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url or str(self.backend.endpoint_url))
            transport = DirectTransport()
        self._open.callback(transport.close)
        return transport

    def metered_client(self, meter: Meter | None = None) -> "tuple[DynamoDBClient, Meter]":
        """Return a new client, and the meter (a new one, unless given) that counts what it sends."""
        meter = meter or Meter()
        client = self.backend.client(max_pool_connections=16)
        self._open.callback(client.close)
        meter.attach(client)
        return client, meter

    def resource_table(self, url: str | None = None) -> "TableResource":
        """Return the table as boto3's resource has it, at the backend or at another server."""
        resource = boto3.resource(
            "dynamodb",
            endpoint_url=url or self.backend.endpoint_url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        return resource.Table(self.table_name)


def new_run_id() -> str:
    """Return a run id as long as executions' ARNs are: it is part of every item's size."""
    return f"arn:aws:states:eu-central-1:123456789012:execution:order-fanout:{uuid4()}"


def element(number: int) -> dict[str, object]:
    """Return an element whose compact JSON has ELEMENT_BYTES bytes, different for every number."""
    rest = ELEMENT_BYTES - len('{"id":"","status":"done","price":12.5,"note":""}') - 8
    return {"id": f"{number:08d}", "status": "done", "price": 12.5, "note": "n" * rest}


def in_turns(
    rounds: int, *measured: Callable[[], object], clock: Callable[[], float] = perf_counter
) -> list[list[float]]:
    """Run each of `measured` once a round, in an order that changes; return the seconds that each took in each round.

    What slows the machine down for a while so slows down all of them. With `process_time` as the clock, the seconds are
    those of this process's processor.
    """
    seconds: list[list[float]] = [[] for _ in measured]
    order = list(range(len(measured)))
    for _ in range(rounds):
        random.shuffle(order)
        for index in order:
            started = clock()
            measured[index]()
            seconds[index].append(clock() - started)
    return seconds


def ratio_of_medians(one: Sequence[float], other: Sequence[float]) -> float:
    """Return how many times `other` goes into `one`, by their medians."""
    return median(one) / median(other)


def milliseconds(seconds: Sequence[float]) -> str:
    """Return the median in milliseconds."""
    return f"{median(seconds) * 1_000:.2f} ms"
