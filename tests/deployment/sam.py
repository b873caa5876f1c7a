"""SAM CLI as a user runs it: build, invoke, start-lambda."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from tests.backends.backend import REGION
from tests.backends.server import HOST, running
from tests.deployment.engine import Engine
from tests.deployment.image import ARCHITECTURE, PYTHON
from tests.deployment.pythons import MissingToolError, find_python

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "tests" / "events"
SAM = ROOT / ".venv-sam" / "bin" / "sam"
EMULATION_SECONDS = 300
# A cold container on a machine that has more to do takes longer than a function on AWS ever does.
SLOW = {"SAM_CLI_CONTAINER_CONNECTION_TIMEOUT": str(EMULATION_SECONDS)}


def environment(engine: Engine | None = None) -> dict[str, str]:
    """Return what `sam` needs: no telemetry, no account, and the Python of the functions on PATH.

    Raises:
        MissingToolError: SAM CLI or that Python is missing.
    """
    if not SAM.exists():
        raise MissingToolError("needs SAM CLI, which `make test-sam` and `make check` install")
    base = dict(engine.environment) if engine else dict(os.environ)
    return (
        base
        | SLOW
        | {
            "PATH": f"{find_python(PYTHON).parent}{os.pathsep}{base['PATH']}",
            "SAM_CLI_TELEMETRY": "0",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": REGION,
        }
    )


def build(folder: Path, *options: str) -> Path:
    """Run `sam build` into a folder and return the template that it wrote.

    Raises:
        MissingToolError: SAM CLI or the functions' Python is missing.
        RuntimeError: The build failed; holds what SAM said.
    """
    into = ["--build-dir", str(folder / "build"), "--cache-dir", str(folder / "cache")]
    overrides = ["--parameter-overrides", f"Architecture={ARCHITECTURE}"]
    _run(["build", *into, *overrides, *options], environment())
    return folder / "build" / "template.yaml"


class SamLocal:
    """The functions in containers, over a table that they can reach."""

    def __init__(self, engine: Engine, built: Path, table_name: str, dynamodb_port: str) -> None:
        self._environment = environment(engine)
        self._folder = built.parent
        template = self._folder / "emulated.yaml"
        template.write_text(_patient(built.read_text("utf-8")), "utf-8")
        variables = self._folder / "variables.json"
        endpoint = f"http://{engine.host}:{dynamodb_port}"
        emulated = {"RUNSTORE_TABLE": table_name, "AWS_ENDPOINT_URL_DYNAMODB": endpoint}
        variables.write_text(json.dumps({"Parameters": emulated}), "utf-8")
        self._options = [
            *["--template", str(template), "--env-vars", str(variables)],
            *["--parameter-overrides", f"Architecture={ARCHITECTURE}"],
            *(["--skip-pull-image"] if engine.own else []),
        ]

    def invoke(self, function: str, event: Path) -> Any:
        """Run `sam local invoke` with an event file and return the function's answer."""
        told = _run(["local", "invoke", function, "--event", str(event), *self._options], self._environment)
        return json.loads(told.strip().splitlines()[-1])

    @contextmanager
    def lambda_client(self) -> Iterator["LambdaClient"]:
        """Run `sam local start-lambda` and yield a boto3 client of it."""

        def command(port: int) -> list[str]:
            kept = ["--warm-containers", "LAZY"]
            return [str(SAM), "local", "start-lambda", "--host", HOST, "--port", str(port), *kept, *self._options]

        with running(command, environment=lambda _port: self._environment) as server:
            yield boto3.client(
                "lambda",
                endpoint_url=server.url,
                region_name=REGION,
                config=Config(read_timeout=EMULATION_SECONDS, retries={"total_max_attempts": 1}),
            )


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield an empty folder below the repository's ignored cache: SAM wants its template's paths near each other."""
    cache = ROOT / ".cache"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="sam-") as folder:
        yield Path(folder)


def _patient(template: str) -> str:
    """Return the template with time-outs for a machine that emulates; the time-outs are AWS's to enforce."""
    return "\n".join(
        f"{line.partition('Timeout:')[0]}Timeout: {EMULATION_SECONDS}" if line.strip().startswith("Timeout:") else line
        for line in template.splitlines()
    )


def _run(arguments: list[str], variables: dict[str, str]) -> str:
    done = subprocess.run(
        [str(SAM), *arguments],
        cwd=ROOT,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"sam {arguments[0]} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout
