"""A function's process: import the handler, then answer one invocation after the other, as Lambda's runtime does.

Runs in the interpreter that the function's `Runtime` names, without site-packages. The names and the messages of
errors are those of AWS's own runtime, because Step Functions matches the names and people search for the messages.

The parent writes one JSON document a line to a socket and reads one line back. Everything on standard output and
standard error is the function's log; after each invocation a marker line follows there, which says that the log of
this invocation is complete.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import socket
import sys
import time
import traceback
from types import SimpleNamespace
from typing import Any, Final

LOG_FORMAT: Final = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
request_id = ""


class RuntimeFault(Exception):  # noqa: N818 a fault of the function's package, not of a request
    """A failure that the runtime reports under Lambda's name for it."""

    def __init__(self, name: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.trace = trace or []


class Context:
    """The handler's second argument."""

    def __init__(self, invocation: dict[str, Any]) -> None:
        self.aws_request_id = invocation["request_id"]
        self.invoked_function_arn = invocation["function_arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)
        self.client_context = None
        self._deadline: float = invocation["deadline"]

    def get_remaining_time_in_millis(self) -> int:
        """Return how long this invocation may still run."""
        return max(0, int((self._deadline - time.time()) * 1_000))

    def log(self, message: object) -> None:
        """Write to the function's log."""
        sys.stdout.write(str(message))


class RequestIdFilter(logging.Filter):
    """Gives every log record the id of the invocation that it belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the id."""
        record.aws_request_id = request_id
        return True


def serve(channel: int, runtime_packages: str) -> None:
    """Answer invocations until the parent closes its side of the socket."""
    global request_id  # noqa: PLW0603 one process runs one invocation at a time
    with socket.socket(fileno=channel) as connection, connection.makefile("rw", encoding="utf-8") as lines:
        init = json.loads(lines.readline())
        marker = init["marker"].encode() + b"\n"
        set_up(init, runtime_packages)
        try:
            handler = load(init["handler"])
            if init["snapstart"]:
                run_snapstart_hooks()
        except Exception as failure:  # noqa: BLE001 whatever a module raises fails its import
            send(lines, {"error": described(failure)}, marker)
            return
        send(lines, {"ready": True}, marker)
        for line in lines:
            invocation = json.loads(line)
            request_id = invocation["request_id"]
            set_trace(invocation["trace_id"])
            send(lines, answer(handler, invocation), marker)


def set_up(init: dict[str, Any], runtime_packages: str) -> None:
    """Arrange the import path and the log as Lambda does: the bundle first, then the layers, then the runtime."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    layers = os.path.join(init["layers"], "python")  # noqa: PTH118 pathlib is slow to import
    ahead = [init["bundle"], os.path.join(layers, "lib", version, "site-packages"), layers, runtime_packages]  # noqa: PTH118
    standard = [path for path in sys.path if path and path not in ahead]
    sys.path[:] = ahead + standard
    shadow_preloaded(ahead[:-1])
    os.chdir(init["bundle"])
    time.tzset()
    handler = logging.StreamHandler(sys.stdout)
    formatter = logging.Formatter(LOG_FORMAT, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(RequestIdFilter())
    logging.getLogger().addHandler(handler)


def shadow_preloaded(folders: list[str]) -> None:
    """Forget what the parent process has imported of packages that the bundle or a layer brings itself."""
    own = {name.partition(".")[0] for folder in folders if os.path.isdir(folder) for name in os.listdir(folder)}  # noqa: PTH112, PTH208
    standard = sys.stdlib_module_names | {"__main__"}
    for name in list(sys.modules):
        root = name.partition(".")[0]
        if root in own and root not in standard:
            del sys.modules[name]
    importlib.invalidate_caches()


def load(path: str) -> Any:
    """Import the handler.

    Raises:
        RuntimeFault: It cannot be imported; named as on Lambda.
    """
    module_name, dot, name = path.rpartition(".")
    if not dot:
        message = f"Bad handler '{path}': not enough values to unpack (expected 2, got 1)"
        raise RuntimeFault("Runtime.MalformedHandlerName", message)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        raise RuntimeFault("Runtime.ImportModuleError", message) from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        message = f"Syntax error in module '{module_name}': {error}"
        raise RuntimeFault("Runtime.UserCodeSyntaxError", message, trace) from error
    try:
        return getattr(module, name)
    except AttributeError as error:
        message = f"Handler '{name}' missing on module '{module_name}'"
        raise RuntimeFault("Runtime.HandlerNotFound", message) from error


def run_snapstart_hooks() -> None:
    """Run the hooks around a snapshot once, as every environment of a SnapStart version does before it serves."""
    try:
        hooks = importlib.import_module("snapshot_restore_py")
    except ImportError:
        return  # on Lambda the module comes with the runtimes from Python 3.12 on
    for function, arguments, named in reversed(hooks.get_before_snapshot()):
        function(*arguments, **named)
    for function, arguments, named in hooks.get_after_restore():
        function(*arguments, **named)


def set_trace(trace_id: str | None) -> None:
    """Set the invocation's X-Ray header, which Lambda keeps in the environment."""
    os.environ.pop("_X_AMZN_TRACE_ID", None)
    if trace_id:
        os.environ["_X_AMZN_TRACE_ID"] = trace_id


def answer(handler: Any, invocation: dict[str, Any]) -> dict[str, Any]:
    """Run the handler and return its result or its error as the parent expects them."""
    try:
        result = handler(invocation["event"], Context(invocation))
    except Exception as failure:  # noqa: BLE001 every exception of a handler is an answer
        return {"error": described(failure)}
    try:
        return {"result": json.dumps(result, ensure_ascii=False)}
    except (TypeError, ValueError, RecursionError) as error:
        fault = RuntimeFault("Runtime.MarshalError", f"Unable to marshal response: {error}")
        return {"error": described(fault)}


def described(failure: Exception) -> dict[str, Any]:
    """Return a failure in Lambda's form, and write it to the log as Lambda does."""
    if isinstance(failure, RuntimeFault):
        name, trace = failure.name, failure.trace
    else:
        name = type(failure).__name__
        trace = traceback.format_list(traceback.extract_tb(failure.__traceback__)[1:])
    heading = ["Traceback (most recent call last):\n"] if trace else []
    sys.stdout.write("".join([f"[ERROR] {name}: {failure}\n", *heading, *trace]))
    return {"errorMessage": str(failure), "errorType": name, "requestId": request_id, "stackTrace": trace}


def send(lines: Any, document: dict[str, Any], marker: bytes) -> None:
    """Complete the invocation's log, then answer."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.write(1, marker)
    lines.write(json.dumps(document) + "\n")
    lines.flush()


if __name__ == "__main__":  # where forking is not safe, each function's process is an interpreter of its own
    serve(int(sys.argv[1]), sys.argv[2])
