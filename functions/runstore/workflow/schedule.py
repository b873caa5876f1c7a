"""What one attempt of a step asks for: further steps, waits for events, and a join."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from runstore.model.values import encode, iterable
from runstore.workflow.durations import seconds, shown
from runstore.workflow.errors import InvalidDelayError, SchedulingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from runstore.workflow.definition import Definition

MAX_SCHEDULED = 10_000  # by one step; a wider fan-out is two steps deep
MAX_SCHEDULED_BYTES = 16_000_000  # by one step: one partition takes about 1 MB a second
MIN_WAIT, MAX_WAIT, _WAITS = 60, 30 * 86_400, "1 minute to 30 days"


class Wait(NamedTuple):
    """A wait for an event: its name among the waits of its step, its deadline, and the action of a time-out."""

    name: str
    deadline: int
    on_timeout: str | None


class Scheduled(NamedTuple):
    """A scheduled step; `due` in epoch seconds, its payload as JSON text of `size` bytes."""

    action: str
    due: int
    payload: str
    size: int
    wait: Wait | None = None


class Join(NamedTuple):
    """The step that runs when all scheduled branches have ended, `delay` seconds later."""

    action: str
    delay: int
    payload: str
    size: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of scheduling; the run must end by `deadline`, in epoch seconds."""

    max_payload_bytes: int
    deadline: float


@dataclass(slots=True)
class Schedule:
    """What one attempt of a step schedules. It counts only if the attempt succeeds.

    Times are whole seconds, rounded up: Step Functions ignores the milliseconds of a Wait.
    """

    definition: Definition
    limits: Limits
    now: Callable[[], float]
    token_of: Callable[[str], str]  # the token of a wait with this name
    steps: list[Scheduled] = field(default_factory=list)
    waits: list[Scheduled] = field(default_factory=list)
    joined: Join | None = None
    _bytes: int = 0
    _waits: dict[str, int] = field(default_factory=dict)

    @property
    def branches(self) -> list[Scheduled]:
        """All that was scheduled, waits last: those of a wide fan-out then share executions that begin by waiting."""
        return self.steps + self.waits

    def add(self, delay: Any, action: Any, payload: Any) -> None:
        """Add a step after checking everything about it."""
        self._admit([self._prepare(action, self._due(delay), payload, "payload")])

    def add_many(self, action: Any, payloads: Any, delay: Any, per_second: Any) -> None:
        """Add a step for each payload: all of them, or none if one is wrong."""
        name, begin, pace = self.definition.check_action(action), self._due(delay), _pace(per_second)
        first, new = self.now() + seconds(delay), []
        for index, payload in enumerate(iterable(payloads, "payloads")):
            due = begin if pace is None else self._check_due(first + math.floor(index / pace), delay)
            new.append(self._prepare(name, due, payload, f"payloads[{index}]"))
            if len(self.steps) + len(new) > MAX_SCHEDULED:
                break  # an endless iterable is refused as well
        self._admit(new)

    def join(self, action: Any, payload: Any, delay: Any) -> None:
        """Set the join, which a step can do once."""
        if self.joined is not None:
            raise SchedulingError(f"a step must join at most once; it has already joined with {self.joined.action!r}")
        name, pause = self.definition.check_action(action), math.ceil(seconds(delay))
        self._check_due(self.now() + pause, delay)
        text, size = encode(payload, "payload", self.limits.max_payload_bytes)
        self._count_bytes(size)
        self.joined = Join(name, pause, text, size)

    def wait(self, action: Any, payload: Any, timeout: Any, on_timeout: Any) -> str:
        """Add a wait for an event and return its token."""
        name = self.definition.check_action(action)
        otherwise = None if on_timeout is None else self.definition.check_action(on_timeout, "on_timeout")
        limit = seconds(timeout, "timeout", _WAITS)
        if not MIN_WAIT <= limit <= MAX_WAIT:
            raise InvalidDelayError(f"timeout must be {_WAITS}; got {shown(timeout)}")
        now = self.now()
        deadline = self._check_due(now + limit, timeout, "timeout")
        occurrence = self._waits.get(name, 0)
        wait = Wait(f"{name}.{occurrence}", deadline, otherwise)
        text, size = encode(payload, "payload", self.limits.max_payload_bytes)
        self._admit([], [Scheduled(name, int(now), text, size, wait)])
        self._waits[name] = occurrence + 1
        return self.token_of(wait.name)

    def _prepare(self, action: Any, due: int, payload: Any, name: str) -> Scheduled:
        text, size = encode(payload, name, self.limits.max_payload_bytes)
        return Scheduled(self.definition.check_action(action), due, text, size)

    def _admit(self, steps: list[Scheduled], waits: Sequence[Scheduled] = ()) -> None:
        if len(self.steps) + len(self.waits) + len(steps) + len(waits) > MAX_SCHEDULED:
            raise SchedulingError(
                f"a step must schedule at most {MAX_SCHEDULED:,} others; it has scheduled more. Schedule steps that "
                "schedule the rest"
            )
        self._count_bytes(sum([step.size for step in (*steps, *waits)]))
        self.steps += steps
        self.waits += waits

    def _count_bytes(self, size: int) -> None:
        if self._bytes + size > MAX_SCHEDULED_BYTES:
            raise SchedulingError(
                f"the payloads that a step schedules must have at most {MAX_SCHEDULED_BYTES:,} bytes in all; got "
                f"{self._bytes + size:,} after {len(self.steps):,} steps. Store the data elsewhere and pass "
                "references, or schedule steps that schedule the rest"
            )
        self._bytes += size

    def _due(self, delay: Any) -> int:
        pause = seconds(delay)
        return self._check_due(self.now() + pause, delay) if pause else int(self.now())

    def _check_due(self, due: float, delay: Any, name: str = "delay") -> int:
        if due > self.limits.deadline:
            left = max(0.0, self.limits.deadline - self.now()) / 86_400
            raise InvalidDelayError(
                f"{name} must end within the run, which has {left:.1f} days left; got {shown(delay)}. An execution "
                "ends within 365 days of its start, and its state within RUNSTORE_TTL_DAYS"
            )
        return math.ceil(due)


def _pace(per_second: Any) -> float | None:
    if per_second is None:
        return None
    number = isinstance(per_second, (int, float)) and not isinstance(per_second, bool)
    if not number or not 0 < per_second < math.inf:
        raise InvalidDelayError(f"per_second must be a number above 0; got {shown(per_second)}")
    return float(min(per_second, MAX_SCHEDULED))
