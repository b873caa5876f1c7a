"""What is under way in an execution, as a tree of scopes: ending one wakes everything in it that waits.

The root is the execution. A Map or Parallel state opens a scope for its branches, so that the failure of one stops the
others; a task opens one for what it has started, so that its time-out stops a child execution.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from typing import TYPE_CHECKING, Any, Final

from ministack.services import stepfunctions

from infra.local.states.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stopped(SystemExit):
    """This branch is to end. Not an Exception, so that no handler of ministack takes it for a failure of a state."""


class Scope:
    """A part of an execution that can be ended as a whole."""

    def __init__(self, parent: Scope | None = None) -> None:
        self._lock = threading.Lock()
        self._has_ended = False
        self._events: set[threading.Event] = set()
        self._children: set[Scope] = set()
        self._parent = parent
        if parent:
            parent.adopt(self)

    @property
    def has_ended(self) -> bool:
        """Whether it has been ended."""
        return self._has_ended

    def check(self) -> None:
        """Raise Stopped if this scope has ended."""
        if self._has_ended:
            raise Stopped

    def wait(self, event: threading.Event, seconds: float | None = None) -> bool:
        """Wait for an event, and return whether it came in time.

        Raises:
            Stopped: The scope ended first.
        """
        with self._lock:
            self.check()
            self._events.add(event)
        try:
            came = event.wait(seconds)
        finally:
            with self._lock:
                self._events.discard(event)
        self.check()
        return came

    def sleep(self, seconds: float) -> None:
        """Wait so long.

        Raises:
            Stopped: The scope ended first.
        """
        if seconds > 0:
            self.wait(threading.Event(), seconds)
        self.check()

    def end(self) -> None:
        """End this scope and those in it. Safe to call again."""
        with self._lock:
            self._has_ended = True
            events, children = list(self._events), list(self._children)
        for event in events:
            event.set()
        for child in children:
            child.end()
        if self._parent:
            self._parent.release(self)

    def adopt(self, child: Scope) -> None:
        """Take a new scope into this one."""
        with self._lock:
            self._children.add(child)
            has_ended = self._has_ended
        if has_ended:
            child.end()

    def release(self, child: Scope) -> None:
        """Let go of a scope that has ended."""
        with self._lock:
            self._children.discard(child)


class Run:
    """An execution that is under way, or has ended."""

    def __init__(self, execution: dict[str, Any], memory: Memory | None = None) -> None:
        self.execution = execution
        self.role_arn = ""
        self.memory = memory or Memory()
        self.scope = Scope()
        self.ended = threading.Event()


_scope: contextvars.ContextVar[Scope] = contextvars.ContextVar("scope")
_run: contextvars.ContextVar[Run] = contextvars.ContextVar("run")
_runs: Final[dict[str, Run]] = {}
_runs_lock: Final = threading.Lock()


def run_of(execution: dict[str, Any]) -> Run:
    """Return what is under way in an execution."""
    with _runs_lock:
        return _runs.setdefault(execution["executionArn"], Run(execution))


def begin_again(execution: dict[str, Any]) -> bool:
    """Let an execution that has ended be under way once more; return whether it is known where it was."""
    with _runs_lock:
        before = _runs.get(execution["executionArn"])
        if before is None or before.memory.definition is None:
            return False
        before.memory.prepare_redrive()
        _runs[execution["executionArn"]] = Run(execution, before.memory)
        return True


def current_run() -> Run:
    """Return the execution that this thread works for."""
    return _run.get()


def current_scope() -> Scope:
    """Return the innermost scope of this thread."""
    return _scope.get()


@contextlib.contextmanager
def entered(scope: Scope, run: Run | None = None) -> Iterator[Scope]:
    """Make a scope this thread's innermost one, and end it afterwards."""
    token = _scope.set(scope)
    run_token = _run.set(run) if run else None
    try:
        yield scope
    finally:
        scope.end()
        _scope.reset(token)
        if run_token:
            _run.reset(run_token)


def scaled_sleep(seconds: float) -> None:
    """Wait as long as a Wait state or the pause before a retry does, by the stack's clock."""
    current_scope().sleep(seconds * stepfunctions._SFN_WAIT_SCALE)
