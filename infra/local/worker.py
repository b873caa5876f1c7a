"""One execution environment of a Python function: a process that serves one invocation after the other."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from infra.local.environment import function_environment
from infra.local.reading import Reading, Silence

if TYPE_CHECKING:
    from infra.local.functions import Functions
    from infra.local.processes import Process

INIT_SECONDS: Final = 60.0  # Lambda allows 10; a busy machine needs more
END_SECONDS: Final = 2.0
MAX_RESPONSE_BYTES: Final = 6_291_556


class PythonWorker(lambda_runtime.Worker):  # type: ignore[misc]  # ministack ships no types
    """What ministack keeps in its pool of a function: it is leased for one invocation at a time."""

    functions: Functions
    _proc: Process | None

    def _spawn(self) -> None:
        """Import the handler now: ministack asks for it before it publishes a SnapStart version."""
        failure, _ = self._start()
        if failure:
            raise RuntimeError(f"{failure['errorType']}: {failure['errorMessage']}")

    def invoke(
        self, event: Any, request_id: str, *, trace_id: str | None = None, invoked_function_arn: str = "", **_: Any
    ) -> dict[str, Any]:
        """Run one invocation and return its outcome in ministack's form."""
        init_log = ""
        with self._lock:
            if not self._proc or self._proc.poll() is not None:
                failure, init_log = self._start()
                if failure:
                    return {"body": {**failure, "requestId": request_id}, "error": True, "log": init_log}
            seconds = float(self.config.get("Timeout", 3))
            invocation = {
                "event": event,
                "request_id": request_id,
                "function_arn": invoked_function_arn,
                "trace_id": trace_id,
                "deadline": time.time() + seconds,
            }
            answer, log = self._ask(invocation, seconds)
            if isinstance(answer, Silence):
                outcome = {"body": self._end(answer, request_id, seconds), "error": True}
            else:
                outcome = outcome_of(answer)
        return {**outcome, "log": init_log + log}

    def _start(self) -> tuple[dict[str, Any] | None, str]:
        """Start the process; return why its handler cannot be imported, and its log."""
        config, functions = self.config, type(self).functions
        archives = [lambda_svc._resolve_layer_zip(layer) for layer in config.get("Layers") or []]  # noqa: SLF001 no hook
        bundle = functions.unpacker.unpack([self.code_zip])
        layers = functions.unpacker.unpack([archive for archive in archives if archive])
        credentials = lambda_runtime.execution_credentials(config)
        environment = function_environment(config, credentials, functions.endpoint, bundle, layers)
        self._proc = functions.interpreter(config["Runtime"]).start(environment)
        self._marker = uuid.uuid4().hex
        init = {
            "bundle": str(bundle),
            "layers": str(layers),
            "handler": config["Handler"],
            "snapstart": environment["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start",
            "marker": self._marker,
        }
        answer, log = self._ask(init, INIT_SECONDS)
        if isinstance(answer, Silence):
            return self._end(answer, "", INIT_SECONDS), log
        if "error" in answer:
            self._proc = None
            failure: dict[str, Any] = answer["error"]
            return failure, log
        return None, log

    def _ask(self, document: dict[str, Any], seconds: float) -> tuple[dict[str, Any] | Silence, str]:
        """Send a document; return the answer, and what the function has logged meanwhile."""
        process = self._proc
        if process is None:
            return Silence.ENDED, ""
        reading = Reading(process, self._marker, lambda line: type(self).functions.write_log(self.func_name, line))
        try:
            process.channel.sendall(json.dumps(document).encode() + b"\n")
        except OSError:
            return Silence.ENDED, ""
        return reading.read(seconds), reading.log

    def _end(self, silence: Silence, request_id: str, seconds: float) -> dict[str, Any]:
        """End a process that gave no answer, and return what Lambda says of it."""
        process, self._proc = self._proc, None
        if silence is Silence.TIMED_OUT:
            if process:
                process.kill()
            message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
            return {"errorType": "Sandbox.Timedout", "errorMessage": message}
        return exit_error(process, request_id)


def outcome_of(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what an invocation came to, in ministack's form."""
    if "error" in answer:
        return {"body": answer["error"], "error": True}
    if len(answer["result"].encode()) > MAX_RESPONSE_BYTES:
        limit = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
        return failed("Function.ResponseSizeTooLarge", limit)
    return {"body": json.loads(answer["result"])}


def failed(name: str, message: str) -> dict[str, Any]:
    """Return a failure in ministack's form."""
    return {"body": {"errorType": name, "errorMessage": message}, "error": True, "log": ""}


def exit_error(process: Process | None, request_id: str) -> dict[str, Any]:
    """Return Lambda's message for a process that has ended on its own."""
    status = -1
    if process:
        try:
            status = process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    reason = "signal: killed" if status < 0 else f"exit status {status}"
    message = f"RequestId: {request_id} Error: Runtime exited with error: {reason}"
    return {"errorType": "Runtime.ExitError", "errorMessage": message}
