"""`make local` as a user runs it: what it prints, writes and keeps."""

from __future__ import annotations

import http.client
import re
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore import xform_name

from tests.e2e.test_programs import children, is_gone, start
from tests.e2e.waiting import SECONDS, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAST_LINE = "What functions log follows here.\n"


class Local:
    """A running `make local`."""

    def __init__(self, program: subprocess.Popen[str], file: Path) -> None:
        assert program.stdout is not None
        self.program = program
        self.file = file
        self.printed = ""
        while not self.printed.endswith(LAST_LINE):
            line = program.stdout.readline()
            assert line, program.communicate()[1]
            self.printed += line

    def shell(self, command: str) -> str:
        """Run a command in a shell that has sourced the file, in another folder."""
        script = f"source {shlex.quote(str(self.file))}\n{command}"
        shell = ["bash", "-euo", "pipefail", "-c", script]
        plain = {"PATH": "/usr/bin:/bin", "AWS_PROFILE": "someone-elses", "AWS_SESSION_TOKEN": "stale"}
        return subprocess.run(
            shell, cwd="/", env=plain, capture_output=True, text=True, check=True, timeout=SECONDS
        ).stdout

    def stop(self) -> None:
        """Press Ctrl-C and wait for the end, which leaves no process behind."""
        programs = children(self.program.pid)
        self.program.send_signal(signal.SIGINT)
        self.program.communicate(timeout=SECONDS)
        assert self.program.returncode == 0
        assert len(programs) == 2
        assert all(map(is_gone, programs))


@contextmanager
def local(file: Path, *options: str) -> Iterator[Local]:
    """Run `make local` until the test ends it."""
    with start("-m", "infra.local", "--environment-file", str(file), *options) as program:
        yield Local(program, file)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """One `make local` for the tests that only look at it."""
    with local(tmp_path_factory.mktemp("local") / "local.env") as stack:
        yield stack
        stack.stop()


@pytest.fixture
def port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number: int = listener.getsockname()[1]
        return number


def test_what_is_printed_works_as_it_is_printed(running: Local) -> None:
    """After the file is sourced, each command with a path runs from any folder, whatever else the shell has set."""
    commands = re.findall(r"^  (/.+)$", running.printed, re.MULTILINE)
    answers = [running.shell(command) for command in commands]
    assert len(answers) == 3
    assert answers[0].strip() == "1"
    assert re.search(r"\bn\b", answers[1])
    assert answers[2].strip() == "{'n': 1}"
    (page,) = re.findall(r"^Its runs in the browser: (http://127\.0\.0\.1:\d+/)$", running.printed, re.MULTILINE)
    address = urlsplit(page)
    connection = http.client.HTTPConnection(address.netloc, timeout=SECONDS)
    connection.request("GET", "/runs/my-run")
    assert "my-run" in connection.getresponse().read().decode()
    connection.close()


def test_the_aws_commands_are_those_of_version_2(running: Local) -> None:
    """The version is named, and each command and option exists; the names they use are in the file."""
    assert "the AWS CLI, version 2" in running.printed
    variables = running.file.read_text("utf-8")
    joined = running.printed.replace("\\\n", " ")
    commands = [shlex.split(line) for line in joined.splitlines() if line.startswith("  aws ")]
    assert len(commands) == 3
    for _aws, service, operation, *arguments in commands:
        model = botocore.session.get_session().get_service_model(service)
        (name,) = [each for each in model.operation_names if xform_name(each, "-") == operation]
        shape = model.operation_model(name).input_shape
        known = {f"--{xform_name(member, '-')}" for member in (shape.members if shape else {})}
        options = {argument for argument in arguments if argument.startswith("--")}
        assert options <= known | {"--query", "--cli-binary-format"}
        used = {argument.strip("$") for argument in arguments if argument.startswith("$")}
        assert all(f"export {each}=" in variables for each in used)


def test_functions_logs_are_shown(running: Local) -> None:
    """What a function logs is printed with its name."""
    code = "import boto3,os; boto3.client('lambda').invoke(FunctionName=os.environ['SET_VALUE'], Payload=b'{}')"
    running.shell(f'{sys.executable} -c "{code}"')
    assert running.program.stdout is not None
    assert any(line.startswith("[runstore-SetValue-") for line in running.program.stdout)


def test_a_port_and_a_folder_keep_the_stack_from_one_start_to_the_next(tmp_path: Path, port: int) -> None:
    """The second start is on the same port, has the items of the first, and deploys what has changed since."""
    options = ["--port", str(port), "--keep-state", str(tmp_path / "state"), "--wait-scale", "0"]
    file = tmp_path / "local.env"
    increment = f"{sys.executable} -m runstore_inspector increment kept n"
    show = (
        "import boto3,os; print(boto3.client('lambda').get_function_configuration("
        "FunctionName=os.environ['GET_VALUE'])['Environment']['Variables']['RUNSTORE_TTL_DAYS'])"
    )
    for days, count in (("10", "1"), ("20", "2")):
        with local(file, *options, "--parameters", f"TtlDays={days}") as stack:
            assert f"http://127.0.0.1:{port}" in stack.printed
            assert stack.shell(increment).strip() == count
            assert stack.shell(f'{sys.executable} -c "{show}"').strip() == days
            stack.stop()


def test_sigterm_leaves_no_process(tmp_path: Path) -> None:
    """The stack, the page that shows its runs and the functions end with the program, as they do after Ctrl-C."""
    with local(tmp_path / "local.env") as stack:
        programs = children(stack.program.pid)  # the stack, and the page
        functions = [function for program in programs for function in children(program)]
        stack.program.send_signal(signal.SIGTERM)
        stack.program.communicate(timeout=SECONDS)
    assert stack.program.returncode == 128 + signal.SIGTERM
    assert len(programs) == 2
    assert all(map(is_gone, programs))
    assert functions
    assert eventually(lambda: all(is_gone(function) for function in functions))


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--port", "65536"], "PORT must be a number of 0 to 65,535; got 65536"),
        (["--port", "http"], "PORT must be a number of 0 to 65,535; got http"),
        (["--wait-scale", "-1"], "WAIT_SCALE must be a number of 0 or more; got -1"),
        (["--wait-scale", "nan"], "WAIT_SCALE must be a number of 0 or more; got nan"),
        (["--parameters", "TtlDays"], "PARAMETERS must be Name=value, separated by blanks; got TtlDays"),
    ],
)
def test_a_wrong_option_says_what_it_must_be(options: list[str], fault: str) -> None:
    """Exit code 2, and a line that says what must hold and what came."""
    command = [sys.executable, "-m", "infra.local", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 2
    assert fault in done.stderr


def test_a_port_in_use_and_an_unknown_parameter_are_one_line(tmp_path: Path, port: int) -> None:
    """Exit code 1, and one line on standard error."""
    command = [sys.executable, "-m", "infra.local", "--environment-file", str(tmp_path / "env")]
    unknown = "PARAMETERS must name parameters of template.yaml; got Ttldays"
    with socket.create_server(("127.0.0.1", port)):
        in_use = f"port {port} of 127.0.0.1 must be free; Address already in use"
        for options, fault in ((["--port", str(port)], in_use), (["--parameters", "Ttldays=1"], unknown)):
            done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=SECONDS)
            assert (done.returncode, done.stdout, done.stderr) == (1, "", f"local stack: {fault}\n")
