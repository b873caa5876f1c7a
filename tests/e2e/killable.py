"""Functions whose processes are killed: a plan says at which of an invocation's requests, and how often.

Every attempt of one task finds the same plan, which depends only on what the task is about. How many of its kills have
happened is kept in files, which outlive the processes.
"""

import functools
import hashlib
import importlib
import json
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from runstore.dynamodb import defaults

KILLS = "KILLS"  # the environment variable that names the folder with a file for each death
BEFORE, AFTER = "before-send.dynamodb", "needs-retry.dynamodb"  # nothing is written yet; it is, and nobody knows
REQUESTS, TIMES = 4, 2  # at one of the first requests of an invocation; at the most so often for a task

KillPoint = tuple[str, int]


def random_points(subject: str) -> list[KillPoint]:
    """Return the spots at which the processes that work on a subject die, one after the other."""
    chosen = hashlib.sha256(subject.encode()).digest()
    spots = [((BEFORE, AFTER)[byte % 2], 1 + byte // 2 % REQUESTS) for byte in chosen[:TIMES]]
    return spots[: chosen[-1] % (TIMES + 1)]


class KillPlan:
    """What is in store for one invocation's process."""

    def __init__(self, subject: str, plan: Sequence[KillPoint]) -> None:
        kills, name = Path(os.environ[KILLS]), hashlib.sha256(subject.encode()).hexdigest()
        died = len(list(kills.glob(f"{name}.*")))
        self.death = plan[died] if died < len(plan) else None
        self.kill = kills / f"{name}.{died}"
        self.seen = {BEFORE: 0, AFTER: 0}

    def meet(self, kind: str) -> None:
        """Die if this is the spot."""
        self.seen[kind] += 1
        if self.death == (kind, self.seen[kind]):
            self.kill.write_text(kind)
            os.kill(os.getpid(), signal.SIGKILL)


@functools.cache
def _client() -> Any:
    """Make the boto3 client that all functions of this process use."""
    client = defaults.new_client()
    defaults.process.transport = defaults.transport_of(client)
    return client


def killable(
    module: str, subject_of: Callable[[Any], str], plan_of: Callable[[str], Sequence[KillPoint]] = random_points
) -> Callable[[Any, Any], Any]:
    """Return a module's handler, in a process that dies as planned."""

    def handler(event: Any, context: Any) -> Any:
        subject = subject_of(event)
        kill_plan = KillPlan(subject, plan_of(subject))
        events = _client().meta.events
        for kind in (BEFORE, AFTER):
            events.unregister(kind, unique_id=kind)  # the last invocation's
            events.register(kind, lambda kind=kind, **_: kill_plan.meet(kind), unique_id=kind)
        return importlib.import_module(module).handler(event, context)

    return handler


def operation(event: Any) -> str:
    """Return what the attempts of an operation have in common, in whatever run."""
    return json.dumps({**event, "runId": None})


def task(event: Any) -> str:
    """Return what the attempts of a workflow's task have in common."""
    branch = event.get("state", {}).get("next", {})
    return json.dumps([event["do"], branch["step"]["id"] if "step" in branch else event.get("execution")])


apply_operations = killable("apply_operations", operation)
# Some deletions are done, and their answers are lost; nothing more is; all but the last look are.
complete_run = killable("complete_run", lambda event: event["runId"], lambda _: [(AFTER, 4), (BEFORE, 2), (AFTER, 5)])
# A hook runs at most once: one that dies is not begun again, and its output is lost.
sample_workflow = killable("sample_workflow", task, lambda subject: [] if "hook" in subject else random_points(subject))
