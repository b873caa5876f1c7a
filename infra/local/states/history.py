"""An execution's history, event by event as AWS writes it, and with AWS's end."""

from __future__ import annotations

import contextvars
import json
import threading
from typing import Any, Final

from ministack.services import stepfunctions as sfn

from infra.local.states.scope import Stopped

MAX_EVENTS: Final = 25_000
_lock: Final = threading.Lock()
# The event that led this branch to where it is.
_previous: contextvars.ContextVar[int] = contextvars.ContextVar("previous_event", default=1)


def add_event(execution: dict[str, Any], kind: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """Add an event.

    Raises:
        Stopped: The history is full: the execution has failed.
    """
    with _lock:
        events: list[dict[str, Any]] = execution["events"]
        if len(events) < MAX_EVENTS - 1 or kind.startswith("Execution"):
            event = {
                "id": len(events) + 1,
                "previousEventId": _previous.get(),
                "type": kind,
                "timestamp": sfn.now_iso(),
                **(details or {}),
            }
            events.append(event)
            _previous.set(len(events))
            return event
    cause = f"The execution reached the maximum number of history events ({MAX_EVENTS})."
    sfn._fail_execution(execution, "States.Runtime", cause)
    raise Stopped


def note(execution: dict[str, Any], kind: str, field: str, **details: Any) -> None:
    """Add an event with details; documents in them become text."""
    texts = {key: json.dumps(value) if key in {"input", "output"} else value for key, value in details.items()}
    add_event(execution, kind, {field: texts})


def service_of(resource: str) -> dict[str, str]:
    """Return how the history names the resource of a task: `lambda` and `invoke` for arn:aws:states:::lambda:invoke."""
    integration = resource.partition(":states:::")[2]
    if not integration:
        return {"resourceType": "lambda" if ":lambda:" in resource else "activity", "resource": resource}
    kind, _, action = integration.rpartition(":")
    return {"resourceType": kind, "resource": action}
