"""Terraform as a user runs it: the module of infra/terraform, applied to ministack through the provider's endpoints.

The provider comes from TF_PLUGIN_DIR, from where Terraform itself looks for a filesystem mirror, or from its
registry; where it cannot be had, the proofs are skipped.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.deployment.pythons import MissingToolError

ROOT = Path(__file__).parents[2]
PROVIDER = Path("registry.terraform.io") / "hashicorp" / "aws"
# Where Terraform's documentation has filesystem mirrors, and where machines without a network often keep them.
MIRRORS = (
    Path.home() / ".terraform.d" / "plugins",
    Path.home() / ".local" / "share" / "terraform" / "plugins",
    Path("/usr/local/share/terraform/plugins"),
    Path("/usr/share/terraform/plugins"),
    *sorted(Path("/opt").glob("*")),
)
SERVICES = ("cloudwatch", "cloudwatchlogs", "dynamodb", "events", "iam", "lambda", "sfn", "sqs", "sts")
CHANGES = 2  # what `plan -detailed-exitcode` answers when it would change something


class Terraform:
    """A root module that uses ours, in a folder of its own."""

    def __init__(self, folder: Path, endpoint: str, bundle: Path, layer: Path) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._files = {"bundle": str(bundle), "layer": str(layer)}

    def init(self) -> None:
        """Fetch the provider.

        Raises:
            MissingToolError: Terraform is missing, or the provider cannot be had.
        """
        self._configure({})
        mirror = _mirror()
        options = [f"-plugin-dir={mirror}"] if mirror else []
        done = self._run("init", "-backend=false", *options)
        if done.returncode != 0:
            reason = " ".join(done.stderr.split())[:300]
            raise MissingToolError(f"needs Terraform's provider hashicorp/aws, which cannot be had here: {reason}")

    def apply(self, **variables: Any) -> None:
        """Deploy with these variables of the module."""
        self._configure(variables)
        self._checked("apply", "-auto-approve")

    def changes(self, **variables: Any) -> str | None:
        """Return what a plan with these variables would change now, None if nothing."""
        self._configure(variables)
        done = self._run("plan", "-detailed-exitcode")
        if done.returncode not in {0, CHANGES}:
            raise AssertionError(f"terraform plan failed:\n{done.stderr}")
        return done.stdout if done.returncode == CHANGES else None

    def refusal(self, **variables: Any) -> str:
        """Return what a plan says against these variables, in one line."""
        self._configure(variables)
        done = self._run("plan", "-refresh=false")
        assert done.returncode != 0, f"terraform takes {variables}"
        return " ".join(done.stderr.replace("│", " ").split())

    def outputs(self) -> Any:
        """Return the module's outputs."""
        return json.loads(self._checked("output", "-json"))["runstore"]["value"]

    def resources(self, **variables: Any) -> list[dict[str, Any]]:
        """Return what the module is to be with these variables, as a plan on top of what is deployed tells it.

        What cannot be known before it is applied is missing.
        """
        self._configure(variables)
        self._checked("plan", "-out=plan")  # with its refresh: the state after an apply lacks computed documents
        shown = json.loads(self._checked("show", "-json", "plan"))
        (module,) = shown["planned_values"]["root_module"]["child_modules"]
        resources: list[dict[str, Any]] = module["resources"]
        return resources

    def _configure(self, variables: Mapping[str, Any]) -> None:
        local = {"region": "us-east-1", "access_key": "test", "secret_key": "test", "max_retries": 4}
        local |= {"skip_credentials_validation": True, "skip_metadata_api_check": "true"}
        source = os.path.relpath(ROOT / "infra" / "terraform", self._folder)
        configuration = {
            "provider": {"aws": local | {"endpoints": dict.fromkeys(SERVICES, self._endpoint)}},
            "module": {"runstore": {"source": source, **self._files, **variables}},
            "output": {"runstore": {"value": "${module.runstore}"}},
        }
        (self._folder / "main.tf.json").write_text(json.dumps(configuration), "utf-8")

    def _checked(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode != 0:
            raise AssertionError(f"terraform {arguments[0]} failed:\n{done.stderr}")
        return done.stdout

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        terraform = shutil.which("terraform")
        if terraform is None:
            raise MissingToolError("needs Terraform, and there is no `terraform` here")
        quiet = [] if arguments[0] in {"show", "output"} else ["-input=false"]
        return subprocess.run(
            [terraform, arguments[0], "-no-color", *quiet, *arguments[1:]],
            cwd=self._folder,
            env={**os.environ, "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": _configuration_file()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def deployed_to(endpoint: str, bundle: Path, layer: Path) -> Iterator[Terraform]:
    """Yield the module, ready to be applied to the AWS at `endpoint`.

    Raises:
        MissingToolError: Terraform is missing, or the provider cannot be had.
    """
    cache = ROOT / ".cache"
    cache.mkdir(exist_ok=True)
    # Inside the repository: Terraform copies a module with an absolute path, without the files beside it.
    with tempfile.TemporaryDirectory(dir=cache, prefix="terraform-") as folder:
        terraform = Terraform(Path(folder), endpoint, bundle, layer)
        terraform.init()
        yield terraform


def run_in(folder: Path, command: str) -> str:
    """Initialise a module in its folder, run a command of Terraform there, and return what it printed."""
    mirror = _mirror()
    printed = ""
    for arguments in (["init", "-backend=false", *([f"-plugin-dir={mirror}"] if mirror else [])], [command]):
        done = subprocess.run(
            [shutil.which("terraform") or "terraform", arguments[0], "-no-color", *arguments[1:]],
            cwd=folder,
            env={**os.environ, "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": _configuration_file()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"terraform {arguments[0]} failed:\n{done.stdout}\n{done.stderr}"
        printed = done.stdout
    return printed


def _mirror() -> Path | None:
    """Return the first filesystem mirror that has the provider."""
    named = os.environ.get("TF_PLUGIN_DIR")
    for place in ([Path(named)] if named else []) + list(MIRRORS):
        if (place / PROVIDER).is_dir():
            return place
    return None


def _configuration_file() -> str:
    """Return the user's configuration of Terraform, which may name a mirror too; a name without a file is an error."""
    named = os.environ.get("TF_CLI_CONFIG_FILE", "")
    return named if Path(named).is_file() else os.devnull
