"""The pages for readers: their code blocks and tables."""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def read(page: str) -> str:
    """Return a page's text."""
    return (ROOT / page).read_text(encoding="utf-8")


def fenced(page: str, language: str) -> list[str]:
    """Return a page's code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", read(page), flags=re.DOTALL)


def run(page: str, *blocks: int) -> dict[str, Any]:
    """Run Python blocks of a page, one after the other as one module, and return what they define."""
    namespace: dict[str, Any] = {"__name__": page}
    code = fenced(page, "python")
    for block in blocks:
        exec(compile(code[block], page, "exec"), namespace)  # noqa: S102 the page's own code
    return namespace


def state(page: str, block: int = 0) -> dict[str, Any]:
    """Return a JSON block of a page that shows members of an object, as that object."""
    loaded: dict[str, Any] = json.loads(f"{{{fenced(page, 'json')[block]}}}")
    return loaded
