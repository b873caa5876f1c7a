"""The steps of a workflow class, as the engine's records tell while the run lives."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runstore_inspector.connection import Connection

FAILED, RETRYING, RUNNING, WAITING, DONE = "failed", "retrying", "running", "waiting", "done"


@dataclass(frozen=True, slots=True)
class Step:
    """A step. Times are epoch seconds, None where they are not known.

    Attributes:
        id: The step's id; those of the steps that it has scheduled begin with it or follow it.
        action: The method's name.
        status: failed, retrying, running, waiting or done.
        attempts: How often it was begun.
        due: When it was to run.
        began: When its last attempt began.
        ended: When its outcome was recorded.
        error: The class name of the last error, "" without one.
        message: That error's text.
        payload_bytes: The size of its payload, None where it is not known.
    """

    id: str
    action: str
    status: str
    attempts: int = 0
    due: float | None = None
    began: float | None = None
    ended: float | None = None
    error: str = ""
    message: str = ""
    payload_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait for an event: what runs when it comes, and until when it is waited for."""

    step_id: str
    action: str
    deadline: float | None = None
    received: bool = False


@dataclass(frozen=True, slots=True)
class Workflow:
    """What the engine's records tell of a run. `cut`: there are more steps than were read."""

    steps: tuple[Step, ...] = ()
    waits: tuple[Wait, ...] = ()
    failure: Step | None = None
    cut: bool = False

    @property
    def done(self) -> int:
        """How many steps are done."""
        return sum(step.status == DONE for step in self.steps)

    @property
    def total(self) -> int:
        """How many steps are known."""
        return len(self.steps)

    @property
    def counts(self) -> Counter[str]:
        """How many steps there are of each status."""
        return Counter(step.status for step in self.steps)


def read(connection: Connection, run_id: str) -> Workflow | None:  # noqa: ARG001 the engine's reading interface lands soon
    """Return the steps of a run, None if it is of no workflow class."""
    return None
