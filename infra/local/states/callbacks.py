"""Task tokens: how tasks that wait for a callback are answered."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from ministack.services import stepfunctions as sfn

from infra.local.states.limits import MAX_STATE_BYTES
from infra.local.states.scope import current_run

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN_PREFIX: Final = "AAAAKgAAAAIAAAAAAAAAA"  # noqa: S105 how tokens of AWS begin
TOKEN_BYTES: Final = 507  # as long as AWS's: programs that store tokens must have room for them
_machines: Final[dict[str, str]] = {}  # of every token, also of those that are over
_ended: Final[set[str]] = set()
_lock: Final = threading.Lock()


def new_token() -> str:
    """Return a task token."""
    return TOKEN_PREFIX + base64.b64encode(secrets.token_bytes(TOKEN_BYTES)).decode()


class Callback:
    """A task that waits for its token to be answered."""

    def __init__(self, token: str, done: threading.Event) -> None:
        self._token = token
        self._info: dict[str, Any] = {"event": done, "result": None, "error": None, "heartbeat": None}
        self._info["alive"] = time.monotonic()
        _machines[token] = current_run().execution["stateMachineArn"]
        sfn._task_tokens[token] = self._info

    @property
    def last_heartbeat(self) -> float:
        """When it was last heard of, by the monotonic clock."""
        alive: float = self._info["alive"]
        return alive

    def result(self) -> Any:
        """Return what SendTaskSuccess gave, or raise what SendTaskFailure gave."""
        error = self._info["error"]
        if error:
            raise sfn._ExecutionError(error["Error"], error["Cause"])
        return json.loads(self._info["result"])

    def end(self) -> None:
        """Take no more answers."""
        with _lock:
            sfn._task_tokens.pop(self._token, None)
            _ended.add(self._token)


def machine_of(token: str) -> str | None:
    """Return the ARN of the state machine that gave out a task token, None for a token that never was."""
    return _machines.get(token)


def answering(store: Callable[[dict[str, Any], dict[str, Any]], None]) -> Callable[[dict[str, Any]], Any]:
    """Return a handler of SendTaskSuccess, SendTaskFailure or SendTaskHeartbeat that answers as AWS does."""

    def handle(data: dict[str, Any]) -> Any:
        token = data.get("taskToken")
        with _lock:
            info = sfn._task_tokens.get(token)
            if token in _ended or (info and info["event"].is_set()):
                gone = "Task Timed Out: 'Provided task does not exist anymore'"
                return sfn.error_response_json("TaskTimedOut", gone, 400)
            if not info:
                return sfn.error_response_json("InvalidToken", "Invalid Token: 'Invalid token'", 400)
            try:
                store(info, data)
            except ValueError as error:
                return sfn.error_response_json("InvalidOutput", f"Invalid Output: '{error}'", 400)
        return sfn.json_response({})

    return handle


def succeed(info: dict[str, Any], data: dict[str, Any]) -> None:
    """Store what SendTaskSuccess gives."""
    output = data.get("output", "")
    json.loads(output)
    if len(output.encode()) > MAX_STATE_BYTES:
        raise ValueError(f"the output has more than {MAX_STATE_BYTES} bytes")
    info["result"] = output
    info["event"].set()


def fail(info: dict[str, Any], data: dict[str, Any]) -> None:
    """Store what SendTaskFailure gives."""
    info["error"] = {"Error": data.get("error") or "States.TaskFailed", "Cause": data.get("cause") or ""}
    info["event"].set()


def beat(info: dict[str, Any], _data: dict[str, Any]) -> None:
    """Note that the task is alive."""
    info["alive"] = time.monotonic()
