"""A function on the local stack sees what it would see on Lambda, and fails under the same names."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from infra.local.interpreters import OWN_RUNTIME, find_interpreter
from infra.local.packages import RUNTIME_LOCK
from tests.e2e.lambdas import Lambdas, archive

if TYPE_CHECKING:
    from infra.local import LocalStack

# Lambda's page on environment variables: what is defined, plus the endpoint of the local stack.
LAMBDA_VARIABLES = {
    "_HANDLER",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_XRAY_CONTEXT_MISSING",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "PATH",
    "TZ",
}
SHOW = """
import os, sys
def handler(event, context):
    return {
        "variables": dict(os.environ), "path": sys.path, "version": list(sys.version_info[:2]), "folder": os.getcwd(),
        "name": context.function_name, "memory": context.memory_limit_in_mb, "arn": context.invoked_function_arn,
        "left": context.get_remaining_time_in_millis(), "group": context.log_group_name,
    }
"""


@pytest.fixture(scope="module")
def functions(stack: LocalStack) -> Lambdas:
    """Functions of the tests' own. They end with the stack."""
    return Lambdas(stack)


def test_the_variables_are_those_of_lambda_and_the_functions_own(functions: Lambdas) -> None:
    """Nothing of the emulator's environment or of this project's reaches a function, and what Lambda sets is there."""
    seen = functions.run(SHOW, Environment={"Variables": {"OWN": "x"}}, MemorySize=512)
    variables = seen["variables"]
    assert set(variables) == LAMBDA_VARIABLES | {"OWN"}
    assert variables["OWN"] == "x"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == seen["name"]
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == seen["memory"] == "512"
    assert variables["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{OWN_RUNTIME}"
    assert variables["AWS_LAMBDA_LOG_GROUP_NAME"] == seen["group"] == f"/aws/lambda/{seen['name']}"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", variables["AWS_LAMBDA_LOG_STREAM_NAME"])
    assert variables["AWS_ENDPOINT_URL"] == variables["AWS_ENDPOINT_URL_DYNAMODB"] == functions.stack.endpoint
    assert variables["LAMBDA_TASK_ROOT"] == seen["folder"] == seen["path"][0]
    assert seen["arn"].endswith(f":function:{seen['name']}")
    assert 20_000 < seen["left"] <= 30_000


def test_a_function_has_no_packages_but_its_own_and_the_runtimes(functions: Lambdas) -> None:
    """The import path holds the bundle, the layers, the runtime's packages and the standard library."""
    path = functions.run(SHOW)["path"]
    assert not [folder for folder in path if folder.endswith("site-packages") and "/unpacked/" not in folder]
    assert not [folder for folder in path if ".venv" in folder or folder.endswith("/functions")]


@pytest.mark.parametrize("module", ["runstore", "pytest", "aws_lambda_powertools", "infra.local"])
def test_a_missing_import_fails_as_on_lambda(functions: Lambdas, module: str) -> None:
    """A function whose bundle lacks a package fails, though this repository's environment has it."""
    answer = functions.run(f"import {module}\ndef handler(event, context): pass")
    assert answer["errorType"] == "Runtime.ImportModuleError"
    assert answer["errorMessage"] == f"Unable to import module 'app': No module named '{module.partition('.')[0]}'"
    assert answer["stackTrace"] == []


def test_the_runtime_brings_boto3_as_it_is_locked(functions: Lambdas) -> None:
    """boto3 needs no bundle, and its version is that of the runtime's own lock."""
    code = "import boto3, botocore\ndef handler(event, context): return [boto3.__version__, boto3.__file__]"
    version, file = functions.run(code)
    assert f"boto3=={version} " in RUNTIME_LOCK.read_text("utf-8")
    assert ".venv" not in file


def test_a_bundle_may_bring_a_boto3_of_its_own(functions: Lambdas) -> None:
    """The bundle comes before the runtime's packages, also before those that the process has imported already."""
    package = archive(app="import boto3\ndef handler(event, context): return boto3.WHOSE", boto3="WHOSE = 'bundle'")
    assert functions.run(package) == "bundle"


def test_the_bundle_comes_first_and_the_last_layer_before_the_others(functions: Lambdas) -> None:
    """A module is looked for in the bundle, then in the layers, where a later one overwrites an earlier one."""
    code = "import a, b, c, d\ndef handler(event, context): return [a.WHO, b.WHO, c.WHO, d.WHO]"
    package = archive(app=code, a="WHO = 'bundle'")
    modules = {f"python__{name}": "WHO = 'first'" for name in "abc"}
    nested = f"python__lib__{OWN_RUNTIME}__site-packages__d"
    first = functions.layer(archive(**modules))
    second = functions.layer(archive(python__b="WHO = 'second'", **{nested: "WHO = 'site-packages'"}))
    assert functions.run(package, Layers=[first, second]) == ["bundle", "second", "first", "site-packages"]


@pytest.mark.parametrize("runtime", ["python3.11", "python3.12", "python3.13"])
def test_a_function_runs_in_the_python_that_it_names(functions: Lambdas, runtime: str) -> None:
    """Each runtime is that interpreter of the machine."""
    if find_interpreter(runtime) is None:
        pytest.skip(f"{runtime} is not on this machine")
    assert functions.run(SHOW, Runtime=runtime)["version"] == [int(part) for part in runtime[6:].split(".")]


def test_a_python_that_the_machine_lacks_is_warned_of_once(functions: Lambdas) -> None:
    """A function whose interpreter is missing runs in this project's own, and the log says so one time."""
    runtime = "python3.14"
    if find_interpreter(runtime):
        pytest.skip(f"{runtime} is on this machine")
    for _ in range(2):
        functions.run(SHOW, Runtime=runtime)
    log = functions.stack.function_log.read_text("utf-8")
    assert log.count(f"WARNING\t{runtime} is not installed here: its functions run in {OWN_RUNTIME}\n") == 1


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [
        ("def handler(event, context) return", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app': "),
        ("other = 1", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ("raise KeyError('TABLE')", "KeyError", "'TABLE'"),
        ("def handler(event, context): return {1, 2}", "Runtime.MarshalError", "Unable to marshal response: "),
        ("def handler(event, context): raise LookupError('no')", "LookupError", "no"),
        ("import sys\ndef handler(event, context): sys.exit(3)", "Runtime.ExitError", "exit status 3"),
        ("import os\ndef handler(event, context): os.kill(os.getpid(), 9)", "Runtime.ExitError", "signal: killed"),
        ("def handler(event, context): return 'x' * 7_000_000", "Function.ResponseSizeTooLarge", "6291556 bytes"),
    ],
)
def test_failures_have_the_names_that_lambda_gives_them(functions: Lambdas, code: str, name: str, message: str) -> None:
    """What Step Functions matches in ErrorEquals is the same here and there."""
    answer = functions.run(code)
    assert answer["errorType"] == name
    assert message in answer["errorMessage"]


def test_a_function_that_runs_too_long_is_ended(functions: Lambdas) -> None:
    """The time-out has Lambda's name, and the next invocation finds a new process."""
    code = "import time\ndef handler(event, context): return time.sleep(event)"
    name = functions.create(code, Timeout=1)
    answer = functions.invoke(name, 60)
    assert answer["errorType"] == "Sandbox.Timedout"
    assert answer["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert functions.invoke(name, 0) is None


def test_what_a_function_prints_and_logs_is_in_its_log(functions: Lambdas) -> None:
    """Standard output, standard error and the root logger reach CloudWatch Logs; INFO is below Lambda's default."""
    code = """
import logging, sys
print("while importing")
def handler(event, context):
    print("printed")
    print("to standard error", file=sys.stderr)
    logging.warning("warned")
    logging.info("below the default level")
    sys.stdout.write("without an end")
"""
    name = functions.create(code)
    functions.invoke(name)
    logs = functions.stack.client("logs")
    found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    lines = [event["message"] for event in found]
    assert [line for line in lines if line in code] == [
        "while importing",
        "printed",
        "to standard error",
        "without an end",
    ]
    assert re.fullmatch(r"\[WARNING\]\t\S+Z\t[0-9a-f-]{36}\twarned", lines[-4])
    assert "below the default level" not in str(lines)
    assert f"{name}\tprinted\n" in functions.stack.function_log.read_text("utf-8")


def test_a_new_version_of_the_code_and_of_a_layer_is_used_at_once(functions: Lambdas) -> None:
    """After an update of its code or of its layers no invocation meets the old ones."""
    layers = [functions.layer(archive(python__shared=f"VALUE = {number}")) for number in (1, 2)]
    code = "import shared\ndef handler(event, context): return [{}, shared.VALUE]"
    name = functions.create(archive(app=code.format(1)), Layers=layers[:1])
    assert functions.invoke(name) == [1, 1]
    functions.client.update_function_code(FunctionName=name, ZipFile=archive(app=code.format(2)))
    assert functions.invoke(name) == [2, 1]
    functions.client.update_function_configuration(FunctionName=name, Layers=layers[1:])
    assert functions.invoke(name) == [2, 2]


def test_functions_that_invoke_functions_do_not_wait_for_each_other(functions: Lambdas) -> None:
    """More callers than run at once all get their answers: what a function invokes needs no place in the queue."""
    inner = functions.create("def handler(event, context): return event + 1")
    outer = functions.create(f"""
import boto3, json
client = boto3.client("lambda")
def handler(event, context):
    answer = client.invoke(FunctionName="{inner}", Payload=json.dumps(event).encode())
    return json.loads(answer["Payload"].read())
""")
    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(lambda number: functions.invoke(outer, number), range(20))) == list(range(1, 21))


def test_a_process_serves_one_invocation_after_the_other(functions: Lambdas) -> None:
    """The second invocation finds the module as the first has left it."""
    code = "count = 0\ndef handler(event, context):\n    global count\n    count += 1\n    return count"
    name = functions.create(code)
    assert [functions.invoke(name) for _ in range(3)] == [1, 2, 3]
