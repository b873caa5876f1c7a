"""How large what is deployed is."""

import ast
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from io import BytesIO
from pathlib import Path

from tests.bench.bench import Bench, Row

TITLE = "sizes of what is deployed"
_ROOT = Path(__file__).parents[2]
_FUNCTIONS = _ROOT / "functions"
_REQUIREMENTS = _FUNCTIONS / "requirements.txt"


def measure(_: Bench) -> Iterator[Row]:
    """Build the wheel, and pack what the functions' bundle and the layer hold."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [Path(sys.executable).with_name("hatchling"), "build", "-t", "wheel", "-d", folder],
            cwd=_ROOT,
            check=True,
            capture_output=True,
        )
        (wheel,) = Path(folder).glob("*.whl")
        yield Row("wheel", _kilobytes(wheel.stat().st_size))
    package = {path.relative_to(_FUNCTIONS).as_posix(): path for path in (_FUNCTIONS / "runstore").rglob("*.py")}
    entry_points = {path.name: path for path in _FUNCTIONS.glob("*.py")}
    yield Row("layer (the package alone)", _packed(package))
    transport = {name: path for name, path in package.items() if "/aws_api/" in name or name.endswith("/direct.py")}
    code = f"{len(_zip(transport, _without_words)) / 1_000:.2f} kB without docstrings and comments"
    packed = len(_zip(transport)) / 1_000
    yield Row.at_most("the direct transport's part of layer and bundle", packed, 15, "kB", code)
    lines = _REQUIREMENTS.read_text("utf-8").splitlines()
    for name in (line.partition("==")[0] for line in lines if "==" in line):
        bundled = {
            str(file): Path(str(file.locate()))
            for file in distribution(name).files or ()
            if ".." not in file.parts and "__pycache__" not in file.parts
        }
        yield Row(f"{name}, as a part of the bundle", _packed(bundled))
        entry_points |= bundled
    yield Row("function bundle (package, entry points, the above)", _packed(package | entry_points))


def _packed(files: dict[str, Path]) -> str:
    unpacked = sum(path.stat().st_size for path in files.values())
    return f"{_kilobytes(len(_zip(files)))}, unpacked {_kilobytes(unpacked)}, {len(files)} files"


def _zip(files: dict[str, Path], read: Callable[[Path], bytes] = Path.read_bytes) -> bytes:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, path in files.items():
            packed.writestr(name, read(path))
    return archive.getvalue()


def _without_words(path: Path) -> bytes:
    """Return a module without its docstrings and comments."""
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree).encode()


def _kilobytes(size: int) -> str:
    return f"{size / 1_000:,.0f} kB"
