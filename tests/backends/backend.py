"""What a test knows of a backend: a client and a table of the design's schema."""

from __future__ import annotations

import functools
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from runstore.aws_api.client import JsonClient
from runstore.aws_api.endpoint import DYNAMODB, resolve
from runstore.dynamodb.direct import DirectTransport

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from runstore.aws_api.client import Connections
    from runstore.aws_api.endpoint import Endpoint

REGION = "eu-central-1"


class BackendUnavailableError(Exception):
    """This machine lacks what the backend needs; the message says what. Tests skip with it."""


@dataclass(frozen=True)
class Backend:
    """One running DynamoDB, real or nearly so.

    `endpoint_url` is None for moto, which answers inside this process.
    """

    name: str
    endpoint_url: str | None = None

    def client(self, **config: Any) -> DynamoDBClient:
        """Return a new client; `config` is what `botocore.config.Config` takes, such as `retries` or `read_timeout`."""
        session = _session(self.name)
        return session.client("dynamodb", endpoint_url=self.endpoint_url, config=Config(**config))

    def direct(self, pool: Connections | None = None) -> DirectTransport:
        """Return a new direct transport; with a `pool` of the test's own, requests go through that. Not of moto."""
        return DirectTransport(JsonClient(DYNAMODB, self.endpoint, pool))

    @property
    def endpoint(self) -> Endpoint:
        """Return where the direct transport sends its requests to."""
        return resolve(DYNAMODB, {"AWS_REGION": REGION, "AWS_ENDPOINT_URL": str(self.endpoint_url)})

    def make_table(self, name: str = "runs") -> str:
        """Create an empty table of the design's schema and return its name, which begins with `name` and is unique."""
        table_name = f"{name}-{uuid.uuid4().hex[:12]}"
        client = self.client()
        try:
            client.create_table(
                TableName=table_name,
                AttributeDefinitions=[
                    {"AttributeName": "run_id", "AttributeType": "S"},
                    {"AttributeName": "key", "AttributeType": "S"},
                ],
                KeySchema=[
                    {"AttributeName": "run_id", "KeyType": "HASH"},
                    {"AttributeName": "key", "KeyType": "RANGE"},
                ],
                BillingMode="PAY_PER_REQUEST",
            )
            client.get_waiter("table_exists").wait(TableName=table_name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
            client.update_time_to_live(
                TableName=table_name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"},
            )
        finally:
            client.close()
        return table_name


@functools.cache
def _session(_backend: str) -> boto3.session.Session:
    # One per backend, not one for all: moto answers only in sessions that were made after its import.
    return boto3.session.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
