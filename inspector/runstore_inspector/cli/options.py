"""What every subcommand has in common: where to look, how to answer, and how to fail."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from runstore_inspector.connection import Connection, Target
from runstore_inspector.meter import Meter, metered
from runstore_inspector.problems import FAILURES, InspectorError, explain

if TYPE_CHECKING:
    from rich.console import RenderableType

Command = Callable[..., Any]


def _option(flag: str, metavar: str, text: str) -> Callable[[], click.Option]:
    return lambda: click.Option([flag], metavar=metavar, help=text)


_COMMON: tuple[Callable[[], click.Option], ...] = (
    _option("--table", "NAME", "The run store's table.  [RUNSTORE_TABLE]"),
    _option("--stack", "NAME", "The stack whose table and state machines to use.  [RUNSTORE_STACK]"),
    _option("--endpoint-url", "URL", "Ask this endpoint instead of AWS.  [AWS_ENDPOINT_URL]"),
    _option("--profile", "NAME", "A profile of the AWS configuration.  [AWS_PROFILE]"),
    _option("--region", "REGION", "The AWS region.  [AWS_REGION, AWS_DEFAULT_REGION]"),
    lambda: click.Option(["--json", "as_json"], is_flag=True, help="Print JSON, for programs."),
)


@dataclass(frozen=True, slots=True)
class Session:
    """One command's run: the connection, how to answer, and what it has cost so far."""

    connection: Connection
    as_json: bool
    meter: Meter

    @property
    def terminal(self) -> bool:
        """Whether a person reads the answer: then there are tables, colours and questions."""
        return sys.stdout.isatty()

    @property
    def may_ask(self) -> bool:
        """Whether there is somebody to ask."""
        return self.terminal and sys.stdin.isatty() and not self.as_json

    def console(self) -> Console:
        """Return a console for the terminal."""
        return Console(highlight=False)

    def print(self, renderable: RenderableType) -> None:
        """Print something for a person."""
        self.console().print(renderable)

    def document(self, value: Any) -> None:
        """Print a JSON document: indented on a terminal, else on one line."""
        indent = 2 if self.terminal else None
        click.echo(json.dumps(value, ensure_ascii=not _unicode(), indent=indent))

    def note(self, text: str) -> None:
        """Tell a person something beside the answer."""
        if not self.as_json:
            click.echo(text, err=True)


def _unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")


def subcommand(name: str, context_settings: dict[str, Any] | None = None) -> Callable[[Command], click.Command]:
    """Make a subcommand of a function whose first argument is the session."""

    def decorate(function: Command) -> click.Command:
        @wraps(function)
        def run(
            *arguments: Any,
            table: str | None,
            stack: str | None,
            endpoint_url: str | None,
            profile: str | None,
            region: str | None,
            as_json: bool,
            **named: Any,
        ) -> None:
            target = Target(table, stack, endpoint_url, profile, region)
            with metered() as meter:
                session = Session(Connection(target), as_json, meter)
                try:
                    function(session, *arguments, **named)
                except (InspectorError, *FAILURES) as error:
                    fail(explain(error))
                except BrokenPipeError:  # `runstore runs | head`
                    sys.stderr.close()
                    sys.exit(0)

        make: Callable[[Command], click.Command] = click.command(name, context_settings=context_settings)
        made = make(run)
        made.params = [*made.params, *(option() for option in _COMMON)]
        return made

    return decorate


def fail(problem: InspectorError) -> None:
    """Say what is wrong in one line, and end."""
    click.echo(f"runstore: {problem}", err=True)
    sys.exit(problem.exit_code)
