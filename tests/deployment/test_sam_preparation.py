"""`make sam-local`: what it asks of Docker and SAM, which stand-ins note here, and what it leaves for `sam local`."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import sam
from infra.local.project import ROOT
from runstore import RunStore
from tests.backends import Backend

STAND_IN = """#!/bin/sh
echo "$0 $@" >> {log}
case "$1 $2" in
  "network ls") echo bridge {networks} ;;
  "ps --all") echo {containers} ;;
  "port {container}") echo {address}; echo "[::1]:1" ;;
  "version --format") exit {engine} ;;
  "run --detach") exit {status} ;;
esac
"""


class Machine:
    """A machine with stand-ins for docker and sam, and the commands that they were given."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self._address = folder, address
        self.install()

    def install(self, *, networks: str = "", containers: str = "", status: int = 0, engine: int = 0) -> None:
        """Put the stand-ins in place."""
        for name in ("docker", "sam"):
            script = self.folder / name
            values = {"networks": networks, "containers": containers, "status": status, "engine": engine}
            text = STAND_IN.format(log=self._log, container=sam.CONTAINER, address=self._address, **values)
            script.write_text(text, "utf-8")
            script.chmod(0o755)

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def commands(self) -> list[str]:
        """Return the commands so far, in order."""
        return self._log.read_text("utf-8").replace(f"{self.folder}/", "").splitlines()


@pytest.fixture
def machine(dynamodb_local_backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A machine on which the container's port is DynamoDB Local's."""
    made = Machine(tmp_path, str(dynamodb_local_backend.endpoint_url).removeprefix("http://"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(sam, "SAM", tmp_path / "sam")
    monkeypatch.setattr(sam, "VARIABLES", tmp_path / "env.json")
    yield made
    client = dynamodb_local_backend.client()
    if sam.TABLE in client.list_tables()["TableNames"]:
        client.delete_table(TableName=sam.TABLE)
    client.close()


def test_everything_is_there_for_sam_local(
    machine: Machine, dynamodb_local_backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    """The functions are built, the table takes the store's items, and containers on the network are told where."""
    assert sam.main() == 0
    asked = machine.commands()
    build = f"sam build --parameter-overrides Architecture={sam.ARCHITECTURE} PythonRuntime={sam.RUNTIME}"
    assert asked[1] == build
    (run,) = [command for command in asked if command.startswith("docker run")]
    assert f"--name {sam.CONTAINER} --network {sam.NETWORK} --publish 127.0.0.1::8000 {sam.IMAGE}" in run
    assert asked.index(f"docker network create {sam.NETWORK}") < asked.index(run)
    assert not [command for command in asked if command.startswith("docker rm")]

    store = RunStore("run", table_name=sam.TABLE, client=dynamodb_local_backend.client())
    assert store.push("results", 1) == 1
    variables = json.loads(sam.VARIABLES.read_text("utf-8"))["Parameters"]
    endpoint = f"http://{sam.CONTAINER}:8000"
    assert variables == {"RUNSTORE_TABLE": sam.TABLE, "AWS_ENDPOINT_URL_DYNAMODB": endpoint}
    shown = capsys.readouterr().out
    assert (
        f"local invoke IncrementCounter --event tests/events/increment_counter.json --env-vars {sam.VARIABLES}" in shown
    )
    assert f"--docker-network {sam.NETWORK} " in shown


def test_it_can_be_run_again(machine: Machine) -> None:
    """An older container makes way for an empty one; the network is used again."""
    machine.install(networks=sam.NETWORK, containers=f"other {sam.CONTAINER}")
    assert sam.main() == 0
    asked = machine.commands()
    assert f"docker network create {sam.NETWORK}" not in asked
    removed = asked.index(f"docker rm --force {sam.CONTAINER}")
    assert [command for command in asked[removed:] if command.startswith("docker run")]


def test_what_fails_is_said(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """A container that does not start ends it with the command that failed, and no environment is written."""
    machine.install(status=1)
    assert sam.main() == 1
    assert f"--name {sam.CONTAINER}" in capsys.readouterr().err
    assert not sam.VARIABLES.exists()


def test_without_a_running_engine_nothing_is_built(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """A docker that reaches no engine ends it at once, with the command that failed."""
    machine.install(engine=1)
    assert sam.main() == 1
    assert "docker version" in capsys.readouterr().err
    assert not [command for command in machine.commands() if command.startswith("sam build")]


def test_a_machine_without_docker_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without Docker nothing is built, and one line says what is missing."""
    monkeypatch.setenv("PATH", "")
    assert sam.main() == 1
    assert "`docker` must be on the PATH" in capsys.readouterr().err


def test_the_real_sam_takes_the_command() -> None:
    """Every option of the printed command is one that `sam local invoke` has."""
    program = ROOT / sam.SAM
    if not program.exists():
        pytest.skip("needs SAM CLI, which `make check` installs")
    told = subprocess.run([program, "local", "invoke", "--help"], capture_output=True, text=True, check=True).stdout
    command = sam.invocation("GetValue", Path("event.json"))
    assert [option for option in command if option.startswith("--") and option not in told] == []
