"""`python -m tests.bench [TABLE ...]`: measure, and print a table for each subject."""

import argparse
import importlib
import os
import pkgutil
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Protocol, cast

from rich.console import Console
from rich.table import Table

import tests.bench as package
from tests.backends import BackendUnavailableError
from tests.bench.bench import Bench, Row

_PREFIX = "bench_"


class Measuring(Protocol):
    """A module that measures one table."""

    TITLE: str

    def measure(self, bench: Bench) -> Iterator[Row]:
        """Yield the rows."""


def tables() -> dict[str, Measuring]:
    """Return the modules that measure, by the names of their tables."""
    found = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return {
        name.removeprefix(_PREFIX): cast("Measuring", importlib.import_module(f"{package.__name__}.{name}"))
        for name in found
        if name.startswith(_PREFIX)
    }


def main(arguments: list[str]) -> int:
    """Measure what is asked for; return how many targets were missed."""
    known = tables()
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=package.__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"some of: {', '.join(known)}")
    wanted = parser.parse_args(arguments).tables or list(known)
    if unknown := [name for name in wanted if name not in known]:
        parser.error(f"no table {', '.join(unknown)}: there are {', '.join(known)}")
    console = Console(width=None if sys.stdout.isatty() else 170)
    verdicts: Counter[str] = Counter()
    with Bench() as bench:
        for name in wanted:
            verdicts += _show(console, name, known[name], bench)
    told = f"\n{verdicts['met']} targets met, {verdicts['MISSED']} missed, {verdicts['SKIPPED']} tables skipped"
    console.print(told, style="bold")
    load, processors = os.getloadavg()[1], os.cpu_count()
    console.print(f"{load:.0f} tasks wanted this machine's {processors} processors: far more make times worth little")
    return verdicts["MISSED"]


def _show(console: Console, name: str, module: Measuring, bench: Bench) -> Counter[str]:
    table = Table(title=f"{name}: {module.TITLE}", title_justify="left", title_style="bold", show_lines=False)
    for heading in ("what", "measured", "target", ""):
        table.add_column(heading, overflow="fold")
    verdicts: Counter[str] = Counter()
    try:
        with console.status(f"measuring {name} ..."):
            for row in module.measure(bench):
                verdict = "" if row.met is None else "met" if row.met else "MISSED"
                verdicts[verdict] += 1
                table.add_row(row.what, row.measured, row.target, verdict, style="red" if row.met is False else None)
    except BackendUnavailableError as lacking:
        console.print(f"\nSKIPPED {name}: {lacking}")
        verdicts["SKIPPED"] += 1
    if table.row_count:
        console.print()
        console.print(table)
    return verdicts


if __name__ == "__main__":
    main(sys.argv[1:])
