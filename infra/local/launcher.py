"""The child process of the local stack: ministack on a socket that the parent opened.

Run by `infra.local.server`, never by hand, with the arguments SOCKET_FD, FOLDER and RUNTIME_PACKAGES. Before it
serves, it adds what ministack lacks for this project:

* Python functions run as on Lambda, see `infra.local.functions`.
* Executions wait, fail, end and are stopped as on AWS, see `infra.local.states`.
* Properties of resources, alarms and updates of nested stacks, see `infra.local.cloudformation`.
* Permissions by partition key and by task token, see `infra.local.authorization`.
* Expressions of DynamoDB requests are parsed once.
* Every DynamoDB request that changes or reads items is written to a log with what it consumed.

It ends when its standard input does, so that it cannot outlive the parent, however that dies.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import shutil
import signal
import sys
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app
from ministack.services import dynamodb

from infra.local.authorization import install_authorization
from infra.local.cloudformation import install_cloudformation
from infra.local.functions import Functions
from infra.local.server import FUNCTION_LOG, REQUEST_LOG
from infra.local.states import install_states

MINISTACK: Final = "1.5.33"
SECONDS_TO_END: Final = 8.0
EXPRESSIONS: Final = 1_000
HTTP_OK: Final = 200


def remember_expressions() -> None:
    """Parse each DynamoDB expression once; ministack's Query parses it again for every item of the table."""
    tokenize = functools.lru_cache(EXPRESSIONS)(dynamodb._tokenize)  # noqa: SLF001 ministack offers no hook
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
            "user_agent": headers.get("user-agent", ""),
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
    socket_fd, folder, runtime_packages = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    end_with_parent()
    if version("ministack") != MINISTACK:  # the functions that are replaced are private to it
        sys.exit(f"The local stack needs ministack {MINISTACK}; this is {version('ministack')}.")
    endpoint = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"
    Functions(folder / "unpacked", runtime_packages, endpoint, folder / FUNCTION_LOG).install()
    install_states()
    install_cloudformation()
    install_authorization()
    remember_expressions()
    dynamodb.handle_request = RequestLog(folder / REQUEST_LOG).handle
    config = Config()
    config.bind = [f"fd://{socket_fd}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    config.graceful_timeout = 0.2  # an idle connection of a client is no reason to wait
    asyncio.run(serve(app, config))
    shutil.rmtree(folder, ignore_errors=True)  # a parent that was killed cannot
    os._exit(0)  # without waiting for the threads of executions that wait; function processes end with their channel
