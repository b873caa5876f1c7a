"""The calls to Step Functions that functions make, without botocore."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from runstore.aws_api.choice import choose
from runstore.aws_api.client import JsonClient
from runstore.aws_api.endpoint import STEP_FUNCTIONS, resolve

if TYPE_CHECKING:
    from typing import Any


def default_client() -> Any:
    """Return the process's client: ours where `choose` says so, else boto3's, which raises ClientError."""
    return _direct_client() if choose(STEP_FUNCTIONS).name == "direct" else _boto3_client()


@functools.cache
def _direct_client() -> StepFunctions:
    return StepFunctions.from_environment()


def _boto3_client() -> Any:
    import boto3  # noqa: PLC0415 the usual function needs none
    from botocore.exceptions import NoRegionError  # noqa: PLC0415

    try:
        return boto3.client("stepfunctions")
    except NoRegionError:  # botocore itself ignores AWS_REGION, which Lambda and the other SDKs use
        return boto3.client("stepfunctions", region_name=os.environ.get("AWS_REGION") or None)


class StepFunctions:
    """Has methods like those of boto3's client, as far as functions use them.

    They raise ApiError, whose `code` is what botocore has in `response["Error"]["Code"]`. Each is sent again if its
    answer is lost, and a repetition can meet what the first one did: then the error, such as TaskTimedOut or
    ExecutionAlreadyExists, has `may_have_happened`.
    """

    def __init__(self, client: JsonClient) -> None:
        self._client = client

    @classmethod
    def from_environment(cls) -> StepFunctions:
        """Return a client for the region or endpoint that the environment names. Raises UnusableError for none."""
        return cls(JsonClient(STEP_FUNCTIONS, resolve(STEP_FUNCTIONS)))

    def send_task_success(self, *, taskToken: str, output: str) -> dict[str, Any]:  # noqa: N803 as in boto3
        """Let a waiting state succeed. `output` is JSON text of at most 262,144 UTF-8 bytes."""
        return self._client.call("SendTaskSuccess", {"taskToken": taskToken, "output": output}, idempotent=True)

    def send_task_failure(
        self,
        *,
        taskToken: str,  # noqa: N803 as in boto3
        error: str = "",
        cause: str = "",
    ) -> dict[str, Any]:
        """Let a waiting state fail with `error` (at most 256 characters) and `cause` (at most 32,768)."""
        request = {"taskToken": taskToken, "error": error, "cause": cause}
        return self._client.call("SendTaskFailure", request, idempotent=True)

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002, N803 as in boto3
        """Start an execution, and return its `executionArn` and `startDate` (epoch seconds)."""
        request = {"stateMachineArn": stateMachineArn, "name": name, "input": input}
        return self._client.call("StartExecution", request, idempotent=True)

    def close(self) -> None:
        """Close the idle connections; the next call opens another."""
        self._client.close()
