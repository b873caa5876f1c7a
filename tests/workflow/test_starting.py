"""start_execution: one run for each key, and clear errors before anything is sent."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runstore.errors import (
    ConfigurationError,
    InvalidRequestError,
    InvalidValueError,
    ThrottledError,
    UnavailableError,
    ValueTooLargeError,
)
from runstore.workflow import StepApi, Workflow

ARN = "arn:aws:states:eu-central-1:123456789012:stateMachine:orders"
EXECUTION = "arn:aws:states:eu-central-1:123456789012:execution:orders:"


class Orders(Workflow):
    """A workflow."""

    def start(self, data: Any, headers: Any, api: StepApi) -> None:
        """Do nothing."""


class StepFunctions:
    """Answers StartExecution as Step Functions documents it: a name is taken until 90 days after the run's end."""

    def __init__(self, failure: str = "") -> None:
        self.started: dict[str, str] = {}
        self.ended: set[str] = set()
        self.failure = failure

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002, N803
        """Start, or return the running execution of the same input, or refuse."""
        assert stateMachineArn == ARN
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name)
        if self.failure:
            raise ClientError({"Error": {"Code": self.failure, "Message": "injected"}}, "StartExecution")
        if name in self.started and (name in self.ended or self.started[name] != input):
            raise ClientError({"Error": {"Code": "ExecutionAlreadyExists", "Message": ""}}, "StartExecution")
        self.started[name] = input
        return {"executionArn": EXECUTION + name, "startDate": 0}


def start(client: StepFunctions, data: Any = None, headers: Any = None, **options: Any) -> str:
    """Start a run."""
    return Orders.start_execution(data, headers, **{"state_machine_arn": ARN, "client": client, **options})


def test_a_key_starts_one_run() -> None:
    """The same id for the same key: at once, with other data, and after the run has ended."""
    client = StepFunctions()
    first = start(client, {"id": 1}, {"from": "shop"}, key="order 4711/ä")
    assert first.startswith(EXECUTION + "order-4711-")
    assert start(client, {"id": 1}, {"from": "shop"}, key="order 4711/ä") == first
    assert start(client, {"id": 2}, key="order 4711/ä") == first
    client.ended |= client.started.keys()
    assert start(client, {"id": 1}, key="order 4711/ä") == first
    assert [json.loads(given) for given in client.started.values()] == [
        {"data": {"id": 1}, "headers": {"from": "shop"}}
    ]


def test_other_keys_start_other_runs_and_none_collide() -> None:
    """However alike: each key is a run, and no root is taken for a child, whose ends are nobody's business."""
    client = StepFunctions()
    keys = ["a/b", "a-b", "a b", "A-b", "", "ä", "x" * 256, "x" * 255, "runstore-child-1", "-", "a-b-"]
    ids = [start(client, key=key) for key in keys if key]
    assert len(set(ids)) == len(keys) - 1
    assert not [name for name in client.started if name.startswith("runstore")]


def test_without_a_key_each_call_starts_a_run() -> None:
    """Also with equal data."""
    client = StepFunctions()
    assert start(client, 1) != start(client, 1)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"key": ""}, InvalidRequestError, "key must be"),
        ({"key": 5}, InvalidRequestError, "key must be"),
        ({"key": "x" * 257}, InvalidRequestError, "key must be"),
        ({"key": "a\x00"}, InvalidRequestError, "key must be"),
        ({"data": {1}}, InvalidValueError, "data"),
        ({"data": "x" * 190_000}, ValueTooLargeError, "data"),
        ({"headers": [1]}, InvalidRequestError, "headers must be an object; got list"),
        ({"headers": {"a": object()}}, InvalidValueError, "headers"),
        ({"headers": {"a": "x" * 16_384}}, ValueTooLargeError, "headers"),
        ({"state_machine_arn": None}, ConfigurationError, "RUNSTORE_STATE_MACHINE_ARN must hold"),
        ({"state_machine_arn": "orders"}, ConfigurationError, "must be the ARN of a state machine; got 'orders'"),
        ({"state_machine_arn": EXECUTION + "x"}, ConfigurationError, "must be the ARN of a state machine"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_sent(
    options: dict[str, Any], error: type[Exception], says: str
) -> None:
    """Keys, data, headers and machines that are none."""
    client = StepFunctions()
    with pytest.raises(error, match=says):
        start(client, **options)
    assert client.started == {}


def test_the_machine_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """RUNSTORE_STATE_MACHINE_ARN."""
    monkeypatch.setenv("RUNSTORE_STATE_MACHINE_ARN", ARN)
    assert start(StepFunctions(), key="k", state_machine_arn=None).startswith(EXECUTION)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", ThrottledError), ("ExecutionLimitExceeded", ThrottledError),
        ("AccessDeniedException", ConfigurationError), ("StateMachineDoesNotExist", ConfigurationError),
        ("InternalServerError", UnavailableError),
    ],
)  # fmt: skip
def test_what_step_functions_refuses_has_the_stores_errors(code: str, error: type[Exception]) -> None:
    """Throttled, not allowed, or broken."""
    with pytest.raises(error):
        start(StepFunctions(code), key="k")
