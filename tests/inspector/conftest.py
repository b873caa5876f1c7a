"""A table, a local stack with runs, and the command against them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from infra.local import LocalStack
from runstore import RunStore
from runstore_inspector.cli import command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.backends import Backend


class Cli:
    """The command against one table."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        """Run the command, as in a pipe."""
        done = CliRunner(env=self.environment).invoke(command, arguments, input=stdin)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    def lines(self, *arguments: str, stdin: str | None = None) -> list[str]:
        """Return the lines that a successful command prints on standard output."""
        done = self.run(*arguments, stdin=stdin)
        assert done.exit_code == 0, done.output
        return done.stdout.splitlines()

    def document(self, *arguments: str) -> Any:
        """Return the JSON that a successful command prints."""
        (line,) = self.lines(*arguments, "--json")
        return json.loads(line)

    def failure(self, *arguments: str, stdin: str | None = None) -> tuple[int, str]:
        """Return the exit code and the one line on standard error of a command that fails."""
        done = self.run(*arguments, stdin=stdin)
        *_, last = done.stderr.splitlines()
        assert done.exit_code != 0
        assert not done.stdout
        return done.exit_code, last


@pytest.fixture
def cli(dynamodb_local_backend: Backend) -> Cli:
    """The command against an empty table on DynamoDB Local, which has no Step Functions."""
    return Cli(
        {
            "RUNSTORE_TABLE": dynamodb_local_backend.make_table(),
            "AWS_ENDPOINT_URL": str(dynamodb_local_backend.endpoint_url),
        }
    )


@pytest.fixture
def store(cli: Cli, dynamodb_local_backend: Backend) -> RunStore:
    """The store of the run `r` in that table."""
    return RunStore("r", table_name=cli.environment["RUNSTORE_TABLE"], client=dynamodb_local_backend.client())


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """template.yaml deployed with its defaults, once for a worker's session."""
    with LocalStack.start() as started:
        yield started


@pytest.fixture
def stack_cli(stack: LocalStack) -> Cli:
    """The command against the local stack."""
    return Cli({**stack.environment(), "RUNSTORE_TABLE": stack.table_name})
