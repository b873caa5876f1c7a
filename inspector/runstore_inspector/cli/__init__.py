"""The command `runstore`: one subcommand per thing to do; its options follow it."""

from __future__ import annotations

import click

from runstore import __version__
from runstore_inspector.cli import by_hand, read, serve

EPILOG = """\b
Exit codes: 0 done; 1 not found (a run, a key); 2 wrong usage; 3 AWS refused or could not be reached.
Options follow the subcommand. Everything has --json."""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
    no_args_is_help=True,
)
@click.version_option(__version__, message="runstore %(version)s")
def command() -> None:
    """See runs of a run store and what they hold, and change it by hand.

    RUN is an execution's ARN, its name, or any other run id.
    """


for each in (*read.COMMANDS, *by_hand.COMMANDS, *serve.COMMANDS):
    command.add_command(each)
