"""Wheel, layer and function bundle: the same folder, nothing else in it, and each works by itself."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra import package, schemas
from runstore import __version__
from tests.backends import Backend
from tests.deployment import sam
from tests.deployment.pythons import SUPPORTED, MissingToolError, find_python

ROOT = Path(__file__).parents[2]
CHECK = Path(__file__).with_name("artefact_check.py")
ENTRY_POINTS = sorted(path.stem for path in (ROOT / "functions").glob("*.py"))
DEPENDENCIES = {"aws_lambda_powertools", "jmespath", "typing_extensions.py"}
LAMBDA_PYTHON = "3.13"
ABOUT = f"runstore-{__version__}.dist-info"


def shipped(folder: Path) -> dict[str, bytes]:
    """Return a folder's files by their path in it."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def source() -> dict[str, bytes]:
    """Return the package's files as they are in the repository."""
    return shipped(ROOT / "functions" / "runstore")


def below(files: dict[str, bytes], folder: str) -> dict[str, bytes]:
    """Return the files below a folder, by their path in it."""
    return {path.removeprefix(folder): content for path, content in files.items() if path.startswith(folder)}


def described(files: dict[str, bytes], folder: str) -> None:
    """Assert that the package's name, version and licence stand beside it."""
    metadata = files[f"{folder}{ABOUT}/METADATA"].decode().partition("\n\n")[0].splitlines()
    assert {"Name: runstore", f"Version: {__version__}", "License-Expression: MIT", "License-File: LICENSE"} <= {
        *metadata
    }
    assert files[f"{folder}{ABOUT}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions' bundle, as Terraform deploys it."""
    folder = tmp_path_factory.mktemp("bundle") / "content"
    package.make_bundle(folder)
    return folder


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer."""
    folder = tmp_path_factory.mktemp("layer") / "content"
    package.make_layer(folder)
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        str(Path(sys.executable).with_name("hatchling")),
        "build",
        "--target",
        "wheel",
        "--directory",
        str(folder),
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def boto3_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with boto3 and what it needs: what Lambda's runtime brings."""
    folder = tmp_path_factory.mktemp("boto3")
    lock = (ROOT / "requirements-dev.lock").read_text("utf-8")
    brought = ("boto3", "botocore", "jmespath", "s3transfer", "urllib3", "python-dateutil", "six")
    pins = [line.split()[0] for line in lock.splitlines() if line.partition("==")[0] in brought]
    install = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*install, "--root-user-action=ignore", "--target", str(folder), *pins], check=True)
    return folder


def check(version: str, path: list[Path], backend: Backend, handlers: list[str]) -> Any:
    """Run the check in a Python that has these folders alone, away from the repository."""
    try:
        python = find_python(version)
    except MissingToolError as missing:
        pytest.skip(str(missing))
    arguments = [str(backend.endpoint_url), backend.make_table(), str(path[0]), *handlers]
    environment = {"PYTHONPATH": ":".join(map(str, path)), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1"}
    command = [str(python), "-S", str(CHECK), *arguments]  # -S: without what that Python has installed
    done = subprocess.run(command, cwd=path[0], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


EXPECTED = {"version": __version__, "result": 2}


def test_the_bundle_holds_the_package_the_entry_points_and_powertools(bundle: Path) -> None:
    """No tests, no infrastructure, nothing compiled, and the package to the letter."""
    files = shipped(bundle)
    assert below(files, "runstore/") == source()
    described(files, "")
    tops = {path.partition("/")[0] for path in files} - {"runstore", "requirements.txt"}
    tops = {name for name in tops if ".dist-info" not in name}
    assert tops == DEPENDENCIES | {f"{name}.py" for name in ENTRY_POINTS}
    assert not [path for path in files if path.endswith((".pyc", ".so"))]


def test_the_layer_holds_the_package_alone(layer: Path) -> None:
    """A user's step gets `runstore`, its metadata and its licence, and no other package from the layer."""
    files = shipped(layer)
    assert below(files, "python/runstore/") == source()
    described(files, "python/")
    assert {path.split("/")[1] for path in files} == {"runstore", ABOUT}


def test_the_wheel_holds_the_package_alone(wheel: Path) -> None:
    """With the wheel pip installs `runstore`, its metadata and its licence, the inspector, and the pytest plugin."""
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    written = {f"schemas/{name}.json": schema for name, schema in schemas.schemas().items()}
    package_files = below(files, "runstore/")
    assert {name: json.loads(package_files.pop(name)) for name in written} == written
    assert package_files == source()
    others = {name.partition("/")[0] for name in files} - {"runstore"}
    # The extra inspector brings what the first needs; the second is a copy, so that pytest starts without the package.
    assert others == {ABOUT, "runstore_inspector", "runstore_pytest_plugin.py"}
    assert files["runstore_pytest_plugin.py"] == package_files["testing/pytest_plugin.py"]
    described(files, "")
    metadata = files[f"{ABOUT}/METADATA"].decode()
    assert "\nDescription-Content-Type: text/markdown\n" in metadata
    assert "# " in metadata.partition("\n\n")[2], "the README is the description"


def test_every_handler_of_the_bundle_works_in_lambda_s_python(
    bundle: Path, boto3_alone: Path, dynamodb_local_backend: Backend
) -> None:
    """With the bundle and boto3 alone every handler can be imported, and one counts."""
    assert check(LAMBDA_PYTHON, [bundle, boto3_alone], dynamodb_local_backend, ENTRY_POINTS) == EXPECTED


@pytest.mark.parametrize("version", SUPPORTED)
def test_the_layer_works(layer: Path, boto3_alone: Path, dynamodb_local_backend: Backend, version: str) -> None:
    """A step of a user's own counts with the layer and the boto3 of its runtime."""
    assert check(version, [layer / "python", boto3_alone], dynamodb_local_backend, []) == EXPECTED


@pytest.mark.parametrize("version", SUPPORTED)
def test_the_wheel_works(
    wheel: Path, tmp_path: Path, boto3_alone: Path, dynamodb_local_backend: Backend, version: str
) -> None:
    """What pip unpacks of the wheel counts, in each supported Python."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    assert check(version, [tmp_path, boto3_alone], dynamodb_local_backend, []) == EXPECTED


@pytest.mark.sam
def test_sam_builds_the_same_with_and_without_its_cache(bundle: Path) -> None:
    """`sam build`, cached or not, makes the bundle and the layer that Terraform deploys."""
    try:
        with sam.scratch() as folder:
            builds = []
            for options in (["--no-cached"], ["--cached"], ["--cached"]):
                sam.build(folder, *options)
                builds.append(shipped(folder / "build"))
    except MissingToolError as missing:
        pytest.skip(str(missing))
    assert builds[0] == builds[1] == builds[2]
    assert below(builds[0], "RunStoreLayer/python/runstore/") == source()
    described(builds[0], "RunStoreLayer/python/")
    theirs = {path.partition("/")[0] for path in shipped(bundle)} - {ABOUT}  # SAM copies the folder and no more
    for function in ("GetValue", "RetireRun"):
        files = below(builds[0], f"{function}/")
        assert below(files, "runstore/") == source()
        assert {path.partition("/")[0] for path in files if ".data/" not in path} == theirs
