"""Sending an event to a workflow step that waits for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstore_inspector.problems import InspectorError

if TYPE_CHECKING:
    from runstore_inspector.connection import Connection


def send(connection: Connection, token: str, body: Any) -> dict[str, Any]:
    """Send an event and return what the function send_event would."""
    from runstore import workflow  # noqa: PLC0415 nothing else of the inspector needs the workflow engine

    send_event: Any = getattr(workflow, "send_event", None)
    if send_event is None:
        raise InspectorError("this version of runstore has no events")
    result: Any = send_event(
        token,
        body,
        table_name=connection.table,
        client=connection.dynamodb,
        stepfunctions=connection.stepfunctions,
    )
    return result if isinstance(result, dict) else {"accepted": bool(result)}
