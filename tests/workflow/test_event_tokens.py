"""Tokens and bodies that are wrong, waits that cannot be."""

# ruff: noqa: ARG002 a step has these arguments, whether it uses them or not

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from runstore.errors import (
    ConfigurationError,
    InvalidValueError,
    ValueTooLargeError,
)
from runstore.testing import run_workflow
from runstore.workflow import (
    HookApi,
    InvalidActionError,
    InvalidDelayError,
    InvalidEventTokenError,
    SchedulingError,
    StepApi,
    Workflow,
    send_event,
)
from tests.workflow.waiting import Waiting, begin

if TYPE_CHECKING:
    from tests.workflow.driver import Machine


@pytest.mark.parametrize(
    "change", ["cut", "altered", "other run", "other wait", "no text", "not base64", "padding", ""]
)
def test_an_altered_token_is_refused(change: str, waiting: Machine) -> None:
    """Whatever is done to a token: a clear error, and no event."""
    execution = begin(waiting, waits=2)
    token, other = Waiting.tokens
    begin(waiting)
    name, _, proof = token.partition(".")
    altered: Any = {
        "cut": token[:-1],
        "altered": f"{name}.{'A' if proof[0] != 'A' else 'B'}{proof[1:]}",
        "other run": f"{Waiting.tokens[-1].partition('.')[0]}.{proof}",
        "other wait": f"{other.partition('.')[0]}.{proof}",
        "no text": 5,
        "not base64": "ä" + token,
        "padding": f"{name}=.{proof}",
        "": "",
    }[change]
    with pytest.raises(InvalidEventTokenError, match="token must be"):
        waiting.send(altered)
    assert not [key for key in waiting.items(execution) if key.endswith("event")]


@pytest.mark.parametrize(
    ("body", "error"), [({1, 2}, InvalidValueError), (object(), InvalidValueError), ("x" * 65_536, ValueTooLargeError)]
)
def test_a_body_is_json_of_limited_size(body: Any, error: type[Exception], waiting: Machine) -> None:
    """What is not JSON, or too large, is refused before anything is written."""
    execution = begin(waiting)
    with pytest.raises(error, match="body"):
        send_event(Waiting.tokens[0], body, table_name="table", client=waiting.client, stepfunctions=waiting.service)
    assert not [key for key in waiting.items(execution) if key.endswith("event")]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"timeout": 59}, InvalidDelayError), ({"timeout": "31 days"}, InvalidDelayError),
        ({"timeout": None}, InvalidDelayError), ({"timeout": "soon"}, InvalidDelayError),
        ({"action": "nothing"}, InvalidActionError), ({"action": "start"}, InvalidActionError),
        ({"on_timeout": "nothing"}, InvalidActionError), ({"on_timeout": 5}, InvalidActionError),
        ({"payload": {1}}, InvalidValueError), ({"payload": "x" * 65_536}, ValueTooLargeError),
    ],
)  # fmt: skip
def test_a_wait_that_is_wrong_is_refused_at_the_call(arguments: dict[str, Any], error: type[Exception]) -> None:
    """Bounds of the timeout, unknown steps, payloads that are none."""

    class Wrong(Workflow):
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            api.wait_for_event(**{"action": "other", **arguments})

        def other(self, data: Any, headers: Any, api: StepApi) -> None: ...

    found = run_workflow(Wrong).error
    assert found is not None
    assert (found.name, found.attempts) == (error.__name__, 1)


def test_a_hook_waits_for_nothing_and_joins_nothing() -> None:
    """What a hook cannot do raises at the call."""

    class Wrong(Workflow):
        def start(self, data: Any, headers: Any, api: StepApi) -> None: ...

        def on_workflow_complete(self, api: HookApi) -> Any:
            names = []
            for call in (api.wait_for_event, api.join, api.schedule_steps, api.schedule_next_step):
                try:
                    call("start")
                except SchedulingError as error:
                    names.append(str(error).split(";")[0])
            return names

    assert run_workflow(Wrong).output == [
        "a hook cannot wait for an event", "a hook cannot join", "a hook cannot schedule", "a hook cannot schedule",
    ]  # fmt: skip


def test_a_missing_permission_is_said(waiting: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may not wake a branch hears what is missing; the event is recorded all the same."""
    begin(waiting)

    def denied(**_: object) -> None:
        message = "is not authorized to perform: states:SendTaskSuccess"
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, "SendTaskSuccess")

    monkeypatch.setattr(waiting.service, "send_task_success", denied)
    with pytest.raises(ConfigurationError, match="states:SendTaskSuccess"):
        waiting.send(Waiting.tokens[0])
