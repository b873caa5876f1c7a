"""The child process of the local stack: ministack on a socket that the parent opened.

Run by `infra.local.server`, never by hand, with the arguments SOCKET_FD and REQUEST_LOG. Before it serves, it mends
what ministack lacks for this project:

* An exception of a Python function reaches Step Functions under its class name, as on AWS, and the function's
  process stays warm; a process that died is a `Runtime.ExitError`. ministack calls everything `Runtime.HandlerError`
  and ends the process.
* No more functions run at once than the machine's processors can serve; the others wait. With a process for each of
  hundreds of invocations none would get anywhere.
* A function's process starts warm, see `infra.local.workers`.
* Expressions of DynamoDB requests are parsed once.
* Every DynamoDB request that changes or reads items is written to REQUEST_LOG with what it consumed.

It ends when its standard input does, so that it cannot outlive the parent, however that dies.
"""

import asyncio
import functools
import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app
from ministack.core import lambda_runtime
from ministack.services import dynamodb, lambda_svc

from infra.local.workers import fork_from_a_warm_process

EXCEPTION_MARK: Final = "__exception__"
WORKER_ANSWER: Final = '{"status": "error", "error": str(e), "trace": traceback.format_exc()}'
MENDED_ANSWER: Final = (
    '{"status": "ok", "result": {"__exception__": {"errorMessage": str(e), "errorType": type(e).__name__, '
    '"stackTrace": traceback.format_exc().splitlines()}}}'
)
# What ministack says when a function's process is killed in an invocation, or just before it.
DIED: Final = {"Worker process died", "[Errno 32] Broken pipe"}
PLACES: Final = 4 * (os.cpu_count() or 1)
SECONDS_TO_END: Final = 8.0
EXPRESSIONS: Final = 1_000
HTTP_OK: Final = 200


def name_exceptions() -> None:
    """Let a failed invocation answer with its exception's class name, or that its process died, as Lambda does.

    An invocation waits for its place before its time-out begins to run.
    """
    script: str = lambda_runtime._PYTHON_WORKER_SCRIPT  # noqa: SLF001  # ministack offers no hook
    if script.count(WORKER_ANSWER) != 1:
        sys.exit("This ministack answers exceptions in a way that the local stack does not know. It needs 1.5.33.")
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(WORKER_ANSWER, MENDED_ANSWER)  # noqa: SLF001
    places = threading.BoundedSemaphore(PLACES)
    execute = lambda_svc._execute_function_warm  # noqa: SLF001

    def execute_and_name(*args: Any, **kwargs: Any) -> dict[str, Any]:
        with places:
            result: dict[str, Any] = execute(*args, **kwargs)
        body = result.get("body")
        if isinstance(body, dict) and EXCEPTION_MARK in body:
            return {**result, "body": body[EXCEPTION_MARK], "error": True}
        if result.get("error") and isinstance(body, dict) and body.get("errorMessage") in DIED:
            return {**result, "body": {"errorType": "Runtime.ExitError", "errorMessage": "Runtime exited: killed"}}
        return result

    lambda_svc._execute_function_warm = execute_and_name  # noqa: SLF001


def remember_expressions() -> None:
    """Parse each DynamoDB expression once; ministack's Query parses its own anew for every item of the table."""
    tokenize = functools.lru_cache(EXPRESSIONS)(dynamodb._tokenize)  # noqa: SLF001
    dynamodb._tokenize = lambda expression: list(tokenize(expression))  # noqa: SLF001
    dynamodb._condition_syntax_error = functools.lru_cache(EXPRESSIONS)(dynamodb._condition_syntax_error)  # noqa: SLF001


class RequestLog:
    """One JSON line for every DynamoDB request on items: who asked, what, and the capacity it consumed."""

    READS: Final = {"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"}
    WRITES: Final = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}

    def __init__(self, path: Path) -> None:
        self._lines = path.open("a", encoding="utf-8", buffering=1)
        self._serve = dynamodb.handle_request

    async def handle(self, method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Any:
        """Serve one request, asking for the capacity that it consumes."""
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        if operation not in self.READS | self.WRITES:
            return await self._serve(method, path, headers, body, query)
        asked = json.dumps({**json.loads(body), "ReturnConsumedCapacity": "TOTAL"}).encode()
        answer = await self._serve(method, path, headers, asked, query)
        self._lines.write(json.dumps(self._line(operation, headers, answer)) + "\n")
        return answer

    def _line(self, operation: str, headers: dict[str, str], answer: Any) -> dict[str, Any]:
        status, _, body = answer
        consumed = json.loads(body).get("ConsumedCapacity", [])
        units = sum(part["CapacityUnits"] for part in (consumed if isinstance(consumed, list) else [consumed]))
        if status != HTTP_OK and operation in self.WRITES:
            units = 1.0  # a failed condition consumes what the item would have; the answer does not say it
        return {
            "key_id": headers.get("authorization", "").partition("Credential=")[2].partition("/")[0],
            "operation": operation,
            "status": status,
            "read_units": units if operation in self.READS else 0,
            "write_units": units if operation in self.WRITES else 0,
        }


def end_with_parent() -> None:
    """End this process when standard input ends: the parent holds its other side and never writes."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(SECONDS_TO_END)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Serve until SIGTERM or until the parent is gone."""
    socket_fd, request_log = sys.argv[1:]
    end_with_parent()
    name_exceptions()
    fork_from_a_warm_process(lambda_runtime)
    remember_expressions()
    dynamodb.handle_request = RequestLog(Path(request_log)).handle
    config = Config()
    config.bind = [f"fd://{socket_fd}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    config.graceful_timeout = 0.2  # an idle connection of a client is no reason to wait
    asyncio.run(serve(app, config))
    shutil.rmtree(Path(request_log).parent, ignore_errors=True)  # a parent that was killed cannot
    os._exit(0)  # without waiting for the threads of executions that wait; function processes end with their input
