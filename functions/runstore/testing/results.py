"""What a test sees of a workflow that ran in process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from runstore.model.values import decode

if TYPE_CHECKING:
    from runstore.model.values import JSON
    from runstore.workflow.errors import StepFailure
    from runstore.workflow.schedule import Join, Wait


class InjectedError(Exception):
    """The error of a step that a test lets fail a number of times."""


@dataclass(slots=True)
class Group:
    """Branches that a join waits for: how many have not ended, the join and its id, and the group it belongs to."""

    open: int = 1
    join: Join | None = None
    join_id: str = ""
    parent: Group | None = None


@dataclass(slots=True)
class StepRun:
    """A step that ran: its action and id, the JSON text of its data, and how often it was tried.

    `at` is when it was due first, in seconds of simulated time since the run began.
    """

    action: str
    step_id: str
    payload: str
    at: float
    attempts: int = 0
    group: Group = field(default_factory=Group, repr=False)
    wait: Wait | None = field(default=None, repr=False)

    @property
    def data(self) -> JSON:
        """What the step was given."""
        return decode(self.payload)


@dataclass(frozen=True, slots=True)
class WorkflowResult:
    """How a workflow ended.

    Attributes:
        status: "SUCCEEDED" or "FAILED", as the execution would have it.
        output: What `on_workflow_complete` returned; None without it, or when it failed.
        error: The step that failed for good and that nothing handled, None if there was none.
        state: The run's keys and values just before they are deleted (or kept, if the run failed).
        steps: The steps in the order in which they first ran, `start` first.
        hooks: The hooks that were called.
        hook_error: What the hook raised, or what was wrong with its output; None if nothing was. In production it is
            only logged and does not change the status, so a test should check it.
        seconds: How long the run would have taken if steps took no time.
    """

    status: Literal["SUCCEEDED", "FAILED"]
    output: JSON
    error: StepFailure | None
    state: dict[str, JSON]
    steps: list[StepRun]
    hooks: list[str]
    seconds: float
    hook_error: BaseException | None = None
