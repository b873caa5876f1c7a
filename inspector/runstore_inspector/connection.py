"""Where to look: table, stack, endpoint, profile and region, and the clients made of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from runstore import RunStore
from runstore.settings import TABLE_VARIABLE, Settings
from runstore_inspector import meter, problems
from runstore_inspector.problems import AWS_FAILURES, InspectorError, UsageError
from runstore_inspector.stacks import with_nested

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_stepfunctions import SFNClient

    from runstore_inspector.stacks import Stack

STACK_VARIABLE = "RUNSTORE_STACK"
TABLE_OUTPUT = "TableName"
CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Target:
    """What the options of a command name; what they leave out comes from the environment."""

    table: str | None = None
    stack: str | None = None
    endpoint_url: str | None = None
    profile: str | None = None
    region: str | None = None


class Connection:
    """The clients of one command or page. Nothing is sent before the first use of one."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._clients: dict[str, Any] = {}

    @cached_property
    def session(self) -> boto3.session.Session:
        """The boto3 session, with credentials and a region; raises InspectorError without them."""
        region = self.target.region or os.environ.get("AWS_REGION")
        try:
            session = boto3.session.Session(profile_name=self.target.profile, region_name=region)
            if not session.region_name:
                raise problems.no_region()
            if session.get_credentials() is None:
                raise problems.no_credentials()
        except BotoCoreError as error:
            raise problems.explain(error) from error
        return session

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            # An emulator may not have this service; then its answer is an error at the first attempt and at the last.
            emulator = service != "dynamodb" and bool(self.target.endpoint_url or os.environ.get("AWS_ENDPOINT_URL"))
            config = Config(
                retries={"mode": "standard", "total_max_attempts": 1 if emulator else 4},
                connect_timeout=3,
                read_timeout=15,
                max_pool_connections=CONNECTIONS,
            )
            try:
                client: Any = self.session.client(  # type: ignore[call-overload]  # any service's name
                    service, endpoint_url=self.target.endpoint_url, config=config
                )
            except ValueError as error:  # an endpoint that is no URL
                raise UsageError(problems.one_line(str(error))) from error
            if service == "dynamodb":
                meter.attach(client)
            self._clients[service] = client
        return self._clients[service]

    @property
    def dynamodb(self) -> DynamoDBClient:
        """The DynamoDB client, whose units are counted."""
        client: DynamoDBClient = self._client("dynamodb")
        return client

    @property
    def stepfunctions(self) -> SFNClient:
        """The Step Functions client."""
        client: SFNClient = self._client("stepfunctions")
        return client

    @property
    def cloudformation(self) -> CloudFormationClient:
        """The CloudFormation client."""
        client: CloudFormationClient = self._client("cloudformation")
        return client

    @property
    def region(self) -> str:
        """The region."""
        return str(self.session.region_name)

    @cached_property
    def stack(self) -> str | None:
        """The stack that was named, if one was."""
        return self.target.stack or os.environ.get(STACK_VARIABLE) or None

    @cached_property
    def table(self) -> str:
        """The table: --table, else the output of --stack, else the environment.

        Raises UsageError when none is named, and InspectorError when the stack has none.
        """
        if self.target.table:
            return self.target.table
        if self.target.stack is None and os.environ.get(TABLE_VARIABLE):
            return os.environ[TABLE_VARIABLE]
        if self.stack is None:
            raise UsageError(f"no table is named: pass --table or --stack, or set {TABLE_VARIABLE}")
        for stack in self.stacks():
            if TABLE_OUTPUT in stack.outputs:
                return stack.outputs[TABLE_OUTPUT]
        raise InspectorError(
            f"neither the stack {self.stack} nor one nested in it has the output {TABLE_OUTPUT}: is it a stack of "
            "runstore? Pass --table"
        )

    def stacks(self) -> Iterator[Stack]:
        """Yield the named stack and those nested in it, the outermost first."""
        try:
            yield from with_nested(self.cloudformation, self.stack or "")
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ValidationError":
                raise InspectorError(
                    f"no stack {self.stack} in {self.region}: check --stack, --region, --profile"
                ) from error
            raise problems.explain(error) from error
        except AWS_FAILURES as error:
            raise problems.explain(error) from error

    @cached_property
    def settings(self) -> Settings:
        """The package's settings for this table, from the environment as everywhere."""
        return Settings.from_environment(self.table)

    def store(self, run_id: str) -> RunStore:
        """Return the store of a run."""
        return RunStore(run_id, client=self.dynamodb, settings=self.settings)
