"""JSON Schemas of the functions' events and results, made from their source: `python -m infra.schemas DIR`.

An event's fields are the arguments of the functions that an entry point passes to `entry_point`, its results are what
the entry point's docstring names after the arrow. Nothing is imported, so that a build needs no dependency for it.
A schema accepts no event that the function refuses for its form. What a schema cannot say stands in a description:
sizes in bytes, and what depends on the run's state.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
FUNCTIONS: Final = ROOT / "functions"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
# Which single operation stands behind `do` in an operation of apply_operations.
OPERATIONS: Final = {
    "get": "get_value",
    "set": "set_value",
    "push": "push_item",
    "increment": "increment_counter",
    "delete": "delete_key",
}
_NO_CONTROL: Final = r"^[^\u0000-\u001f\u007f-\u009f]*$"

Schema = dict[str, Any]


def _limits() -> dict[str, int]:
    """Return the module-level numbers of the modules that check what a caller gives."""
    found: dict[str, int] = {}
    for path in ("model/identifiers.py", "model/values.py", "settings.py", "store.py"):
        for node in ast.parse((FUNCTIONS / "runstore" / path).read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and type(node.value.value) is int:
                found |= {target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)}
    return found


def _text(limit: int, minimum: int = 1, more: str = "") -> Schema:
    size = f"{minimum} to {limit:,}" if minimum else f"at most {limit:,}"
    return {
        "type": "string",
        "minLength": minimum,
        "maxLength": limit,
        "pattern": _NO_CONTROL,
        "description": f"{size} UTF-8 bytes without control characters{more}",
    }


def _fields() -> dict[str, Schema]:
    """Return what each field of an event or a result is, whichever function has it."""
    limits = _limits()
    key = _text(limits["MAX_KEY_BYTES"])
    return {
        "runId": _text(limits["MAX_RUN_ID_BYTES"], more="; $$.Execution.Id in a state machine"),
        "key": key,
        "token": _text(limits["MAX_TOKEN_BYTES"], more="; an operation that is repeated with it counts once"),
        "prefix": _text(limits["MAX_KEY_BYTES"], 0, "; only keys that begin with it"),
        "value": {"description": "any JSON value; what is set has at most RUNSTORE_MAX_VALUE_BYTES of compact JSON"},
        "item": {"description": "any JSON value of at most RUNSTORE_MAX_VALUE_BYTES of compact JSON"},
        "items": {"type": "array", "description": "elements, each as an item"},
        "delta": {"type": "number", "description": "a number that a counter can hold: 38 digits"},
        "start": {"type": "integer", "minimum": 0, "description": "the first element of the part, from 0"},
        "limit": {"type": "integer", "minimum": 0, "description": "the most elements of the part"},
        "ifAbsent": {"type": "boolean", "description": "write only if the key is not set"},
        "operations": {"type": "array", "description": "each as the event of its own function, with do"},
        "found": {"type": "boolean", "description": "whether the key is set"},
        "length": {"type": "integer", "minimum": 0, "description": "the list's length"},
        "deleted": {"type": "integer", "minimum": 0, "description": "how many items were deleted"},
        "retained": {"type": "integer", "minimum": 0, "description": "how many items were kept for a redrive"},
        "status": {"type": "string", "description": "the execution's status"},
        "values": {"type": "object", "propertyNames": key, "description": "each key with its value"},
        "results": {"type": "array", "description": "one for each operation: what its function returns"},
        "accepted": {"type": "boolean", "description": "whether this is the event that counts"},
        "body": {"description": "any JSON value"},
    }


# What a field is in one function, where that is not what it is elsewhere.
SPECIAL: Final[dict[tuple[str, str], Schema]] = {
    ("increment_counter", "value"): {"type": "number", "description": "the new value"},
    ("send_event", "token"): {"type": "string", "minLength": 1, "description": "what wait_for_event returned"},
}

_CHANGE: Final[Schema] = {
    "type": "object",
    "description": "EventBridge's event of a state machine: see Step Functions' documentation",
    "required": ["source", "account", "region", "detail-type", "detail"],
    "properties": {
        "source": {"const": "aws.states"},
        "account": {"type": "string", "description": "that of the execution, and of the function"},
        "region": {"type": "string", "description": "that of the execution, and of the function"},
        "detail-type": {"const": "Step Functions Execution Status Change"},
        "detail": {
            "type": "object",
            "required": ["executionArn", "status"],
            "properties": {
                "executionArn": _text(1_024),
                "status": {"type": "string"},
                "redriveCount": {
                    "type": ["integer", "string", "null"],
                    "minimum": 0,
                    "maximum": 1_000_000,
                    "description": "a number, or its text, as an input transformer makes it",
                },
            },
        },
    },
}


class EntryPoint:
    """What the source of an entry point says about its events and results."""

    def __init__(self, path: Path) -> None:
        tree = ast.parse(path.read_text("utf-8"))
        self.name = path.stem
        self.about = (ast.get_docstring(tree) or "").split("\n\n")[0].replace("\n", " ")
        self._functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        assignments = [node for node in tree.body if isinstance(node, ast.Assign)]
        names = {getattr(target, "id", ""): node.value for node in assignments for target in node.targets}
        self._made_by = names.get("handler")

    @property
    def maker(self) -> str:
        """The name of the function that makes the handler; empty if something else does."""
        made_by = self._made_by
        return made_by.func.id if isinstance(made_by, ast.Call) and isinstance(made_by.func, ast.Name) else ""

    def variants(self) -> Iterator[tuple[list[str], list[str]]]:
        """Yield the required and the optional fields of each variant of the event."""
        arguments = self._made_by.args if isinstance(self._made_by, ast.Call) else []
        for argument in arguments:
            if not isinstance(argument, ast.Name):
                raise TypeError(f"entry_point of {self.name} must be given functions by their names")
            signature = self._functions[argument.id].args
            of_run = self.maker != "plain_entry_point"
            names = [each.arg for each in signature.args][int(of_run) :]
            optional = names[len(names) - len(signature.defaults) :] if signature.defaults else []
            optional += [each.arg for each in signature.kwonlyargs]
            taken = [name for name in names if name not in optional and name != "time_left"]
            yield [*(["runId"] if of_run else []), *taken], [name for name in optional if name != "time_left"]

    def results(self) -> list[list[str]]:
        """Return the fields of each form of the result, as the docstring names them."""
        _, arrow, after = self.about.partition("->")
        if not arrow:
            raise ValueError(f"the docstring of {self.name} must name its result as -> {{field, field}}")
        return [re.findall(r"\w+", form) for form in re.findall(r"\{([^}]*)\}", after)]


def schemas() -> dict[str, Schema]:
    """Return each schema by its name: `push_item.event`, `push_item.result` ..."""
    points = [EntryPoint(path) for path in sorted(FUNCTIONS.glob("*.py"))]
    made = {
        point.name: point
        for point in points
        if point.maker in {"entry_point", "event_entry_point", "plain_entry_point"}
    }
    fields = _fields()
    found: dict[str, Schema] = {}
    for name, point in made.items():
        event = _CHANGE if point.maker == "event_entry_point" else _any_of(_events(point, fields))
        result = _any_of([_object(name, form, [], fields) for form in point.results()])
        found |= {f"{name}.event": event, f"{name}.result": result}
    if apply := found.get("apply_operations.event"):
        operations = [each for do, name in OPERATIONS.items() for each in _operations(do, made[name], fields)]
        for form in apply.get("anyOf", [apply]):
            form["properties"]["operations"] = {
                "type": "array",
                "minItems": 1,
                "maxItems": 100,
                "items": {"anyOf": operations},
            }
    titles = {name: f"The {name.partition('.')[2]} of {name.partition('.')[0]}" for name in found}
    return {name: {"$schema": DIALECT, "title": titles[name], **schema} for name, schema in found.items()}


def _events(point: EntryPoint, fields: dict[str, Schema]) -> list[Schema]:
    return [_object(point.name, required, optional, fields) for required, optional in point.variants()]


def _operations(do: str, point: EntryPoint, fields: dict[str, Schema]) -> Iterator[Schema]:
    """Yield an operation of apply_operations: the event without its run and its token."""
    for required, optional in point.variants():
        own = [name for name in required if name != "runId"], [name for name in optional if name != "token"]
        schema = _object(point.name, *own, fields)
        yield schema | {
            "required": ["do", *schema["required"]],
            "properties": {"do": {"const": do}, **schema["properties"]},
        }


def _object(function: str, required: list[str], optional: list[str], fields: dict[str, Schema]) -> Schema:
    unknown = [name for name in (*required, *optional) if name not in fields]
    if unknown:
        raise ValueError(f"infra/schemas.py must say what {', '.join(unknown)} of {function} is")
    return {
        "type": "object",
        "required": required,
        "properties": {name: SPECIAL.get((function, name), fields[name]) for name in (*required, *optional)},
        "additionalProperties": False,
    }


def _any_of(forms: list[Schema]) -> Schema:
    return forms[0] if len(forms) == 1 else {"anyOf": forms}


def write(folder: Path) -> list[Path]:
    """Write each schema into a file, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, schema in schemas().items():
        files.append(folder / f"{name}.json")
        files[-1].write_text(json.dumps(schema, indent=2) + "\n", "utf-8")
    return files


if __name__ == "__main__":
    write(Path(sys.argv[1]))
