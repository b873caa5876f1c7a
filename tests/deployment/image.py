"""The base image of Lambda's Python: pulled where that is possible, else a stand-in made of this machine's parts.

The stand-in holds the machine's own Python with its shared libraries, Lambda's runtime interface client and boto3
from the package index, and the few commands that SAM runs while it adds its emulator. It is made for the own engine
alone: a user's engine never gets an image under a name that is not its real one.
"""

import platform
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.deployment.engine import Engine
from tests.deployment.pythons import MissingToolError, find_python

PYTHON = "3.13"
ARCHITECTURE = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
IMAGE = f"public.ecr.aws/lambda/python:{PYTHON}-{ARCHITECTURE}"
RUNTIME_CLIENT = "awslambdaric==4.2.2"
COMMANDS = ("sh", "mv", "chmod", "cat", "env")
LEFT_OUT = ("site-packages", "test", f"config-{PYTHON}-*", "idlelib", "tkinter", "ensurepip", "_tkinter*")
BOOTSTRAP = f"""\
#!/bin/sh
export PYTHONPATH=/var/task:/opt/python/lib/python{PYTHON}/site-packages:/opt/python:/var/runtime
export LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/task:/opt/lib
export PYTHONUNBUFFERED=1
exec /var/lang/bin/python{PYTHON} -m awslambdaric "$_HANDLER"
"""
ENTRYPOINT = '#!/bin/sh\nexec /var/runtime/bootstrap "$@"\n'
SETTINGS = (
    "ENV PATH=/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin",
    "ENV LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/opt/lib",
    "ENV LAMBDA_TASK_ROOT=/var/task",
    "ENV LAMBDA_RUNTIME_DIR=/var/runtime",
    "ENV LANG=C.UTF-8",
    "WORKDIR /var/task",
    'ENTRYPOINT ["/lambda-entrypoint.sh"]',
)


def provide(engine: Engine) -> None:
    """See to it that the engine has the image.

    Raises:
        MissingToolError: It cannot be pulled, or not be made.
    """
    if not engine.own:
        try:
            engine.run("pull", "--quiet", IMAGE, stderr=subprocess.PIPE)
        except subprocess.CalledProcessError as failure:
            raise MissingToolError(f"needs {IMAGE}, which cannot be pulled: {failure.stderr.strip()}") from failure
        return
    if sys.platform != "linux":
        raise MissingToolError(f"needs {IMAGE}, and a stand-in can be made on Linux alone")
    python = find_python(PYTHON)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "root"
        _make(root, python)
        archive = Path(scratch) / "image.tar"
        subprocess.run([shutil.which("tar") or "", "-C", root, "-cf", archive, "."], check=True)
        changes = [part for setting in SETTINGS for part in ("--change", setting)]
        engine.run("import", *changes, str(archive), IMAGE)


def _make(root: Path, python: Path) -> None:
    for name in ("bin", "tmp", "etc", "opt", "var/task", "var/runtime", "var/rapid", "var/lang/bin", "var/lang/lib"):
        (root / name).mkdir(parents=True)
    root.chmod(0o755)
    (root / "tmp").chmod(0o1777)
    for command in COMMANDS:
        shutil.copy(Path(shutil.which(command) or command).resolve(), root / "bin" / command)
    language, prefix = root / "var" / "lang", python.parents[1]
    shutil.copy(python.resolve(), language / "bin" / python.name)
    (language / "bin" / "python3").symlink_to(python.name)
    for library in (prefix / "lib").glob(f"libpython{PYTHON}.so*"):
        shutil.copy(library, language / "lib" / library.name)
    # With what Python has compiled: a cold start must not compile the standard library.
    shutil.copytree(
        prefix / "lib" / python.name,
        language / "lib" / python.name,
        symlinks=True,
        ignore=shutil.ignore_patterns(*LEFT_OUT),
    )
    packages = language / "lib" / python.name / "site-packages"
    install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--root-user-action=ignore"]
    wanted = [RUNTIME_CLIENT, f"boto3=={version('boto3')}"]
    fetched = subprocess.run(
        [*install, "--target", str(packages), *wanted], capture_output=True, text=True, check=False
    )
    if fetched.returncode != 0:
        raise MissingToolError(f"needs {', '.join(wanted)} from the package index: {fetched.stderr.strip()}")
    for library in _libraries(root, prefix / "lib"):
        target = root / library.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\nsbx_user1051:x:993:990::/tmp:/bin/sh\n")
    (root / "etc" / "group").write_text("root:x:0:\n")
    (root / "etc" / "nsswitch.conf").write_text("hosts: files dns\n")
    _script(root / "var" / "runtime" / "bootstrap", BOOTSTRAP)
    _script(root / "lambda-entrypoint.sh", ENTRYPOINT)


def _libraries(root: Path, own: Path) -> set[Path]:
    """Return the machine's shared libraries that the image's programs need, by the path under which they look."""
    programs = [*(root / "bin").iterdir(), *(root / "var" / "lang" / "bin").glob("python3.*"), *root.rglob("*.so*")]
    told = subprocess.run(
        [shutil.which("ldd") or "", *programs],
        env={"LD_LIBRARY_PATH": str(own)},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = {Path(word) for line in told.splitlines() for word in line.split() if word.startswith("/")}
    return {path for path in found if path.is_file() and not path.is_relative_to(own)}


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
