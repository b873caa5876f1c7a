"""docs/your-app-locally.md, done as it is written: from an empty folder to the second deployment."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.guide import ENVIRONMENT_FILE
from infra.local.interpreters import find_interpreter
from infra.local.project import ROOT
from tests.e2e.test_make_local import Local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = (ROOT / "docs" / "your-app-locally.md").read_text("utf-8")
SAM = ROOT / ".venv-sam" / "bin"
SECONDS = 300.0

pytestmark = pytest.mark.sam


def blocks(language: str) -> list[str]:
    """Return the page's code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


class Reader:
    """Someone who follows the page in an empty folder."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder
        self._path = f"{SAM}:{python.parent}:/usr/bin:/bin"

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
    reader = Reader(tmp_path, python)
    definition, totals, snippet, totals_later = blocks("json")
    reader.write("step/step.py", blocks("python")[0])
    reader.write("step/requirements.txt", blocks("text")[0])
    reader.write("orders.asl.json", definition)
    reader.write("template.yaml", blocks("yaml")[0])
    first, failing, later = blocks("sh")

    output = output_of(reader.run(first)[0])
    assert output["items"] == json.loads(totals)["items"]
    assert max(output["totals"]) == max(json.loads(totals)["totals"])

    listed, said = reader.run(failing)
    assert "ValueError" in said
    assert re.search(r"^FAILED .* my-orders ", listed, re.MULTILINE)

    changed = json.loads(definition)
    changed["States"]["Items"]["ItemProcessor"]["States"] = json.loads(f"{{{snippet}}}")
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
