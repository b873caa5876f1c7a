"""`runstore watch`: a run's state as it changes, until it ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from runstore_inspector import overview, words
from runstore_inspector.cli import describing
from runstore_inspector.cli.tables import STATUS_STYLES, rich_table
from runstore_inspector.problems import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from runstore_inspector.cli.options import Session
    from runstore_inspector.executions import Run
    from runstore_inspector.overview import Overview

_UNITS_A_SECOND = 20.0  # a run that costs more to look at is looked at less often


def follow(session: Session, run: Run, interval: float, *, redact: bool) -> None:
    """Show a run until it has ended."""
    looks = _looks(session, run, interval, redact=redact)
    if session.terminal and not session.as_json:
        with Live(console=session.console(), refresh_per_second=8) as live:
            for view in looks:
                live.update(_picture(session, view))
    else:
        _lines(session, looks)


def _looks(session: Session, run: Run, interval: float, *, redact: bool) -> Iterator[Overview]:
    while True:
        before = session.meter.read_units
        run = overview.refresh(session.connection, run)
        view = overview.read(session.connection, run)
        yield overview.redacted(view) if redact else view
        if view.over:
            return
        cost = session.meter.read_units - before
        time.sleep(max(interval, cost / _UNITS_A_SECOND))


def _picture(session: Session, view: Overview) -> RenderableType:
    parts: list[RenderableType] = []
    for label, text in describing.facts(view):
        line = Text(f"{label:<11}", style="dim")
        line.append(one_line(text), style=STATUS_STYLES.get(text, "not dim"))
        parts.append(line)
    height = max(8, session.console().height - len(parts) - 6)
    if view.workflow is not None and view.workflow.steps:
        rows = [describing.step_row(each) for each in view.workflow.steps]
        parts.append(rich_table(describing.STEP_COLUMNS, rows[-height // 2 :]))
        height //= 2
    if view.keys.keys:
        rows = [describing.key_row(each, terminal=True) for each in view.keys.keys[:height]]
        parts.append(rich_table(describing.KEY_COLUMNS, rows))
    hidden = len(view.keys.keys) - height
    more = f"{hidden} more keys; " if hidden > 0 else ""
    state = "" if view.over else "; Ctrl-C stops watching"
    parts.append(Text(f"{more}cost {words.units(session.meter.read_units)} read units{state}", style="dim"))
    return Group(*parts)


def _lines(session: Session, looks: Iterator[Overview]) -> None:
    """Print what changes: a line for each change, or a JSON document for each look that differs."""
    known: dict[str, str] = {}
    for view in looks:
        found = {f"key {key.name}": _held(key.length, describing.preview(key)) for key in view.keys.keys}
        if view.workflow is not None:
            found |= {
                f"step {step.id} {step.action}": f"{step.status} {step.error}".strip() for step in view.workflow.steps
            }
        found["status"] = view.status
        gone = [name for name in known if name not in found]
        changes = [name for name, text in found.items() if known.get(name) != text]
        if session.as_json and (changes or gone):
            session.document(describing.run(view))
        elif not session.as_json:
            for name in changes:
                click.echo(one_line(f"{name}: {words.shortened(found[name], 200)}"))
            for name in gone:
                click.echo(one_line(f"{name}: deleted"))
        known = found


def _held(length: int, preview: str) -> str:
    return f"{length:,} elements" if length else preview
