"""Executions: their history, their limits, and how they end, are stopped and redriven."""

import base64
import itertools
import json
import secrets
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from tests.workflow.stepfunctions.loop import Loop, Task
from tests.workflow.stepfunctions.paths import StatesError
from tests.workflow.stepfunctions.states import Frame

MAX_EVENTS, MAX_STATE, MAX_CAUSE = 25_000, 262_144, 32_768
Invoke = Callable[[dict[str, Any]], Any]


class Execution:
    """One execution of the state machine, and what is measured of it."""

    def __init__(self, service: "StepFunctions", arn: str, given: Any, parent: "Execution | None") -> None:
        self.service, self.arn, self.input, self.parent = service, arn, given, parent
        self.started = service.loop.now
        self.status, self.output, self.error, self.cause = "RUNNING", None, "", ""  # type: str, Any, str, str
        self.redrives, self.transitions, self.largest_state = 0, 1, 0
        self.events: Counter[str] = Counter()
        self.frame = Frame(service.definition, given)
        self.event("ExecutionStarted")
        self.measure(given)
        self.task = service.loop.start(self._run())

    @property
    def context(self) -> dict[str, Any]:
        """The context object, as far as it does not depend on the state."""
        return {
            "Execution": {
                "Id": self.arn,
                "RedriveCount": self.redrives,
                "StartTime": datetime.fromtimestamp(self.started, UTC).isoformat().replace("+00:00", "Z"),
            },
            "StateMachine": {"Id": "arn:aws:states:eu-central-1:123456789012:stateMachine:workflow"},
        }

    @property
    def history(self) -> int:
        """How many events its history has."""
        return self.events.total()

    def event(self, kind: str) -> None:
        """Add an event to the history."""
        self.events[kind] += 1
        if self.history > MAX_EVENTS:
            raise StatesError("States.Runtime", "the execution reached the maximum number of history events")

    def enter(self, kind: str) -> None:
        """Add that a state is entered: a transition."""
        self.transitions += 1
        self.event(f"{kind}StateEntered")

    def measure(self, *payloads: Any) -> None:
        """Hold payloads to the limit of a state, and remember the largest."""
        for payload in payloads:
            size = len(json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode())
            self.largest_state = max(self.largest_state, size)
            if size > MAX_STATE:
                raise StatesError("States.DataLimitExceeded", f"{size} bytes")

    def _run(self) -> Any:
        try:
            self.output = yield from self.frame.run(self)
            self._end("SUCCEEDED", "ExecutionSucceeded")
        except StatesError as error:
            self.error, self.cause = error.name, error.cause[:MAX_CAUSE]
            self._end("FAILED", "ExecutionFailed")
        except GeneratorExit:
            self._end("ABORTED", "ExecutionAborted")
            raise

    def _end(self, status: str, event: str) -> None:
        self.status = status
        self.events[event] += 1

    def stop(self) -> None:
        """StopExecution: ends it and, as Step Functions does, the children that it waits for."""
        self.task.cancel()
        self.status = "ABORTED"

    def redrive(self) -> None:
        """RedriveExecution: goes on with the states that did not succeed, from the input they had."""
        if self.status not in {"FAILED", "ABORTED"}:
            raise AssertionError(f"a {self.status} execution cannot be redriven")
        self.status, self.redrives = "RUNNING", self.redrives + 1
        self.transitions += 1
        self.event("ExecutionRedriven")
        self.task = self.service.loop.start(self._run())

    def described(self) -> dict[str, Any]:
        """What the result or the cause of `startExecution.sync:2` tells of it."""
        told = {
            "ExecutionArn": self.arn,
            "Input": self.input,
            "InputDetails": {"Included": True},
            "Name": self.arn.rpartition(":")[2],
            "RedriveCount": self.redrives,
            "RedriveStatus": "NOT_REDRIVABLE",
            "RedriveStatusReason": f"Execution is {self.status} and cannot be redriven",
            "StartDate": 1_700_000_000_000,
            "StateMachineArn": self.context["StateMachine"]["Id"],
            "Status": self.status,
            "StopDate": 1_700_000_000_000,
        }
        if self.status == "SUCCEEDED":
            return told | {"Output": self.output, "OutputDetails": {"Included": True}}
        return told | {"Error": self.error, "Cause": self.cause}


class StepFunctions:
    """The service: one state machine, its executions, and one function that its tasks invoke."""

    def __init__(self, definition: dict[str, Any], invoke: Invoke, loop: Loop, *, latency: float = 0.05) -> None:
        self.definition, self.invoke, self.loop, self.latency = definition, invoke, loop, latency
        self.executions: list[Execution] = []
        self.refusals: list[str] = []  # errors that the next starts of children meet
        self.refusal_cause = "injected"
        self.waits: dict[str, Task] = {}  # by task token
        self._numbers = itertools.count(1)

    def start(self, given: Any, *, name: str = "", parent: Execution | None = None) -> Execution:
        """StartExecution."""
        name = name or f"execution-{next(self._numbers)}"
        arn = f"arn:aws:states:eu-central-1:123456789012:execution:workflow:{name}"
        self.executions.append(Execution(self, arn, json.loads(json.dumps(given)), parent))
        return self.executions[-1]

    def run(self, given: Any, *, name: str = "") -> Execution:
        """Start an execution and let time pass until nothing happens any more."""
        execution = self.start(given, name=name)
        self.loop.run()
        if execution.task.error:
            raise execution.task.error
        return execution

    def new_task_token(self) -> str:
        """Return a task token of the length that AWS allows at most."""
        return base64.b64encode(f"{next(self._numbers):09}".encode() + secrets.token_bytes(1_527)).decode()

    def send_task_success(self, *, taskToken: str, output: str) -> dict[str, Any]:  # noqa: N803 as boto3 has it
        """SendTaskSuccess: the state that waits with a token goes on with the output."""
        json.loads(output)
        waiting = self.waits.get(taskToken)
        if waiting is None:
            raise ClientError({"Error": {"Code": "InvalidToken", "Message": "Invalid token"}}, "SendTaskSuccess")
        if waiting.done:
            raise ClientError({"Error": {"Code": "TaskTimedOut", "Message": "Task Timed Out"}}, "SendTaskSuccess")
        waiting.finish(json.loads(output))
        return {}

    @property
    def transitions(self) -> int:
        """The transitions of all executions."""
        return sum(execution.transitions for execution in self.executions)
