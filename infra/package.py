"""The zip archives that Terraform deploys: `python -m infra.package dist` writes them, with the checksums of all files.

functions.zip holds the entry points, the package and what functions/requirements.txt names; layer.zip the package
alone, in the folder in which Lambda looks for it; terraform-module.zip the Terraform module with both, and its state
machines. All hold the licence; the first two also the package's metadata, as an installed package has it. Equal files
make equal archives. `python -m infra.package --layer DIR` lays out the layer for `sam build`.
"""

import hashlib
import io
import runpy
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
FUNCTIONS: Final = ROOT / "functions"
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the first date that a zip file knows
NOT_SHIPPED: Final = ("__pycache__", "*.pyc")
CHECKSUMS: Final = "SHA256SUMS"
METADATA: Final = """\
Metadata-Version: 2.4
Name: runstore
Version: {version}
License-Expression: MIT
License-File: LICENSE
"""


def make_bundle(folder: Path) -> None:
    """Lay out the functions' bundle in a folder that is not there yet.

    Raises:
        subprocess.CalledProcessError: pip could not install what the bundle needs; it has said why.
    """
    shutil.copytree(FUNCTIONS, folder, ignore=shutil.ignore_patterns(*NOT_SHIPPED))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    wanted = ["--no-deps", "--require-hashes", "--only-binary=:all:", "-r", str(FUNCTIONS / "requirements.txt")]
    subprocess.run([*command, "--root-user-action=ignore", *wanted, "--target", str(folder)], check=True)  # noqa: S603 our own
    shutil.rmtree(folder / "bin", ignore_errors=True)  # commands, which no function runs
    _describe(folder)


def make_layer(folder: Path) -> None:
    """Lay out the layer in a folder that holds none yet."""
    ignore = shutil.ignore_patterns(*NOT_SHIPPED)
    shutil.copytree(FUNCTIONS / "runstore", folder / "python" / "runstore", ignore=ignore)
    _describe(folder / "python")


def make_module(folder: Path, bundle: Path, layer: Path) -> None:
    """Lay out the Terraform module with everything that it deploys, in a folder that is not there yet."""
    ignore = shutil.ignore_patterns(".terraform*", "*.tfstate*", "tests", "examples")
    shutil.copytree(ROOT / "infra" / "terraform", folder, ignore=ignore)
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE")
    (folder / "statemachines").mkdir()
    workflow = FUNCTIONS / "runstore" / "workflow" / "workflow.asl.json"
    for definition in (*(ROOT / "infra" / "statemachines").glob("*.asl.json"), workflow):
        shutil.copyfile(definition, folder / "statemachines" / definition.name)
    for archive in (bundle, layer):
        shutil.copyfile(archive, folder / archive.name)


def _describe(folder: Path) -> None:
    """Write the metadata and the licence of the package beside it: importlib.metadata finds them there."""
    version = runpy.run_path(str(FUNCTIONS / "runstore" / "_version.py"))["__version__"]
    about = folder / f"runstore-{version}.dist-info"
    (about / "licenses").mkdir(parents=True)
    (about / "METADATA").write_text(METADATA.format(version=version), "utf-8")
    shutil.copyfile(ROOT / "LICENSE", about / "licenses" / "LICENSE")


def zipped(folder: Path) -> bytes:
    """Return a folder's files as a zip archive, without what Python compiled."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                entry = zipfile.ZipInfo(str(file.relative_to(folder)), EPOCH)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())
    return buffer.getvalue()


def checksums(folder: Path) -> str:
    """Return the SHA-256 of each file in a folder, in the form that `sha256sum --check` reads."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name != CHECKSUMS]
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


def main(into: Path) -> None:
    """Write the archives, and the checksums of all that is in the folder then."""
    into.mkdir(parents=True, exist_ok=True)
    for name, make in (("functions.zip", make_bundle), ("layer.zip", make_layer)):
        with tempfile.TemporaryDirectory() as scratch:
            make(Path(scratch) / "content")
            (into / name).write_bytes(zipped(Path(scratch) / "content"))
    with tempfile.TemporaryDirectory() as scratch:
        make_module(Path(scratch) / "content", into / "functions.zip", into / "layer.zip")
        (into / "terraform-module.zip").write_bytes(zipped(Path(scratch) / "content"))
    (into / CHECKSUMS).write_text(checksums(into), "utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "--layer":
        make_layer(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]))
