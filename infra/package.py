"""The zip archives that Terraform deploys, made of the same folder as SAM's: `python -m infra.package dist`.

functions.zip holds the entry points, the package and what functions/requirements.txt names; layer.zip the package
alone, in the folder in which Lambda looks for it. Equal files make equal archives.
"""

import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

FUNCTIONS: Final = Path(__file__).parents[1] / "functions"
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the first date that a zip file knows
NOT_SHIPPED: Final = ("__pycache__", "*.pyc")


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


def make_layer(folder: Path) -> None:
    """Lay out the layer in a folder that is not there yet."""
    ignore = shutil.ignore_patterns(*NOT_SHIPPED)
    shutil.copytree(FUNCTIONS / "runstore", folder / "python" / "runstore", ignore=ignore)


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


def main(into: Path) -> None:
    """Write both archives."""
    into.mkdir(parents=True, exist_ok=True)
    for name, make in (("functions.zip", make_bundle), ("layer.zip", make_layer)):
        with tempfile.TemporaryDirectory() as scratch:
            make(Path(scratch) / "content")
            (into / name).write_bytes(zipped(Path(scratch) / "content"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
