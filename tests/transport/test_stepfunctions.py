"""The calls to Step Functions: what is sent, and what comes back."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from runstore.aws_api import stepfunctions
from runstore.aws_api.errors import ApiError
from runstore.aws_api.stepfunctions import StepFunctions, default_client
from tests.transport.answers import http, resets, says
from tests.transport.servers import serving

if TYPE_CHECKING:
    from tests.transport.servers import Server

MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:orders"
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "send_task_success": ("SendTaskSuccess", {"taskToken": "t", "output": '{"a": "ö"}'}),
    "send_task_failure": ("SendTaskFailure", {"taskToken": "t", "error": "e", "cause": "c"}),
    "start_execution": ("StartExecution", {"stateMachineArn": MACHINE, "name": "n", "input": "{}"}),
}


def _refuses(code: str, status: int = 400) -> bytes:
    return http(status, json.dumps({"__type": code, "message": "said so"}).encode(), crc=False)


def _client(server: Server, monkeypatch: pytest.MonkeyPatch) -> StepFunctions:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", server.url)
    return StepFunctions.from_environment()


@pytest.mark.parametrize("method", CALLS)
def test_a_call_sends_what_boto3_sends(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """The same method with the same arguments makes the same request."""
    operation, arguments = CALLS[method]
    with serving(says(http(200, b'{"executionArn": "arn", "startDate": 1.5}', crc=False))) as server:
        with closing(_client(server, monkeypatch)) as ours:
            answer = getattr(ours, method)(**arguments)
        with closing(boto3.client("stepfunctions", endpoint_url=server.url, region_name="eu-central-1")) as theirs:
            getattr(theirs, method)(**arguments)
        mine, other = server.requests
    assert answer == {"executionArn": "arn", "startDate": 1.5}
    assert mine.operation == other.operation == operation
    assert mine.headers["x-amz-target"] == other.headers["x-amz-target"]
    assert mine.headers["content-type"] == other.headers["content-type"]
    assert "/eu-central-1/states/aws4_request" in mine.headers["authorization"]
    assert json.loads(mine.body) == json.loads(other.body) == arguments


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken", "ExecutionAlreadyExists"])
def test_a_refusal_has_its_code(monkeypatch: pytest.MonkeyPatch, method: str, code: str) -> None:
    """At the first attempt."""
    with serving(says(_refuses(code))) as server:
        with closing(_client(server, monkeypatch)) as client, pytest.raises(ApiError, match="said so") as caught:
            getattr(client, method)(**CALLS[method][1])
        assert caught.value.code == code
        assert not caught.value.may_have_happened
        assert len(server.requests) == 1


@pytest.mark.parametrize("method", CALLS)
def test_a_lost_answer_is_asked_for_again(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """The repetition meets what the first one did, and says that."""
    with serving(resets(), says(_refuses("TaskTimedOut"))) as server:
        with closing(_client(server, monkeypatch)) as client, pytest.raises(ApiError) as caught:
            getattr(client, method)(**CALLS[method][1])
        assert caught.value.may_have_happened
        assert len(server.requests) == 2
        assert server.requests[0].body == server.requests[1].body


def test_throttling_is_waited_out(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    """As for DynamoDB."""
    replies = says(_refuses("ThrottlingException")), says(http(200, b"{}", crc=False))
    with serving(*replies) as server, closing(_client(server, monkeypatch)) as client:
        assert client.send_task_success(taskToken="t", output="{}") == {}
    assert len(pauses) == 1


def test_a_process_has_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside Lambda ours, whose TLS context takes a while to make; where anything is unusual, boto3's."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:1")
    stepfunctions._direct_client.cache_clear()  # noqa: SLF001 another test's process had another environment
    assert isinstance(default_client(), StepFunctions)
    assert default_client() is default_client()
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    with closing(default_client()) as client:
        assert not isinstance(client, StepFunctions)
        assert client.meta.service_model.service_id == "SFN"
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)  # which botocore reads; AWS_REGION is enough
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with closing(default_client()) as client:
        assert client.meta.region_name == "eu-north-1"
    stepfunctions._direct_client.cache_clear()  # noqa: SLF001 the next test's process has another one
