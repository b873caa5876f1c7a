"""Starting a run of a workflow: one for each key."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

from runstore.errors import ConfigurationError, InvalidRequestError, InvalidTokenError
from runstore.model.identifiers import check_token
from runstore.model.values import encode
from runstore.workflow.aws import error_code, step_functions, translate_error
from runstore.workflow.machine import MAX_HEADERS, MAX_STATE

if TYPE_CHECKING:
    from typing import Any

STATE_MACHINE_VARIABLE = "RUNSTORE_STATE_MACHINE_ARN"
_ARN = re.compile(r"arn:[^:]+:states:[^:]+:\d*:stateMachine:[^:]+")
_READABLE = 40  # characters of the key in the execution's name, which has at most 80
_CHILD = "runstore-"  # the names of children begin with it


def start_execution(
    data: Any, headers: Any = None, *, key: Any = None, state_machine_arn: str | None = None, client: Any = None
) -> str:
    """Start a run and return its id; see `Workflow.start_execution`."""
    if headers is not None and not isinstance(headers, Mapping):
        raise InvalidRequestError(f"headers must be an object; got {type(headers).__name__}")
    text = encode(data, "data", MAX_STATE)[0]
    header_text = encode(dict(headers or {}), "headers", MAX_HEADERS)[0]
    name = f"run-{uuid.uuid4()}" if key is None else execution_name(key)
    arn = _check_arn(state_machine_arn)
    client = step_functions() if client is None else client
    given = f'{{"data":{text},"headers":{header_text}}}'
    try:
        answer = client.start_execution(stateMachineArn=arn, name=name, input=given)
    except Exception as failure:
        if error_code(failure) == "ExecutionAlreadyExists":  # with other data, or it has ended, or this was sent twice
            return f"{arn.replace(':stateMachine:', ':execution:', 1)}:{name}"
        raise translate_error(failure, "start an execution") from failure
    run_id: str = answer["executionArn"]
    return run_id


def execution_name(key: Any) -> str:
    """Return the name of the execution that a key starts: readable, unique, and made of what names may hold."""
    try:
        text = check_token(key)
    except InvalidTokenError as failure:
        raise InvalidRequestError(str(failure).replace("token", "key", 1)) from failure
    text = str.__str__(text)
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", text)[:_READABLE].strip("-")
    if not readable or readable.startswith(_CHILD):
        readable = f"key-{readable}".strip("-")
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return f"{readable}-{digest}"


def _check_arn(state_machine_arn: Any) -> str:
    arn = state_machine_arn or os.environ.get(STATE_MACHINE_VARIABLE)
    if not arn:
        raise ConfigurationError(
            f"the environment variable {STATE_MACHINE_VARIABLE} must hold the ARN of the workflow's state machine; it "
            "is not set. Set it, or pass state_machine_arn=..."
        )
    if not isinstance(arn, str) or not _ARN.fullmatch(arn):
        raise ConfigurationError(f"state_machine_arn must be the ARN of a state machine; got {arn!r:.200}")
    return arn
