"""A function that ends as the event says, for the names that Step Functions gives to such ends."""

import os
import signal
import time
from typing import Any


def handler(event: dict[str, Any], _context: object) -> str:
    """Be killed, run out of memory or of time, or raise."""
    if event["end"] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif event["end"] == "memory":
        return str(len("x" * 10**9))
    elif event["end"] == "time":
        time.sleep(30)  # beyond the function's time-out
    raise ValueError(event["end"])
