"""All that `sam local` needs, made with ordinary Docker: `make sam-local`.

Builds the functions for this machine's Python and processor, starts DynamoDB Local in a network that their containers
join, makes the table that template.yaml describes, and writes the environment that points them at it.
"""

import contextlib
import json
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from samtranslator.yaml_helper import yaml_parse

from infra.local.project import ROOT, LocalStackError
from infra.local.server import ACCESS_KEY, REGION

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

SAM: Final = Path(".venv-sam") / "bin" / "sam"
IMAGE: Final = "amazon/dynamodb-local:3.3.1@sha256:ff89bd48ff32cd8d9be5fee8873b65b8854dc408f1afe881be6eb00247bc0dab"
CONTAINER: Final = "runstore-dynamodb"
NETWORK: Final = "runstore-local"
PORT: Final = 8000
TABLE: Final = "runs"
VARIABLES: Final = Path(".aws-sam") / "env.json"
ARCHITECTURE: Final = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
RUNTIME: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
OVERRIDES: Final = ["--parameter-overrides", f"Architecture={ARCHITECTURE} PythonRuntime={RUNTIME}"]
GUIDE: Final = """\
DynamoDB Local is up, with the table {table}. Invoke a function, in a container on the same network:

  {invoke}

tests/events has an event for each. From this machine the table is at {endpoint}. To end it:

  docker rm --force {container}
"""


def main() -> int:
    """Prepare everything, and print the command that invokes a function."""
    try:
        endpoint = prepare()
    except LocalStackError as error:
        print(f"sam-local: {error}", file=sys.stderr)
        return 1
    invoke = shlex.join(invocation("IncrementCounter", Path("tests/events/increment_counter.json")))
    print(GUIDE.format(table=TABLE, invoke=invoke, endpoint=endpoint, container=CONTAINER))
    return 0


def prepare() -> str:
    """Build the functions, start DynamoDB Local, make the table, write the environment; return DynamoDB's URL here.

    Raises:
        LocalStackError: Something is missing or fails; says what.
    """
    docker = shutil.which("docker")
    if docker is None:
        raise LocalStackError("`docker` must be on the PATH, because SAM runs functions in containers; it is not there")
    runtimes = _template()["Parameters"]["PythonRuntime"]["AllowedValues"]
    if RUNTIME not in runtimes:
        raise LocalStackError(
            f"the Python that runs this must be one of {', '.join(runtimes)}; got {RUNTIME}. Run make sam-local "
            "PYTHON=... VENV=..."
        )
    _run([docker, "version", "--format", "{{.Server.Version}}"])  # without a running engine nothing need be built
    _run([str(SAM), "build", *OVERRIDES])
    endpoint = start_dynamodb(docker)
    make_table(client(endpoint))
    variables = {"RUNSTORE_TABLE": TABLE, "AWS_ENDPOINT_URL_DYNAMODB": f"http://{CONTAINER}:{PORT}"}
    (ROOT / VARIABLES).write_text(json.dumps({"Parameters": variables}) + "\n", encoding="utf-8")
    return endpoint


def invocation(function: str, event: Path) -> list[str]:
    """Return the command that invokes a function with an event, in the repository's folder."""
    options = ["--env-vars", str(VARIABLES), "--docker-network", NETWORK, *OVERRIDES]
    return [str(SAM), "local", "invoke", function, "--event", str(event), *options]


def start_dynamodb(docker: str) -> str:
    """Start an empty DynamoDB Local in a container of that name, in place of an older one, and return its URL here."""
    if NETWORK not in _run([docker, "network", "ls", "--format", "{{.Name}}"]).split():
        _run([docker, "network", "create", NETWORK])
    if CONTAINER in _run([docker, "ps", "--all", "--format", "{{.Names}}"]).split():
        _run([docker, "rm", "--force", CONTAINER])
    start = ["run", "--detach", "--rm", "--name", CONTAINER, "--network", NETWORK, "--publish", f"127.0.0.1::{PORT}"]
    _run([docker, *start, IMAGE, "-jar", "DynamoDBLocal.jar", "-inMemory", "-sharedDb", "-disableTelemetry"])
    address = _run([docker, "port", CONTAINER, str(PORT)]).split()[0]
    return f"http://{address}"


def client(endpoint: str) -> "DynamoDBClient":
    """Return a client that is patient with a server that has only just been started."""
    config = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 10})
    return boto3.Session(ACCESS_KEY, ACCESS_KEY, region_name=REGION).client(
        "dynamodb", endpoint_url=endpoint, config=config
    )


def make_table(dynamodb: "DynamoDBClient") -> None:
    """Make the table as template.yaml describes it."""
    properties = _template()["Resources"]["Table"]["Properties"]
    names = ("AttributeDefinitions", "KeySchema", "BillingMode")
    with contextlib.suppress(dynamodb.exceptions.ResourceInUseException):  # when an answer was lost
        dynamodb.create_table(TableName=TABLE, **{name: properties[name] for name in names})
    dynamodb.update_time_to_live(TableName=TABLE, TimeToLiveSpecification=properties["TimeToLiveSpecification"])


def _template() -> Any:
    return yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))


def _run(command: list[str]) -> str:
    """Run a command in the repository's folder and return what it printed; its errors go to the terminal."""
    try:
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    except OSError as error:
        raise LocalStackError(f"{command[0]} cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        raise LocalStackError(f"`{shlex.join(command)}` failed:\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
