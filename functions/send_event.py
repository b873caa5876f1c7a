"""Send an event to a workflow that waits for it: {token, body?} -> {runId, accepted}."""

from runstore import JSON
from runstore.aws_lambda.entry_point import plain_entry_point
from runstore.workflow.sending import send_event


def send(token: str, body: JSON = None) -> dict[str, JSON]:
    """Record the event and wake the branch; `accepted` is false if another event has come before."""
    return send_event(token, body)


handler = plain_entry_point(send)
