"""Tables: with lines and colours on a terminal, aligned text in a pipe."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from rich import box
from rich.table import Table
from rich.text import Text

from runstore_inspector.problems import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstore_inspector.cli.options import Session

STATUS_STYLES = {
    "RUNNING": "blue",
    "running": "blue",
    "waiting": "cyan",
    "retrying": "yellow",
    "caught": "yellow",
    "SUCCEEDED": "green",
    "done": "green",
    "FAILED": "bold red",
    "failed": "bold red",
    "TIMED_OUT": "bold red",
    "ABORTED": "magenta",
    "stopped": "magenta",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, whether numbers are in it, and what gives way where there is no room.

    `wrap` folds its texts into several lines, `cut` ends them with an ellipsis; without either they stay whole.
    """

    heading: str
    number: bool = False
    wrap: bool = False
    cut: bool = False


def print_table(session: Session, columns: Sequence[Column], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Print a table for a terminal, or plain text for a pipe. Control characters in its texts become spaces."""
    safe = [[one_line(cell) for cell in row] for row in rows]
    if session.terminal:
        session.print(rich_table(columns, safe, title))
    else:
        for line in plain_lines(columns, safe):
            click.echo(line)


def rich_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], title: str = "") -> Table:
    """Return a table for a terminal."""
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(
            column.heading,
            justify="right" if column.number else "left",
            no_wrap=not (column.wrap or column.cut),
            overflow="fold" if column.wrap else "ellipsis",
            header_style="dim",
        )
    for row in rows:
        cells = []
        for cell, column in zip(row, columns, strict=True):
            text = Text(one_line(cell), style=STATUS_STYLES.get(cell, ""))
            text.no_wrap = True if column.cut else None
            cells.append(text)
        table.add_row(*cells)
    return table


def plain_lines(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return aligned lines without colours: two spaces between columns, a heading first."""
    table = [[column.heading.upper() for column in columns], *rows]
    widths = [max(_width(row[number]) for row in table) for number in range(len(columns))]
    return [
        "  ".join(
            _padded(cell, width, left=not column.number)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ).rstrip()
        for row in table
    ]


def _padded(text: str, width: int, *, left: bool) -> str:
    space = " " * (width - _width(text))
    return text + space if left else space + text


def _width(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
