"""docs/your-app-locally.md, done as it is written: from an empty folder to the second deployment."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.guide import ENVIRONMENT_FILE
from infra.local.interpreters import find_interpreter
from infra.local.project import ROOT
from tests.e2e.test_make_local import Local
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = (ROOT / "docs" / "your-app-locally.md").read_text("utf-8")
SAM = ROOT / ".venv-sam" / "bin"
SECONDS = 300.0
# Stands in for the AWS CLI, which is not installed: the same operations and options, called through boto3.
AWS = """\
#!{python}
import json, sys, boto3
service, operation, *options = sys.argv[1:]
names = [option.removeprefix("--").split("-") for option in options[::2]]
given = {{name[0] + "".join(word.title() for word in name[1:]): value for name, value in zip(names, options[1::2])}}
answer = getattr(boto3.client(service), operation.replace("-", "_"))(**given)
print(json.dumps(answer, default=str))
"""

pytestmark = pytest.mark.sam


def blocks(language: str) -> list[str]:
    """Return the page's code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


class Reader:
    """Someone who follows the page in an empty folder."""

    def __init__(self, folder: Path, tools: Path, python: Path) -> None:
        self.folder = folder
        self._path = f"{tools}:{SAM}:{python.parent}:/usr/bin:/bin"
        folder.mkdir()
        tools.mkdir()
        (tools / "aws").write_text(AWS.format(python=sys.executable), "utf-8")
        (tools / "aws").chmod(0o755)

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")

    def run(self, commands: str) -> tuple[str, str]:
        """Run a block of commands; return what it printed to standard output and to standard error."""
        script = f"source {ENVIRONMENT_FILE}\n{commands.replace('/path/to/runstore', str(ROOT))}"
        own = {"PATH": self._path, "HOME": str(self.folder), "SAM_CLI_TELEMETRY": "0"}
        shell = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(
            shell, cwd=self.folder, env=own, capture_output=True, text=True, check=False, timeout=SECONDS
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, done.stderr


@pytest.fixture
def local() -> Iterator[Local]:
    """The page's first command, on a port that is free here."""
    (command,) = re.findall(r"^    (make local PORT=4566 PARAMETERS=.*)$", PAGE, re.MULTILINE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    words = ["bash", "-c", f"exec {command.replace('4566', str(port))}"]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as program:
        try:
            yield Local(program, ENVIRONMENT_FILE)
        finally:
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGINT)
            program.communicate(timeout=SECONDS)


def output_of(printed: str) -> Any:
    """Return the output that `sam remote invoke` has printed last."""
    return json.loads(printed[printed.rindex('{"items"') :])


def test_the_page_leads_from_an_empty_folder_to_a_second_deployment(tmp_path: Path, local: Local) -> None:
    """Files, commands and outputs are those of the page; a step without the layer fails as on AWS."""
    python = find_interpreter("python3.13")
    if python is None or not (SAM / "sam").exists():
        pytest.skip("needs SAM CLI, which `make test-sam` installs, and Python 3.13 for `sam build`")
    reader = Reader(tmp_path / "my-app", tmp_path / "tools", python)
    definition, totals, snippet, totals_later = blocks("json")
    step, unit_test = blocks("python")
    reader.write("step/step.py", step)
    reader.write("step/requirements.txt", blocks("text")[0])
    reader.write("orders.asl.json", definition)
    reader.write("template.yaml", blocks("yaml")[0])
    reader.write("test_step.py", unit_test)
    unit, first, failing, stopping, later = blocks("sh")

    assert "2 passed" in reader.run(unit)[0]
    assert output_of(reader.run(first)[0]) == json.loads(totals)

    listed, said = reader.run(failing)
    assert "ValueError" in said
    assert re.search(r"^FAILED .* my-orders ", listed, re.MULTILINE)

    start, stop = re.split("^(?=aws stepfunctions stop-execution)", stopping, flags=re.MULTILINE)
    assert "RUNNING" in reader.run(start)[0]
    (show,) = set(re.findall(r"^/.* show slow$", start, re.MULTILINE))
    assert eventually(lambda: '"a"' in reader.run(show)[0])
    stopped = reader.run(stop)[0]
    assert "ABORTED" in stopped
    assert '"a"' in stopped
    assert '"b"' not in stopped
    changed = json.loads(definition)
    changed["States"]["Items"]["ItemProcessor"]["States"] |= json.loads(f"{{{snippet}}}")
    reader.write("orders.asl.json", json.dumps(changed))
    assert output_of(reader.run(later)[0]) == json.loads(totals_later)

    without = re.sub(r"\n +Layers: .*", "", blocks("yaml")[0])
    assert without != blocks("yaml")[0]
    reader.write("template.yaml", without)
    reader.write("orders.asl.json", definition)
    assert "Runtime.ImportModuleError" in reader.run(later)[1]

    assert local.program.stdout is not None
    os.killpg(local.program.pid, signal.SIGINT)  # as Ctrl-C does: to make, and to what it has started
    shown = local.program.stdout.read()
    assert re.search(r"^\[my-app-ProcessItem-\w+\] processing a$", shown, re.MULTILINE)
