"""The commands `asl` and `ui`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from runstore_inspector.cli.options import subcommand

if TYPE_CHECKING:
    from runstore_inspector.cli.options import Session

PREFERRED_PORT = 8765


@subcommand("asl")
def asl(session: Session) -> None:  # noqa: ARG001 it needs no AWS; the options are the same everywhere
    """Print the workflow state machine of this version: workflow.asl.json."""
    from runstore.workflow import state_machine_definition  # noqa: PLC0415 no other command needs the workflow engine

    click.echo(state_machine_definition(), nl=False)


@subcommand("ui")
@click.option("--port", type=click.IntRange(0, 65_535), help="The port; 0 for any free one.  [8765, or any]")
@click.option("--allow-writes", is_flag=True, help="Offer to set and delete keys, send events and complete runs.")
@click.option("--redact", is_flag=True, help="Hide values, errors' texts and everything else from a run's data.")
@click.option("--until-stdin-ends", is_flag=True, hidden=True, help="For a program that starts the page.")
def ui(session: Session, port: int | None, *, allow_writes: bool, redact: bool, until_stdin_ends: bool) -> None:
    """See runs as a page in the browser, on this machine alone.

    It listens on 127.0.0.1 until Ctrl-C, and asks AWS with your credentials.
    """
    from runstore_inspector.page import app  # noqa: PLC0415 other commands start faster without a web server
    from runstore_inspector.page.site import Site  # noqa: PLC0415

    site = Site(session.connection, allow_writes, redact)
    listening = app.listen(port, PREFERRED_PORT)
    address = f"http://{app.HOST}:{listening.getsockname()[1]}/"
    if session.as_json:
        click.echo(json.dumps({"url": address, "allowWrites": allow_writes}))
    else:
        mode = "it can change runs" if allow_writes else "it only reads; --allow-writes adds actions"
        click.echo(f"The runs of {session.connection.table} are at {address} ({mode}). Ctrl-C stops it.")
    app.serve(site, listening, sys.stdin.fileno() if until_stdin_ends else None)


COMMANDS: tuple[click.Command, ...] = (asl, ui)
