"""What all pages share: the connection, the templates, and what the page was started with."""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from starlette.responses import HTMLResponse

from runstore import __version__
from runstore_inspector import executions, steps
from runstore_inspector.meter import Meter, metered
from runstore_inspector.page import render
from runstore_inspector.problems import EXIT_NOT_FOUND, EXIT_USAGE, FAILURES, InspectorError, NotFoundError, explain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from runstore_inspector.connection import Connection
    from runstore_inspector.executions import Machines, Run
    from runstore_inspector.overview import Overview
    from runstore_inspector.steps import Workflow

_MAX_REMEMBERED = 100  # runs of which the steps are kept
_MACHINES_SECONDS = 60.0
_STATUS = {EXIT_NOT_FOUND: 404, EXIT_USAGE: 400}


@dataclass
class Site:
    """One started page.

    Attributes:
        connection: Where its runs are.
        allow_writes: Whether it offers and carries out actions.
        redact: Whether it hides values, errors' texts and what else may come from a run's data.
        token: What each action must bring; it is in the page's own forms alone.
    """

    connection: Connection
    allow_writes: bool = False
    redact: bool = False
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    lines: render.Lines = field(default_factory=render.Lines)

    def __post_init__(self) -> None:
        """Make the templates."""
        self.templates = render.environment()
        self.templates.globals |= {
            "site": self,
            "version": __version__,
            "table": self.connection.table,
            "region": self.connection.region,
            "max_value_bytes": self.connection.settings.max_value_bytes,
        }
        self._steps: dict[str, Workflow] = {}
        self._machines: tuple[float, Machines] | None = None
        self._lock = Lock()

    def machines(self) -> Machines:
        """Return the state machines, asked for once a minute."""
        with self._lock:
            if self._machines is None or time.monotonic() - self._machines[0] > _MACHINES_SECONDS:
                self._machines = time.monotonic(), executions.machines(self.connection)
            return self._machines[1]

    def steps_of(self, view: Overview) -> tuple[Workflow | None, bool]:
        """Return a run's steps, and whether they are what was last seen: a run that ends well takes them along."""
        with self._lock:
            if view.workflow is not None:
                self._steps.pop(view.run.id, None)
                self._steps[view.run.id] = view.workflow
                while len(self._steps) > _MAX_REMEMBERED:
                    self._steps.pop(next(iter(self._steps)))
                return view.workflow, False
            remembered = self._steps.get(view.run.id)
        execution = view.run.execution
        if remembered is None or execution is None or execution.status != "SUCCEEDED":
            return None, False
        return steps.ended(remembered, execution.stopped), True

    def find(self, name: str) -> Run:
        """Return the run with this id or name; raises as `executions.find`."""
        return executions.find(self.connection, name)

    def page(self, template: str, meter: Meter, *, code: int = 200, **values: Any) -> HTMLResponse:
        """Return a page, with what it has cost."""
        text = self.templates.get_template(template).render(meter=meter, **values)
        return HTMLResponse(text.encode("utf-8", "backslashreplace"), code)

    def part(self, template: str, **values: Any) -> str:
        """Return one part of a page, to replace it while somebody looks at it."""
        return self.templates.get_template(template).render(**values)

    def failure(self, error: Exception, meter: Meter) -> HTMLResponse:
        """Return the page that says what went wrong."""
        problem = explain(error)
        title = "Not found" if problem.exit_code == EXIT_NOT_FOUND else "That did not work"
        code = _STATUS.get(problem.exit_code, 502)
        near = problem.near if isinstance(problem, NotFoundError) else ()
        text = problem.text if isinstance(problem, NotFoundError) else str(problem)
        return self.page("failure.html", meter, code=code, text=text, near=near, title=title)

    @contextmanager
    def counted(self) -> Iterator[Meter]:
        """Count what one page costs."""
        with metered() as meter:
            yield meter


CAUGHT = (InspectorError, *FAILURES)


def path_parts(request: Request) -> list[str]:
    """Return the parts of a request's path as they were before any decoding, each decoded by itself.

    A run id may hold slashes, and what a server decodes first can no longer be told apart.
    """
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return [unquote_to_bytes(part).decode("utf-8", "replace") for part in raw.split(b"?")[0].split(b"/")[1:]]
