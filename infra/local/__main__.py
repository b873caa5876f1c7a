"""Keep a local stack up, say how to use it, and show what functions log: `make local`."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.local.guide import ENVIRONMENT_FILE, guide, write_environment
from infra.local.process import exit_on_signals
from infra.local.project import LocalStackError
from infra.local.stack import LocalStack
from runstore_inspector.problems import InspectorError
from runstore_inspector.starting import StartedPage

if TYPE_CHECKING:
    from collections.abc import Iterator

POLL_SECONDS: Final = 0.2
MAX_PORT: Final = 65_535


def main(arguments: list[str] | None = None) -> int:
    """Run until Ctrl-C or SIGTERM."""
    options = parse(arguments)
    exit_on_signals()
    try:
        with LocalStack.start(
            port=options.port, parameters=options.parameters, wait_scale=options.wait_scale, state=options.keep_state
        ) as stack:
            write_environment(stack, options.environment_file)
            with StartedPage(["--allow-writes"], {**stack.environment(), **stack.names()}) as page:
                print(guide(stack, options.environment_file, options.keep_state, page.url), flush=True)
                for line in follow(stack.function_log):
                    print(line, flush=True)
    except KeyboardInterrupt:
        print("Stopped.")
    except (LocalStackError, InspectorError) as error:
        print(f"local stack: {error}", file=sys.stderr)
        return 1
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("--port", type=port, default=0, help="where it listens; a free port if not given")
    parser.add_argument(
        "--parameters", type=parameters, default={}, metavar="'Name=value Name=value'", help="the template's parameters"
    )
    parser.add_argument(
        "--wait-scale", type=scale, default=1.0, metavar="FACTOR", help="on the seconds of Wait states; 0 skips them"
    )
    parser.add_argument("--keep-state", type=Path, metavar="DIR", help="keep everything in the stack in this folder")
    parser.add_argument("--environment-file", type=Path, default=ENVIRONMENT_FILE, metavar="FILE", help="to source")
    return parser.parse_args(arguments)


def port(text: str) -> int:
    """Return a port's number."""
    if not text.isdecimal() or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"PORT must be a number of 0 to {MAX_PORT:,}; got {text}")
    return int(text)


def scale(text: str) -> float:
    """Return a factor on the time."""
    try:
        factor = float(text)
    except ValueError:
        factor = -1.0
    if not 0 <= factor < float("inf"):
        raise argparse.ArgumentTypeError(f"WAIT_SCALE must be a number of 0 or more; got {text}")
    return factor


def parameters(text: str) -> dict[str, str]:
    """Return the parameters in a text such as `TtlDays=10 StateMachineArns=arn:...,arn:...`."""
    found = {}
    for each in shlex.split(text):
        name, equals, value = each.partition("=")
        if not equals or not name.isalnum():
            raise argparse.ArgumentTypeError(f"PARAMETERS must be Name=value, separated by blanks; got {each}")
        found[name] = value
    return found


def follow(log: Path) -> Iterator[str]:
    """Yield the lines of the functions' log, those to come included; never ends."""
    while not log.exists():
        time.sleep(POLL_SECONDS)
    with log.open(encoding="utf-8") as lines:
        pending = ""
        while True:
            pending += lines.readline()
            if pending.endswith("\n"):
                source, _, text = pending.rstrip("\n").partition("\t")
                yield f"[{source}] {text}"
                pending = ""
            else:
                time.sleep(POLL_SECONDS)  # not a blocking wait: a signal that comes just before would be missed


if __name__ == "__main__":
    sys.exit(main())
