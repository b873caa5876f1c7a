"""Drives the real handler of a workflow by the real state machine, in simulated time over an in-memory DynamoDB."""

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, cast

import pytest
from typing_extensions import override

from runstore import RunStore, Settings, clock
from runstore.lifecycle.retirement import StatusChange, retire
from runstore.store import table_of
from runstore.workflow import Workflow
from runstore.workflow.handler import make_handler
from runstore.workflow.proofs import read_token
from runstore.workflow.sending import deliver
from tests.simulation.client import Direct, SimulatedClient
from tests.simulation.database import Database
from tests.simulation.wire import Request
from tests.workflow.stepfunctions.execution import MAX_STATE, Execution, StepFunctions
from tests.workflow.stepfunctions.loop import Loop
from tests.workflow.stepfunctions.paths import StatesError

ASL = Path(__file__).parents[2] / "functions" / "runstore" / "workflow" / "workflow.asl.json"
BEGAN = 1_800_000_000.0  # epoch seconds: any moment will do
Inject = Callable[[dict[str, Any]], str | None]


class OneAtATime(Direct):
    """A network for the threads of a completion: the in-memory database takes one request after the other."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._lock = Lock()

    @override
    def deliver(self, operation: str, request: Request) -> dict[str, Any]:
        with self._lock:
            return super().deliver(operation, request)


class Machine:
    """A workflow class deployed: its state machine, its function, its table.

    `inject` may look at an event before the function gets it, and return the name of an error that the service has
    instead of an answer; with a leading "+" the function runs all the same, and only its answer is lost.
    """

    def __init__(
        self,
        workflow: type[Workflow],
        monkeypatch: pytest.MonkeyPatch,
        *,
        client: Any = None,
        network: type[OneAtATime] = OneAtATime,
        table_name: str = "table",
    ) -> None:
        self.loop = Loop(BEGAN)
        self.database = Database()
        self.network = network(self.database)
        self.client = client or cast("Any", SimulatedClient(self.network))
        self.settings = Settings(table_name)
        monkeypatch.setenv("RUNSTORE_TABLE", table_name)
        monkeypatch.setattr(clock, "now", lambda: int(self.loop.now))
        self._handler = make_handler(workflow, client=self.client, now=lambda: self.loop.now)
        self.service = StepFunctions(json.loads(ASL.read_text("utf-8")), self._invoke, self.loop)
        self.inject: Inject = lambda event: None  # noqa: ARG005 an event is what it takes
        self.invocations: list[dict[str, Any]] = []

    def _invoke(self, event: dict[str, Any]) -> Any:
        self.invocations.append(event)
        wanted = self.inject(event)
        if wanted and not wanted.startswith("+"):
            raise StatesError(wanted, "injected")
        try:
            answer = self._handler(event, None)
        except Exception as error:
            cause = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": []}
            raise StatesError(type(error).__name__, json.dumps(cause)) from error
        if wanted:
            raise StatesError(wanted[1:], "injected after the function had run")
        try:
            written = json.dumps(answer, ensure_ascii=False).encode()  # as Lambda's runtime does, from Python 3.12 on
        except UnicodeEncodeError as error:
            raise StatesError("Runtime.ExitError", ascii(error)) from error
        if len(written) > MAX_STATE:
            raise StatesError("States.DataLimitExceeded", f"{len(written)} bytes")
        return answer

    def run(self, data: Any = None, headers: Any = None) -> Execution:
        """Run an execution to its end."""
        given = {"data": data} if headers is None else {"data": data, "headers": headers}
        return self.service.run(given)

    def redrive(self, execution: Execution) -> Execution:
        """Redrive an execution and run it to its end."""
        execution.redrive()
        self.loop.run()
        if execution.task.error:
            raise execution.task.error
        return execution

    def answer_to(self, event: dict[str, Any], *, expect: type[Exception] | None = None) -> Any:
        """Return what the function answers to an event that is sent (once more) by hand, or see it raise."""
        try:
            answer = self._handler(copy.deepcopy(event), None)
        except Exception as error:
            if expect is not None and type(error).__name__ == expect.__name__:
                return None
            raise
        if expect is not None:
            raise AssertionError(f"answered {answer} instead of raising {expect.__name__}")
        return answer

    def straggle(self, event: dict[str, Any]) -> None:
        """Have the function get an earlier event once more, whose answer nobody hears."""
        with suppress(Exception):
            self._handler(copy.deepcopy(event), None)

    def send(self, token: str, body: Any = None) -> dict[str, Any]:
        """Send an event, as send_event does."""
        parsed = read_token(token)
        table = table_of(RunStore(parsed.run_id, client=self.client, settings=self.settings))
        return deliver(table, parsed, json.dumps(body), lambda: self.service, lambda: self.loop.now)

    def retire(self, execution: Execution, status: str) -> int:
        """Have retire_run hear of an execution's end; return how many items it keeps."""
        change = StatusChange(execution.arn, status, execution.redrives, int(self.loop.now) + 1)
        store = RunStore(execution.arn, client=self.client, settings=self.settings)
        return retire(table_of(store), change).retained

    def state(self, execution: Execution) -> dict[str, Any]:
        """The run's user keys."""
        return RunStore(execution.arn, client=self.client, settings=self.settings).snapshot()

    def store(self, execution: Execution) -> RunStore:
        """The run's store."""
        return RunStore(execution.arn, client=self.client, settings=self.settings)

    def items(self, execution: Execution) -> list[str]:
        """The sort keys of all the run's items."""
        return sorted(self.database.partitions.get(execution.arn, {}))
