"""The shape of the repository: who imports whom, what is public, and that files stay readable in one go."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions"
MAX_LINES = 350

PUBLIC = {
    "ConfigurationError",
    "CounterRangeError",
    "IncompleteCompletionError",
    "InvalidKeyError",
    "InvalidRequestError",
    "InvalidRunIdError",
    "InvalidTokenError",
    "InvalidValueError",
    "JSON",
    "KeyTypeMismatchError",
    "ResultTooLargeError",
    "RunStore",
    "RunStoreError",
    "Settings",
    "Store",
    "ThrottledError",
    "TransientError",
    "TransportChoice",
    "UnavailableError",
    "ValueTooLargeError",
    "__version__",
    "transport_choice",
}

# The rooms of the package, in the order of imports: a room imports only rooms above it, for types too. `runstore` is
# the package's own list of public names; ENTRY stands for every entry point.
ENTRY = "entry points"
ROOMS = [
    "runstore._version",
    "runstore.errors",
    "runstore.settings",
    "runstore.clock",
    "runstore.model",
    "runstore.interface",
    "runstore.aws_api",
    "runstore.dynamodb",
    "runstore.protocol",
    "runstore.lifecycle",
    "runstore.store",
    "runstore",
    "runstore.aws_lambda",
    "runstore.workflow",
    "runstore.testing",
    ENTRY,
]

# What Lambda's runtime and functions/requirements.txt bring.
BUNDLED = {"aws_lambda_powertools", "boto3", "botocore"}
TESTING = "runstore.testing"  # never imported in Lambda
# Types alone, never imported when the code runs.
TYPES_ONLY = {"types_boto3_dynamodb"}


def modules() -> dict[str, Path]:
    """Return each module of functions/ by its name in Lambda, where functions/ is the root."""
    found = {}
    for path in sorted(FUNCTIONS.rglob("*.py")):
        parts = path.relative_to(FUNCTIONS).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(module: str) -> Iterator[str]:
    """Yield the full name of all that a module imports, types included."""
    path = modules()[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{origin}.{name.name}" for name in node.names)


@cache
def own_imports(module: str) -> frozenset[str]:
    """Return the modules of functions/ that a module imports directly; `from runstore import errors` is one."""
    known = modules()
    names = imports(module)
    named = {name if name in known else name.rpartition(".")[0] for name in names}
    return frozenset(named & known.keys() - {module})


def reached(module: str) -> set[str]:
    """Return all that a module imports, directly or not."""
    seen: set[str] = set()
    pending = [module]
    while pending:
        new = own_imports(pending.pop()) - seen
        seen |= new
        pending += new
    return seen


def room(module: str) -> str:
    """Return the room that a module is in."""
    top, *rest = module.split(".")
    return ENTRY if top != "runstore" else ".".join([top, *rest[:1]])


def test_every_room_has_its_place() -> None:
    """The rooms that are named exist, and no other does."""
    assert {room(module) for module in modules()} == set(ROOMS)


@pytest.mark.parametrize("name", ROOMS)
def test_imports_go_one_way(name: str) -> None:
    """A room imports only rooms above it, also where it imports nothing but types."""
    above = ROOMS[: ROOMS.index(name) + 1]
    wrong = [
        f"{module} imports {other}"
        for module in modules()
        if room(module) == name
        for other in own_imports(module)
        if room(other) not in above
    ]
    assert not wrong


def test_no_module_imports_itself_in_a_circle() -> None:
    """No module needs itself, directly or not, inside its room either and for types either."""
    assert not [module for module in modules() if module in reached(module)]


def test_errors_import_only_the_standard_library() -> None:
    """The errors can be imported anywhere at no cost."""
    assert {name.partition(".")[0] for name in imports("runstore.errors")} <= sys.stdlib_module_names


def test_the_bundle_holds_all_that_the_functions_import() -> None:
    """What runs in Lambda imports the package, Powertools, boto3 and the standard library; no infra, no tests."""
    allowed = sys.stdlib_module_names | BUNDLED | TYPES_ONLY | modules().keys()
    foreign = [
        f"{module} imports {name}"
        for module in modules()
        for name in imports(module)
        if name.partition(".")[0] not in (allowed | {"pytest"} if module.startswith(TESTING) else allowed)
    ]
    assert not foreign


def test_importing_the_package_imports_no_more_than_the_store_needs() -> None:
    """`import runstore` in a user's step pays for no handler, Powertools, workflow or test helper."""
    code = "import sys, runstore; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=FUNCTIONS, capture_output=True, text=True, check=True
    ).stdout.split()
    spared = (
        "aws_lambda_powertools",
        "runstore.aws_lambda.entry_point",
        "runstore.testing",
        "runstore.workflow",
        "types_",
    )
    assert "runstore" in loaded
    assert not [name for name in loaded if name.startswith(spared)]


def test_the_public_names_are_the_documented_ones() -> None:
    """What users may import stands in `__all__`, exists, and changes only together with this list."""
    import runstore  # noqa: PLC0415 a package that cannot be imported must fail this test alone

    assert set(runstore.__all__) == PUBLIC
    assert len(runstore.__all__) == len(PUBLIC)
    assert not [name for name in runstore.__all__ if not hasattr(runstore, name)]


SOURCES = [
    path for folder in ("functions", "infra", "inspector", "tests") for path in sorted((ROOT / folder).rglob("*.py"))
]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_can_be_read_in_one_go(path: Path) -> None:
    """A file that grows past this has two subjects."""
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES
