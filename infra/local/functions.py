"""Python functions on the local stack, run as Lambda runs them instead of as ministack does.

A function sees its bundle, its layers, what Lambda's runtime brings, and the variables that Lambda sets, in the
interpreter that its `Runtime` names. An exception reaches Step Functions under its class name and leaves the process
warm. A failure of the runtime itself has Lambda's name for it.
"""

from __future__ import annotations

import contextvars
import os
import threading
import zipfile
from typing import TYPE_CHECKING, Any, Final

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from infra.local.interpreters import OWN_RUNTIME, find_interpreter
from infra.local.processes import Interpreter
from infra.local.unpacking import Unpacker
from infra.local.worker import PythonWorker, failed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Functions that run at once. With a process for each of hundreds of invocations none would get anywhere.
PLACES: Final = 4 * (os.cpu_count() or 1)
# Whether the invocation comes from a function, which may hold a place that this one must not wait for.
_from_a_function: contextvars.ContextVar[bool] = contextvars.ContextVar("from_a_function", default=False)


class Functions:
    """The interpreters, the unpacked code, and the log that all functions share."""

    def __init__(self, folder: Path, runtime_packages: Path, endpoint: str, log: Path) -> None:
        self.endpoint = endpoint
        self.unpacker = Unpacker(folder)
        self._runtime_packages = runtime_packages
        self._interpreters: dict[str, Interpreter] = {}
        self._lock = threading.Lock()
        self._log = log.open("a", encoding="utf-8", buffering=1)
        self._places = threading.BoundedSemaphore(PLACES)

    def install(self) -> None:
        """Take the place of ministack's own execution of Python functions."""
        execute_otherwise = lambda_svc._execute_function_warm  # noqa: SLF001 ministack offers no hook
        invoke = lambda_svc._invoke  # noqa: SLF001 the same
        worker_class = lambda_runtime._worker_class_for  # noqa: SLF001 the same
        invalidate = lambda_svc.invalidate_worker

        def execute(function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
            config = function.get("config") or function
            if function.get("code_zip") and is_python(config):
                return self.execute({**function, "config": config}, event, request_id)
            result: dict[str, Any] = execute_otherwise(function, event, request_id)
            return result

        async def invoke_from(name: str, event: Any, headers: dict[str, str], *rest: Any, **named: Any) -> Any:
            # Functions sign with a role's temporary credentials; the caller's own context ends with the request.
            _from_a_function.set("Credential=ASIA" in headers.get("authorization", ""))
            return await invoke(name, event, headers, *rest, **named)

        def class_for(config: dict[str, Any]) -> Any:
            return PythonWorker if is_python(config) else worker_class(config)

        def deployed(name: str, **named: Any) -> None:
            # A deployment ends with this: the interpreter imports boto3 while the other resources are made.
            invalidate(name, **named)
            config = lambda_svc._functions.get(name, {}).get("config", {})  # noqa: SLF001 the same
            if is_python(config):
                self.interpreter(config["Runtime"])

        PythonWorker.functions = self
        lambda_svc.invalidate_worker = deployed
        lambda_svc._execute_function_warm = execute  # noqa: SLF001 the same
        lambda_svc._invoke = invoke_from  # noqa: SLF001 the same
        lambda_runtime._worker_class_for = class_for  # noqa: SLF001 the same

    def interpreter(self, runtime: str) -> Interpreter:
        """Return the interpreter of a runtime, or else this project's own, with a warning in the log, once."""
        with self._lock:
            if runtime not in self._interpreters:
                executable = find_interpreter(runtime)
                if executable is None:
                    executable = find_interpreter(OWN_RUNTIME)
                    self.write_log("WARNING", f"{runtime} is not installed here: its functions run in {OWN_RUNTIME}")
                if executable is None:
                    raise RuntimeError(f"neither {runtime} nor {OWN_RUNTIME} can be started on this machine")
                self._interpreters[runtime] = Interpreter(executable, self._runtime_packages)
            return self._interpreters[runtime]

    def write_log(self, source: str, line: str) -> None:
        """Write a line to the log that `make local` shows."""
        self._log.write(f"{source}\t{line}\n")

    def execute(self, function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        """Run one invocation and return its outcome in ministack's form.

        It waits for its place before its time-out begins to run. One that comes from another function does not wait.
        """
        if _from_a_function.get():
            return self._execute(function, event, request_id)
        with self._places:
            return self._execute(function, event, request_id)

    def _execute(self, function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        config = function["config"]
        lambda_svc._ensure_reaper_thread()  # noqa: SLF001 ministack offers no hook
        name, qualifier = config["FunctionName"], config.get("Version", "$LATEST")
        worker, _ = lambda_runtime.acquire_worker(name, config, function["code_zip"], qualifier=qualifier)
        try:
            outcome: dict[str, Any] = worker.invoke(
                event,
                request_id,
                trace_id=lambda_svc._xray_trace_id_for_invocation(config),  # noqa: SLF001 the same
                invoked_function_arn=config["FunctionArn"],
            )
        except (OSError, RuntimeError, zipfile.BadZipFile) as error:
            self.write_log(name, f"[ERROR] {error}")
            return failed("Runtime.Unknown", str(error))
        finally:
            lambda_runtime.release_worker(worker)
        return outcome


def is_python(config: Mapping[str, Any]) -> bool:
    """Whether a function runs in one of Lambda's Python runtimes."""
    return str(config.get("Runtime", "")).startswith("python") and config.get("PackageType", "Zip") == "Zip"
