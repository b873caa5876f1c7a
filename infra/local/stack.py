"""The local stack as one object: ministack with template.yaml deployed to it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import boto3
from botocore.config import Config

from infra.local.deployment import STACK, Packager, deploy
from infra.local.project import ROOT, LocalStackError
from infra.local.server import ACCESS_KEY, REGION, Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

WARNING: Final = "WARNING\t"
RUN_SECONDS: Final = 300.0
POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution as it stands; `output` is None until it has succeeded."""

    arn: str
    status: str
    output: Any
    error: str | None
    cause: str | None

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more, however it ended."""
        return self.status != "RUNNING"


class FunctionError(Exception):
    """A function raised an exception; `name` is its class, as `ErrorEquals` of Step Functions matches it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


class LocalStack:
    """template.yaml, running on this machine.

        with LocalStack.start() as stack:
            stack.invoke("increment_counter", {"runId": "demo", "key": "n"})
            stack.run("OrderFanout", {"customer": {"id": 1}, "line_items": []})

    Several can run at the same time, each with its own port and folder.
    """

    name: Final = STACK

    def __init__(self, server: Server, outputs: Mapping[str, str]) -> None:
        self._server = server
        self._clients: dict[str, Any] = {}
        self.outputs = dict(outputs)

    @classmethod
    def start(
        cls,
        *,
        template: Path = ROOT / "template.yaml",
        parameters: Mapping[str, str] | None = None,
        port: int = 0,
        wait_scale: float = 1.0,
        state: Path | None = None,
    ) -> Self:
        """Start ministack and deploy the template to it: about a second.

        Args:
            template: The SAM template; its local paths are relative to it.
            parameters: The template's parameters that differ from their defaults.
            port: Where it listens; 0 takes a free port.
            wait_scale: Factor on the seconds of Wait states and on the intervals of retries; 0 skips them.
            state: A folder that keeps everything in the stack from one start to the next. Executions that run when the
                stack stops fail.

        Raises:
            LocalStackError: Something is missing, does not start or cannot be deployed; says what.
        """
        server = Server(port=port, wait_scale=wait_scale, state=state)
        stack = cls(server, {})
        try:
            stack.deploy(template, parameters)
        except BaseException:
            server.stop()
            raise
        return stack

    def deploy(
        self,
        template: Path = ROOT / "template.yaml",
        parameters: Mapping[str, str] | None = None,
        *,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Deploy the template, or update what is deployed with other parameters; all resources get the tags.

        Raises:
            LocalStackError: It cannot be deployed; says why.
        """
        template_url = Packager(self.client("s3"), template.parent).package(template)
        self.outputs = deploy(self.client("cloudformation"), template_url, parameters or {}, tags or {})

    def __enter__(self) -> Self:
        """Return the stack itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the stack, whatever happened."""
        self.stop()

    def stop(self) -> None:
        """End ministack and every function's process, and remove their files. Safe to call again."""
        self._server.stop()

    @property
    def table_name(self) -> str:
        """The name of the store's table."""
        return self.outputs["TableName"]

    @property
    def endpoint(self) -> str:
        """The URL for AWS_ENDPOINT_URL."""
        return self._server.endpoint

    @property
    def pid(self) -> int:
        """The process id of ministack."""
        return self._server.pid

    @property
    def function_log(self) -> Path:
        """The file with every line that functions log, the function's name and a tab before it."""
        return self._server.function_log

    def environment(self) -> dict[str, str]:
        """Return the environment variables that point boto3 and the AWS CLI at this stack."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
        }

    def names(self) -> dict[str, str]:
        """Return the environment variables for the package and the inspector: the stack's names and its settings."""
        return {
            "RUNSTORE_TABLE": self.table_name,
            "RUNSTORE_TTL_DAYS": self.outputs["TtlDays"],
            "RUNSTORE_MAX_VALUE_BYTES": self.outputs["MaxValueBytes"],
            "RUNSTORE_STACK": self.name,
        }

    def warnings(self) -> list[str]:
        """Return what the stack has to say about how its functions run."""
        if not self.function_log.exists():
            return []
        lines = self.function_log.read_text(encoding="utf-8").splitlines()
        return [line.removeprefix(WARNING) for line in lines if line.startswith(WARNING)]

    def client(self, service: str) -> Any:
        """Return a boto3 client with every permission, made once per service."""
        if service not in self._clients:
            self._clients[service] = boto3.Session().client(  # type: ignore[call-overload]  # any service's name
                service,
                endpoint_url=self.endpoint,
                region_name=REGION,
                aws_access_key_id=ACCESS_KEY,
                aws_secret_access_key=ACCESS_KEY,
                config=Config(read_timeout=RUN_SECONDS, retries={"total_max_attempts": 1}),
            )
        return self._clients[service]

    def invoke(self, function: str, event: Any) -> Any:
        """Invoke a function by its entry point's name (`push_item`) and return its result.

        Raises:
            FunctionError: The function raised an exception.
        """
        name = "".join(word.capitalize() for word in function.split("_"))
        answer = self.client("lambda").invoke(
            FunctionName=self.outputs[f"{name}FunctionArn"], Payload=json.dumps(event).encode()
        )
        result = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise FunctionError(result.get("errorType", "Unknown"), result.get("errorMessage", ""))
        return result

    def start_execution(self, state_machine: str, document: Any) -> str:
        """Start a state machine by its resource's name (`OrderFanout`) and return the execution's ARN."""
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs[f"{state_machine}Arn"], input=json.dumps(document)
        )
        arn: str = started["executionArn"]
        return arn

    def wait(self, execution_arn: str, *, seconds: float = RUN_SECONDS) -> Execution:
        """Wait for an execution's end.

        Raises:
            LocalStackError: It still runs after so many seconds.
        """
        deadline = time.monotonic() + seconds
        while not (execution := self.describe(execution_arn)).has_ended:
            if time.monotonic() > deadline:
                raise LocalStackError(f"{execution_arn} still runs after {seconds:.0f} seconds")
            time.sleep(POLL_SECONDS)
        return execution

    def describe(self, execution_arn: str) -> Execution:
        """Return an execution as it stands."""
        found = self.client("stepfunctions").describe_execution(executionArn=execution_arn)
        output = json.loads(found["output"]) if found["status"] == "SUCCEEDED" else None
        return Execution(execution_arn, found["status"], output, found.get("error"), found.get("cause"))

    def run(self, state_machine: str, document: Any) -> Execution:
        """Start a state machine and wait for its end."""
        return self.wait(self.start_execution(state_machine, document))

    def items(self, run_id: str) -> list[dict[str, Any]]:
        """Return every item of a run, in DynamoDB's own form, by a consistent query."""
        pages = (
            self.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self.table_name,
                ConsistentRead=True,
                KeyConditionExpression="run_id = :run",
                ExpressionAttributeValues={":run": {"S": run_id}},
            )
        )
        return [item for page in pages for item in page["Items"]]

    def requests(self) -> Iterator[dict[str, Any]]:
        """Yield the DynamoDB requests that the functions have made, oldest first, with what they consumed."""
        if self._server.request_log.exists():
            with self._server.request_log.open(encoding="utf-8") as lines:
                for line in lines:
                    request = json.loads(line)
                    if request["key_id"] != ACCESS_KEY:
                        yield request
