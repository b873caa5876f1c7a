"""How the package is installed, in every document: `python -m infra.installation` writes it, `make format` runs that.

The commands differ before and after the first release. `PUBLISHED` is the only switch. A document holds them between
two comments; the names of extras stand in the first:

    <!-- install handlers -->
    <!-- /install -->
"""

import re
from pathlib import Path
from typing import Final

PUBLISHED: Final = False  # True as soon as the package index has the first release

ROOT: Final = Path(__file__).parents[1]
_BLOCK: Final = re.compile(r"(<!-- install(?: ([a-z,]+))? -->\n).*?(<!-- /install -->)", re.DOTALL)


def documents() -> list[Path]:
    """Return the documents that may say how to install the package."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def command(extras: str | None, *, published: bool = PUBLISHED) -> str:
    """Return the command that installs the package with these extras, separated by commas."""
    chosen = f"[{extras}]" if extras else ""
    if published:
        return f"pip install 'runstore{chosen}'" if extras else "pip install runstore"
    return f'make build && pip install "$(echo dist/runstore-*.whl){chosen}"    # not on the package index yet'


def written(text: str, *, published: bool = PUBLISHED) -> str:
    """Return a document with the command in each place for it."""
    return _BLOCK.sub(
        lambda found: f"{found[1]}```console\n{command(found[2], published=published)}\n```\n{found[3]}", text
    )


def main() -> None:
    """Write the commands into all documents."""
    for path in documents():
        text = path.read_text("utf-8")
        if written(text) != text:
            path.write_text(written(text), "utf-8")


if __name__ == "__main__":
    main()
