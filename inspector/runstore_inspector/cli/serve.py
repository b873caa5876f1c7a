"""The commands `asl` and `ui`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runstore_inspector.cli.options import subcommand

if TYPE_CHECKING:
    from runstore_inspector.cli.options import Session


@subcommand("asl")
def asl(session: Session) -> None:  # noqa: ARG001 it needs no AWS; the options are the same everywhere
    """Print the workflow state machine of this version: workflow.asl.json."""
    from runstore.workflow import state_machine_definition  # noqa: PLC0415 as for send

    click.echo(state_machine_definition(), nl=False)


COMMANDS: tuple[click.Command, ...] = (asl,)
