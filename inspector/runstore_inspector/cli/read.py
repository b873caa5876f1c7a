"""Looking at runs: `runs`, `show` and `watch`."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from runstore import clock
from runstore_inspector import executions, overview, reading, scan, words
from runstore_inspector.cli import describing
from runstore_inspector.cli.by_hand import confirm
from runstore_inspector.cli.options import Session, subcommand
from runstore_inspector.cli.tables import Column, print_table
from runstore_inspector.cli.watching import follow
from runstore_inspector.problems import NotFoundError, one_line

if TYPE_CHECKING:
    from runstore_inspector.executions import Execution

SHOWN_ELEMENTS = 100
_REDACT = click.option("--redact", is_flag=True, help="Hide values, elements, counters and errors' texts.")


@subcommand("runs")
@click.option("--machine", "machine_arns", multiple=True, metavar="ARN", help="Only of this state machine; repeatable.")
@click.option("--status", type=click.Choice(executions.STATUSES, case_sensitive=False), help="Only with this status.")
@click.option("--name", default="", metavar="TEXT", help="Only with this in their name.")
@click.option("--limit", default=25, show_default=True, type=click.IntRange(1, 10_000), help="At most so many.")
@click.option("--scan", "whole_table", is_flag=True, help="Find runs by reading the whole table; says what it costs.")
@click.option("--yes", is_flag=True, help="Do not ask before reading the whole table.")
def runs(
    session: Session,
    machine_arns: tuple[str, ...],
    status: str | None,
    name: str,
    limit: int,
    *,
    whole_table: bool,
    yes: bool,
) -> None:
    """List runs with status, age, keys and size, the newest first.

    They are the executions of the state machines in the table's stack. Others are found with --scan.
    """
    if whole_table:
        _scan(session, name, limit, yes=yes)
        return
    found = executions.machines(session.connection, machine_arns)
    listed = list(islice(executions.newest(session.connection, found, status=status, name=name), limit))
    summaries = overview.summaries(session.connection, [run.arn for run in listed])
    if session.as_json:
        documents = [
            describing.execution(run) | describing.summary(keys) for run, keys in zip(listed, summaries, strict=True)
        ]
        session.document({"runs": documents, "machines": list(found.arns), "readUnits": session.meter.read_units})
        return
    columns = (
        Column("status"), Column("run"), Column("machine", cut=True), Column("age", number=True),
        Column("took", number=True), Column("keys", number=True), Column("size", number=True),
    )  # fmt: skip
    rows = [_row(run, keys) for run, keys in zip(listed, summaries, strict=True)]
    if rows:
        print_table(session, columns, rows)
    several = words.count(len(found.arns), "state machine")
    session.note(f"{words.count(len(rows), 'run')} of {several} {found.source}; {spent(session)}")


def _row(run: Execution, keys: reading.Keys) -> tuple[str, ...]:
    more = "+" if keys.following is not None else ""
    exact = not more and all(key.exact for key in keys.keys)
    return (
        run.status,
        run.name,
        run.machine,
        words.age(clock.now() - run.started),
        words.duration(run.seconds),
        f"{len(keys.keys)}{more}",
        words.size(keys.size, exact=exact) if keys.keys else "",
    )


def _scan(session: Session, name: str, limit: int, *, yes: bool) -> None:
    costs = f"reading all of the table {session.connection.table}: {scan.estimate(session.connection)}"
    click.echo(costs, err=True)  # with --json too: a program's user pays as well
    confirm(session, "Read all of it?", yes=yes)
    found = [run for run in scan.scan(session.connection) if name.casefold() in run.id.casefold()]
    if session.as_json:
        documents = [
            {
                "run": run.id,
                "name": executions.name_of(run.id),
                "keys": run.keys,
                "items": run.items,
                "bytes": run.size,
                "expiresAt": words.iso(run.expires_at),
            }
            for run in found[:limit]
        ]
        session.document({"runs": documents, "found": len(found), "readUnits": session.meter.read_units})
        return
    columns = (Column("run"), Column("keys", number=True), Column("items", number=True), Column("size", number=True),
               Column("expires"))  # fmt: skip
    rows = [
        (run.id, f"{run.keys}", f"{run.items}", words.size(run.size), words.moment(run.expires_at or 0))
        for run in found[:limit]
    ]
    if rows:
        print_table(session, columns, rows)
    shown = f", {len(rows):,} shown: see --limit" if len(found) > len(rows) else ""
    session.note(f"{words.count(len(found), 'run')}{shown}; {spent(session)}")


@subcommand("show")
@click.argument("run")
@click.argument("key", required=False)
@click.option("--start", default=0, type=click.IntRange(0), help="Of a list, the first index to show.")
@click.option("--limit", default=SHOWN_ELEMENTS, show_default=True, type=click.IntRange(1), help="At most so many.")
@click.option("--prefix", default="", metavar="TEXT", help="Only keys that begin with this.")
@click.option("--all-steps", is_flag=True, help="All steps, also where reading them costs over 250 read units.")
@_REDACT
def show(
    session: Session,
    run: str,
    key: str | None,
    start: int,
    limit: int,
    prefix: str,
    *,
    all_steps: bool,
    redact: bool,
) -> None:
    """Show a run's keys and values, and of a workflow class its steps and pending waits; or one KEY."""
    found = executions.find(session.connection, run)
    if key is not None:
        _show_key(session, found.id, key, start, limit, redact=redact)
        return
    view = overview.read(session.connection, found, reading.Wanted(prefix=prefix), all_steps=all_steps)
    if redact:
        view = overview.redacted(view)
    if session.as_json:
        session.document(describing.run(view) | {"readUnits": session.meter.read_units})
        return
    describing.print_run(session, view)
    session.note(spent(session))


def _show_key(session: Session, run_id: str, name: str, start: int, limit: int, *, redact: bool) -> None:
    key = reading.read_key(session.connection, run_id, name)
    if key is None:
        raise NotFoundError(f"the key {one_line(name)} is not set in the run {one_line(run_id)}")
    value: Any = None
    if redact:
        key = overview.hidden(key)
    elif key.kind == "list":
        value = session.connection.store(run_id).get_range(name, start, limit)
    else:
        value = json.loads(key.text)
    if session.as_json:
        part = {"start": start, "value": value} if key.kind == "list" and not redact else {}
        session.document(describing.key(key) | part | {"readUnits": session.meter.read_units})
        return
    describing.print_key(session, key, value, start)
    session.note(spent(session))


@subcommand("watch")
@click.argument("run")
@click.option("--interval", default=1.0, show_default=True, type=click.FloatRange(0.1), help="Seconds between looks.")
@_REDACT
def watch(session: Session, run: str, interval: float, *, redact: bool) -> None:
    """Follow a run until it ends: what it holds, its steps and its status.

    Updates in place on a terminal. In a pipe each change is a line, with --json a JSON document.
    """
    follow(session, executions.find(session.connection, run), interval, redact=redact)


def spent(session: Session) -> str:
    """Return what the command has cost so far, in words."""
    return f"cost {words.units(session.meter.read_units)} read units"


COMMANDS = (runs, show, watch)
