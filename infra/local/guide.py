"""How to use a local stack from another terminal: a file to source, and commands that work as they are printed."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.local.project import ROOT

if TYPE_CHECKING:
    from infra.local.stack import LocalStack

ENVIRONMENT_FILE: Final = ROOT / ".local.env"
# Variables of the shell that would go before those that are set here, or beside them.
CLEARED: Final = ("AWS_PROFILE", "AWS_SESSION_TOKEN")
GUIDE: Final = """\
The stack of template.yaml is up on {endpoint}. {end}
Its runs in the browser: {page}

In another terminal, from any folder:

  source {file}

Then `sam deploy`, boto3, Terraform and the AWS CLI, version 2, reach it. For example, with nothing but this repository:

  {runstore} increment my-run n
  {runstore} show my-run
  {python} -c 'from runstore import RunStore; print(RunStore("my-run").snapshot())'

With the AWS CLI, version 2:

  aws stepfunctions start-execution --state-machine-arn "$ORDER_FANOUT" \\
    --input '{{"customer": {{"id": 1}}, "line_items": [{{"id": "a"}}, {{"id": "b"}}], "delaySeconds": 1}}'
  aws stepfunctions list-executions --state-machine-arn "$ORDER_FANOUT" --query 'executions[].[name, status]'
  aws lambda invoke --function-name "$INCREMENT_COUNTER" --cli-binary-format raw-in-base64-out \\
    --payload '{{"runId": "my-run", "key": "n"}}' /dev/stdout

An app of your own: docs/your-app-locally.md. What functions log follows here.
"""


def guide(stack: LocalStack, file: Path, state: Path | None, page: str) -> str:
    """Return what `make local` prints once the stack is up."""
    end = "Ctrl-C stops it and everything in it." if state is None else f"Ctrl-C stops it; {state} keeps its state."
    programs = Path(sys.executable).parent
    return GUIDE.format(
        endpoint=stack.endpoint,
        page=page,
        end=end,
        file=shlex.quote(str(file)),
        runstore=shlex.quote(str(programs / "runstore")),
        python=shlex.quote(sys.executable),
    )


def write_environment(stack: LocalStack, file: Path) -> None:
    """Write shell lines that point boto3, the AWS CLI and this package at the stack."""
    variables = {**stack.environment(), **stack.names()}
    for name, value in stack.outputs.items():
        if value.startswith("arn:"):
            variables[variable_name(name)] = value
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    text = "\n".join(["# Written by `make local`: source it.", f"unset {' '.join(CLEARED)}", *lines])
    file.write_text(f"{text}\n", encoding="utf-8")


def variable_name(output: str) -> str:
    """Return the variable for an output of the template: `IncrementCounterFunctionArn` is INCREMENT_COUNTER."""
    words = re.findall(r"[A-Z][a-z0-9]*", re.sub(r"(Function)?Arn$", "", output))
    return "_".join(word.upper() for word in words)
