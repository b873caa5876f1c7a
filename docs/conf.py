"""The docs site: `make docs` builds it from these pages, the README and the package's docstrings."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS: Final = Path(__file__).parent
ROOT: Final = DOCS.parent
REPOSITORY: Final = os.environ.get("REPOSITORY_URL", "").rstrip("/")  # where links to files outside docs/ lead

sys.path.insert(0, str(ROOT / "functions"))

project = "runstore"
copyright = "the runstore authors"  # noqa: A001 Sphinx's name for it
release = (ROOT / "functions/runstore/_version.py").read_text("utf-8").split('"')[-2]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "_site"]

html_theme = "furo"
html_title = f"runstore {release}"
html_show_sphinx = False
html_copy_source = False

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "undoc-members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # a class's own docstring documents its attributes

# Pages whose source lies outside docs/; each is included by a page of that name.
_INCLUDED: Final = {
    "README.md": "index",
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "SECURITY.md": "reporting",
}
_LINK: Final = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>(?!\w+:|#)[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")


def _rewritten(text: str, folder: Path) -> str:
    """Return a page with its links out of docs/ leading to pages of the site, or to the repository."""

    def link(found: re.Match[str]) -> str:
        target = (folder / found["target"]).resolve()
        anchor = found["anchor"] or ""
        if not target.exists():
            return found[0]  # Sphinx reports it
        inside = target.relative_to(ROOT).as_posix()
        if found["picture"]:
            return f"![{found['text']}](/{target.relative_to(DOCS).as_posix()})"
        if inside in _INCLUDED:
            return f"[{found['text']}](/{_INCLUDED[inside]}.md{anchor})"
        if target.is_relative_to(DOCS) and target.suffix in {".md", ".png"}:
            return f"[{found['text']}](/{target.relative_to(DOCS).as_posix()}{anchor})"
        if REPOSITORY:
            return f"[{found['text']}]({REPOSITORY}/{'tree' if target.is_dir() else 'blob'}/HEAD/{inside})"
        return f"`{inside}`" if found["text"].startswith("`") else f"{found['text']} (`{inside}`)"

    return _LINK.sub(link, text)


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    """Put the included file in the place of its page, and rewrite the links."""
    page = Path(app.env.doc2path(name))
    for file, included in _INCLUDED.items():
        if name == included:
            text = (ROOT / file).read_text("utf-8")
            source[0] = _rewritten(text, ROOT) + "\n" + source[0].partition("\n")[2]
            if name == "index":
                source[0] += _unlisted(source[0])
            return
    if page.suffix == ".md":
        source[0] = _rewritten(source[0], page.parent)


def _unlisted(index: str) -> str:
    """Return a list of the pages that index.md does not place, so that a new page is never lost."""
    pages = sorted({page.stem for page in DOCS.glob("*.md")} - set(index.splitlines()) - {"index"})
    return "\n```{toctree}\n:hidden:\n:caption: More\n\n" + "\n".join(pages) + "\n```\n" if pages else ""


def _docstring(_app: Sphinx, what: str, name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Turn a docstring's Markdown into what Sphinx reads, and report one that is missing."""
    if not any(line.strip() for line in lines) and "._" not in name:
        from sphinx.util import logging  # noqa: PLC0415 only where something is wrong

        logging.getLogger(__name__).warning("%s %s has no docstring", what, name)
    lines[:] = _restructured(lines, drawings=what == "module")


def _restructured(lines: list[str], *, drawings: bool) -> list[str]:
    """Return Markdown as reStructuredText: code in backticks, fenced code, and what a module's docstring draws."""
    result: list[str] = []
    fenced, before = False, ""
    for line in lines:
        stripped = line.strip()
        if stripped.startswith("```"):
            language = stripped.removeprefix("```") or "text"
            result += [""] if fenced else [line.replace(stripped, f".. code-block:: {language}"), ""]
            fenced = not fenced
        elif fenced:
            result.append(f"    {line}")
        else:
            if drawings and line.startswith(" ") and not before.startswith(" "):
                result += ["::", ""]
            code = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", line)
            result.append(re.sub(r"\b([A-Z_]+_)(?!\w)", r"``\1``", code))
        before = line
    return result


def _skip(_app: Sphinx, _what: str, name: str, found: object, skip: bool, _options: Any) -> bool | None:  # noqa: FBT001 Sphinx's
    """Leave out attributes: the class's docstring has them."""
    return skip if callable(found) or isinstance(found, property) or name.startswith("runstore") else True


def setup(app: Sphinx) -> None:
    """Register the hooks."""
    app.connect("autodoc-skip-member", _skip)
    app.connect("source-read", _read)
    app.connect("autodoc-process-docstring", _docstring)
