"""JSONPath and intrinsic functions, as far as the state machine uses them. A missing path is an error, as on AWS."""

import re
import uuid
from typing import Any

_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")
_FORMAT = re.compile(r"States\.Format\('([^']*)', States\.UUID\(\)\)")


class StatesError(Exception):
    """An error with the name that Retry and Catch match, and a cause."""

    def __init__(self, name: str, cause: str = "") -> None:
        super().__init__(f"{name}: {cause}")
        self.name, self.cause = name, cause


def find(path: str, data: Any, context: Any) -> Any:
    """Return what a reference path names, in the input (`$`) or the context object (`$$`)."""
    if path.startswith("$$"):
        path, data = path[1:], context
    if path == "$":
        return data
    position = 1
    for step in _STEP.finditer(path):
        if step.start() != position:
            break
        position = step.end()
        try:
            data = data[step[1]] if step[1] else data[int(step[2])]
        except (KeyError, IndexError, TypeError):
            raise StatesError("States.Runtime", f"the path {path!r} is not in the input") from None
    if position != len(path):
        raise NotImplementedError(f"the path {path!r}")
    return data


def fill(template: Any, data: Any, context: Any) -> Any:
    """Return a payload template with its paths and intrinsic functions resolved."""
    if isinstance(template, list):
        return [fill(part, data, context) for part in template]
    if not isinstance(template, dict):
        return template
    filled = {}
    for name, part in template.items():
        if not name.endswith(".$"):
            filled[name] = fill(part, data, context)
        elif part.startswith("$"):
            filled[name[:-2]] = find(part, data, context)
        elif found := _FORMAT.fullmatch(part):
            filled[name[:-2]] = found[1].replace("{}", str(uuid.uuid4()))
        else:
            raise NotImplementedError(f"the intrinsic function {part!r}")
    return filled


def put(path: str | None, data: Any, result: Any) -> Any:
    """Return the input with a result at a ResultPath; `$` replaces it, null drops the result."""
    if path == "$":
        return result
    if path is None:
        return data
    found = re.fullmatch(r"\$\.(\w+)", path)
    if not found or not isinstance(data, dict):
        raise NotImplementedError(f"the ResultPath {path!r}")
    return data | {found[1]: result}
