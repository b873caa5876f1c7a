"""The figures of a proof: how much was tried. `make prove` collects them and puts them into the documentation.

python -m tests.proofs RECORD PAGE     replace the table of figures in PAGE by the sums of RECORD
"""

import json
import os
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

RECORD = "PROOF_RECORD"  # the environment variable that names the file to write to, when figures are wanted
LONGER = 10  # times as many random inputs
BEGIN, END = "<!-- figures of make prove: begin -->", "<!-- figures of make prove: end -->"


def record(**figures: int) -> None:
    """Add to the figures, each named by what was counted; one line, so that parallel tests do not mix theirs."""
    if RECORD in os.environ:
        with Path(os.environ[RECORD]).open("a") as file:
            file.write(json.dumps(figures) + "\n")


def inputs(short: int) -> int:
    """Return how many random inputs a test tries: more when figures are wanted."""
    return LONGER * short if RECORD in os.environ else short


def table(lines: list[str]) -> str:
    """Return the sums of what was recorded, as a table in Markdown."""
    sums: Counter[str] = Counter()
    for line in lines:
        sums.update(json.loads(line))
    rows = [f"| {name.replace('_', ' ')} | {count:,} |" for name, count in sorted(sums.items())]
    return "\n".join(["| tried | number |", "|---|---|", *rows])


def publish(source: Path, page: Path) -> None:
    """Put the figures where the page marks their place."""
    text = page.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    day = datetime.now(UTC).date().isoformat()
    figures = table(source.read_text().splitlines())
    page.write_text(f"{before}{BEGIN}\n`make prove`, {day}, all passed:\n\n{figures}\n{END}{after}")


if __name__ == "__main__":
    publish(Path(sys.argv[1]), Path(sys.argv[2]))
