"""From values to HTML: everything that was stored is escaped here, by Jinja2 and MarkupSafe, and nowhere else."""

from __future__ import annotations

import json
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from runstore import clock
from runstore_inspector import executions, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstore_inspector.reading import Key

MAX_NODES = 1_500  # parts of a value that are shown as a tree
MAX_TEXT = 2_000  # characters of one text in it
INLINE_BYTES = 1_000  # a larger value has a page of its own
INLINE_PARTS, INLINE_CHARACTERS = 8, 84  # a value up to this is written on one line
STATE_BYTES = 262_144  # what a Step Functions state, and so the function get_value, can hold
COUNTER_DIGITS = 38
_POINTS = 120
_MAX_LINES = 2_000

ICONS = {
    "RUNNING": "running", "SUCCEEDED": "done", "FAILED": "failed", "TIMED_OUT": "failed", "ABORTED": "stopped",
    "PENDING_REDRIVE": "waiting", "OPEN": "running", "EMPTY": "stopped",
    "running": "running", "done": "done", "failed": "failed", "stopped": "stopped", "waiting": "waiting",
    "retrying": "retrying", "caught": "retrying",
}  # fmt: skip
NAMES = {
    "RUNNING": "Running", "SUCCEEDED": "Succeeded", "FAILED": "Failed", "TIMED_OUT": "Timed out", "ABORTED": "Aborted",
    "PENDING_REDRIVE": "Pending redrive", "OPEN": "Open", "EMPTY": "Empty",
}  # fmt: skip


def environment() -> Environment:
    """Return the templates, all with escaping."""
    made = Environment(
        loader=PackageLoader("runstore_inspector.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {
        "age": words.age,
        "duration": words.duration,
        "size": words.size,
        "moment": words.moment,
        "units": words.units,
        "shortened": words.shortened,
        "tree": tree,
        "from_json": json.loads,
        "status_class": lambda status: ICONS.get(status, "stopped"),
        "status_name": lambda status: NAMES.get(status, status.capitalize()),
    }
    made.globals |= {
        "run_url": run_url, "key_url": key_url, "count": words.count, "now": clock.now, "limit_of": limit_of,
        "console_link": executions.console_link, "iso": words.iso, "INLINE_BYTES": INLINE_BYTES,
    }  # fmt: skip
    return made


def run_url(run_id: str, *more: str) -> str:
    """Return the address of a run's page, or of a part of it."""
    return "/".join(("/runs", quote(run_id, safe=""), *more))


def key_url(run_id: str, key: str, start: int = 0) -> str:
    """Return the address of a key's page."""
    address = f"{run_url(run_id, 'key')}?key={quote(key, safe='')}"
    return f"{address}&start={start}" if start else address


def tree(value: Any) -> Markup:
    """Return a JSON value as a tree that folds."""
    return _Tree().node(value, 0)


class _Tree:
    def __init__(self) -> None:
        self.left = MAX_NODES

    def node(self, value: Any, depth: int) -> Markup:
        self.left -= 1
        if isinstance(value, (dict, list)) and value and _is_short(value):
            return self._inline(value)
        if isinstance(value, dict):
            children = [
                Markup('<li><span class="j-key">{}</span>: {}</li>').format(_text(key), self.node(child, depth + 1))
                for key, child in self._while_room(list(value.items()))
            ]
            return self._folded("{", "}", words.count(len(value), "field"), children, len(value), depth)
        if isinstance(value, list):
            children = [
                Markup('<li value="{}">{}</li>').format(index, self.node(child, depth + 1))
                for index, child in self._while_room(list(enumerate(value)))
            ]
            return self._folded("[", "]", words.count(len(value), "element"), children, len(value), depth)
        if isinstance(value, str):
            cut = len(value) > MAX_TEXT
            more = (
                Markup('<span class="j-more">… {}</span>').format(words.count(len(value), "character")) if cut else ""
            )
            return Markup('<span class="j-text">{}</span>{}').format(_text(value[:MAX_TEXT]), more)
        kind = "j-number" if isinstance(value, (int, float)) and not isinstance(value, bool) else "j-word"
        return Markup('<span class="{}">{}</span>').format(kind, json.dumps(value))

    def _inline(self, value: Any) -> Markup:
        """Return a small value on one line."""
        if isinstance(value, dict):
            fields = [
                Markup('<span class="j-key">{}</span>: {}').format(_text(name), self._inline(child))
                for name, child in value.items()
            ]
            return Markup('<span class="j-line">{{{}}}</span>').format(Markup(", ").join(fields))
        if isinstance(value, list):
            return Markup('<span class="j-line">[{}]</span>').format(Markup(", ").join(map(self._inline, value)))
        return self.node(value, 0)

    def _while_room(self, children: list[Any]) -> list[Any]:
        return children[: max(0, self.left)]

    def _folded(self, first: str, last: str, what: str, children: list[Markup], total: int, depth: int) -> Markup:  # noqa: PLR0913, PLR0917 parts of one element
        if not total:
            return Markup('<span class="j-word">{}{}</span>').format(first, last)
        if hidden := total - len(children):
            children.append(Markup('<li class="j-more">… {} more</li>').format(f"{hidden:,}"))
        is_open = Markup(" open") if depth < 2 and total <= 100 else ""  # noqa: PLR2004 what one looks at first
        return Markup(
            '<details class="j"{}><summary>{} <span class="j-count">{}</span> {}</summary><ol>{}</ol></details>'
        ).format(is_open, first, what, last, Markup().join(children))


def _is_short(value: Any) -> bool:
    return len(value) <= INLINE_PARTS and len(json.dumps(value, ensure_ascii=False)) <= INLINE_CHARACTERS


def _text(text: str) -> str:
    """Return a text as JSON writes it, with invisible characters escaped."""
    written = json.dumps(text, ensure_ascii=False)
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in written)


def printable(text: str) -> str:
    """Return a text with invisible characters escaped."""
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def limit_of(key: Key, max_value_bytes: int) -> tuple[float, str]:
    """Return how near a key is to its limit, from 0 to 1, and what that limit is."""
    if key.kind == "list":
        return min(1.0, key.size / STATE_BYTES), f"of the {words.size(STATE_BYTES)} that one get_value can return"
    if key.kind == "number":
        digits = sum(character.isdigit() for character in key.text.lstrip("-0."))
        return min(1.0, digits / COUNTER_DIGITS), f"of the {COUNTER_DIGITS} digits of a counter"
    size = len(key.text.encode("utf-8", "surrogatepass"))
    return min(1.0, size / max_value_bytes), f"of the {words.size(max_value_bytes)} that a value may have"


class Lines:
    """The values of counters while somebody watched them, for the small lines beside them. Safe between threads."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], deque[tuple[float, float]]] = {}
        self._lock = Lock()

    def note(self, run_id: str, keys: Sequence[Key], at: float) -> None:
        """Note the counters' values."""
        with self._lock:
            for key in keys:
                if key.kind == "number":
                    line = self._lines.setdefault((run_id, key.name), deque(maxlen=_POINTS))
                    line.append((at, float(key.text)))
            while len(self._lines) > _MAX_LINES:
                self._lines.pop(next(iter(self._lines)))

    def drawn(self, run_id: str, key: str) -> Markup:
        """Return a counter's line as a picture, nothing until it has moved."""
        with self._lock:
            points = list(self._lines.get((run_id, key), ()))
        values = [value for _, value in points]
        if len(set(values)) < 2:  # noqa: PLR2004 a line needs two points
            return Markup()
        least, most, first, last = min(values), max(values), points[0][0], points[-1][0]
        drawn = " ".join(
            f"{1 + 98 * (at - first) / max(last - first, 1e-9):.1f},{23 - 22 * (value - least) / (most - least):.1f}"
            for at, value in points
        )
        label = f"from {values[0]:g} to {values[-1]:g} in {words.duration(last - first)}"
        return Markup(
            '<svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label="{}">'
            '<title>{}</title><polyline points="{}"></polyline></svg>'
        ).format(label, label, drawn)
