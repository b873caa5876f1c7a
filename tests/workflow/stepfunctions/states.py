"""What each type of state does, and where a list of states stands when it is redriven."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.workflow.stepfunctions.loop import Routine
from tests.workflow.stepfunctions.paths import StatesError, fill, find, put

if TYPE_CHECKING:
    from tests.workflow.stepfunctions.execution import Execution

_COMMON = {"Type", "Comment", "Next", "End", "OutputPath"}
_FIELDS = {
    "Task": {
        "Resource", "Parameters", "ResultSelector", "ResultPath", "TimeoutSeconds", "TimeoutSecondsPath",
        "Retry", "Catch",
    },
    "Choice": {"Choices", "Default"},
    "Wait": {"TimestampPath"},
    "Succeed": set(),
    "Map": {"ItemsPath", "MaxConcurrency", "ItemSelector", "ItemProcessor", "ResultSelector", "ResultPath"},
}  # fmt: skip
_RETRY = {"ErrorEquals", "IntervalSeconds", "BackoffRate", "MaxDelaySeconds", "MaxAttempts", "JitterStrategy"}
_INLINE_WIDTH = 40
_LAMBDA, _CHILD = "arn:aws:states:::lambda:invoke", "arn:aws:states:::states:startExecution.sync:2"
_CALLBACK = f"{_LAMBDA}.waitForTaskToken"
# What the optimized integration returns beside the payload: about what AWS sends.
_METADATA = {
    "ExecutedVersion": "$LATEST",
    "SdkHttpMetadata": {
        "AllHttpHeaders": {
            "X-Amz-Executed-Version": ["$LATEST"],
            "x-amzn-Remapped-Content-Length": ["0"],
            "Connection": ["keep-alive"],
            "x-amzn-RequestId": ["00000000-0000-0000-0000-000000000000"],
            "Content-Length": ["123456"],
            "Date": ["Sun, 22 Nov 2026 16:00:00 GMT"],
            "X-Amzn-Trace-Id": ["root=1-00000000-000000000000000000000000;parent=0000000000000000;sampled=0"],
            "Content-Type": ["application/json"],
        },
        "HttpHeaders": {
            "Connection": "keep-alive",
            "Content-Length": "123456",
            "Content-Type": "application/json",
            "Date": "Sun, 22 Nov 2026 16:00:00 GMT",
            "X-Amz-Executed-Version": "$LATEST",
            "x-amzn-Remapped-Content-Length": "0",
            "x-amzn-RequestId": "00000000-0000-0000-0000-000000000000",
            "X-Amzn-Trace-Id": "root=1-00000000-000000000000000000000000;parent=0000000000000000;sampled=0",
        },
        "HttpStatusCode": 200,
    },
    "SdkResponseMetadata": {"RequestId": "00000000-0000-0000-0000-000000000000"},
    "StatusCode": 200,
}


class Frame:
    """Where a list of states stands: an execution's own, or an iteration's. A redrive goes on from here."""

    def __init__(self, machine: dict[str, Any], given: Any, item: Any = None) -> None:
        self.states, self.state, self.given, self.item = machine["States"], machine["StartAt"], given, item
        self.iterations: list[Frame] = []
        self.done = False

    def run(self, execution: "Execution") -> Routine:
        """Run from the present state to the end and return the output."""
        while not self.done:
            state = self.states[self.state]
            kind = state["Type"]
            if unknown := set(state) - _COMMON - _FIELDS[kind]:
                raise NotImplementedError(f"{self.state} has the fields {unknown}")
            execution.enter(kind)
            execution.measure(self.given)
            own = {"State": {"Name": self.state, "RetryCount": 0}, "Map": {"Item": {"Value": self.item}}}
            context = execution.context | own
            following, output = yield from getattr(self, f"_{kind.lower()}")(state, context, execution)
            execution.event(f"{kind}StateExited")
            execution.measure(output)
            self.given = output
            if following is None:
                self.done = True
            else:
                self.state = following
        return self.given

    # ------------------------------------------------------------------ the types of state

    def _succeed(self, state: Any, context: Any, _: "Execution") -> Routine:
        yield from ()
        return None, find(state.get("OutputPath", "$"), self.given, context)

    def _choice(self, state: Any, context: Any, _: "Execution") -> Routine:
        yield from ()
        for rule in state["Choices"]:
            if set(rule) != {"Variable", "StringEquals", "Next"}:
                raise NotImplementedError(f"the rule {rule}")
            if find(rule["Variable"], self.given, context) == rule["StringEquals"]:
                return rule["Next"], self.given
        return state["Default"], self.given

    def _wait(self, state: Any, context: Any, _: "Execution") -> Routine:
        # AWS considers a timestamp up to seconds and truncates its milliseconds.
        yield float(int(datetime.fromisoformat(find(state["TimestampPath"], self.given, context)).timestamp()))
        return state["Next"], self.given

    def _map(self, state: Any, context: Any, execution: "Execution") -> Routine:
        execution.event("MapStateStarted")
        items = find(state["ItemsPath"], self.given, context)
        if not 0 < len(items) <= _INLINE_WIDTH or state["MaxConcurrency"] != _INLINE_WIDTH:
            raise AssertionError(f"{len(items)} iterations: more than run at once")
        if not self.iterations:
            for item in items:
                scope = context | {"Map": {"Item": {"Value": item}}}
                given = fill(state["ItemSelector"], self.given, scope)
                self.iterations.append(Frame(state["ItemProcessor"], given, item))
        tasks = []
        for frame in self.iterations:
            if not frame.done:
                execution.event("MapIterationStarted")
                tasks.append(execution.service.loop.start(frame.run(execution)))
        try:
            yield tasks
        finally:
            for task in tasks:
                execution.events[f"MapIteration{_ending(task)}"] += 1
                task.cancel()
        failed = next((task.error for task in tasks if task.error), None)
        execution.event("MapStateFailed" if failed else "MapStateSucceeded")
        if failed:
            raise failed
        result = [frame.given for frame in self.iterations]
        self.iterations = []
        return self._after(state, context, result)

    def _task(self, state: Any, context: Any, execution: "Execution") -> Routine:
        callback = state["Resource"] == _CALLBACK
        given = self._parameters(state, context, execution, callback=callback)
        tries = [0] * len(state.get("Retry", ()))
        while True:
            try:
                result = yield from self._try(state, given, execution)
                execution.measure(result)
                return self._after(state, context, result)
            except StatesError as error:
                pause = _pause(state.get("Retry", ()), tries, error)
                if pause is None:
                    for catcher in state.get("Catch", ()):
                        if error.name in catcher["ErrorEquals"] or catcher["ErrorEquals"] == ["States.ALL"]:
                            told = {"Error": error.name, "Cause": error.cause}
                            return catcher["Next"], put(catcher["ResultPath"], self.given, told)
                    raise
            execution.transitions += 1
            context["State"]["RetryCount"] += 1
            yield execution.service.loop.now + pause
            given = self._parameters(state, context, execution, callback=callback)

    def _parameters(self, state: Any, context: Any, execution: "Execution", *, callback: bool) -> Any:
        """Return what a task is called with; one that waits for a callback has a new token for each try."""
        if callback:
            context["Task"] = {"Token": execution.service.new_task_token()}
        given = fill(state["Parameters"], self.given, context)
        execution.measure(given)
        return given | {"Token": context["Task"]["Token"]} if callback else given

    def _after(self, state: Any, context: Any, result: Any) -> tuple[str | None, Any]:
        if "ResultSelector" in state:
            result = fill(state["ResultSelector"], result, context)
        output = put(state.get("ResultPath", "$"), self.given, result)
        return state.get("Next"), find(state.get("OutputPath", "$"), output, context)

    def _try(self, state: Any, given: Any, execution: "Execution") -> Routine:
        service = execution.service
        execution.event("TaskScheduled")
        execution.event("TaskStarted")
        limit = find(state["TimeoutSecondsPath"], self.given, {}) if "TimeoutSecondsPath" in state else None
        if limit is not None and not (isinstance(limit, int) and limit > 0):
            raise StatesError("States.Runtime", f"TimeoutSecondsPath names {limit!r}")
        try:
            if state["Resource"] == _LAMBDA:
                answer = service.invoke(json.loads(json.dumps(given["Payload"])))
                yield service.loop.now + service.latency
                result = {**_METADATA, "Payload": json.loads(json.dumps(answer))}
            elif state["Resource"] == _CALLBACK:
                result = yield from self._callback(given, limit, execution)
            else:
                result = yield from self._child(state["Resource"], given, execution)
        except StatesError:
            execution.event("TaskFailed")
            raise
        execution.event("TaskSucceeded")
        return result

    def _callback(self, given: Any, limit: Any, execution: "Execution") -> Routine:
        service, token = execution.service, given["Token"]
        execution.event("TaskSubmitted")
        waiting = service.waits[token] = service.loop.start(_expire(service.loop.now + limit))
        try:
            service.invoke(json.loads(json.dumps(given["Payload"])))
            yield [waiting]
        finally:
            waiting.cancel()
        if waiting.error:
            raise waiting.error
        return waiting.result

    def _child(self, resource: str, given: Any, execution: "Execution") -> Routine:
        if resource != _CHILD:
            raise NotImplementedError(resource)
        if execution.service.refusals:
            raise StatesError(execution.service.refusals.pop(), execution.service.refusal_cause)
        execution.event("TaskSubmitted")
        child = execution.service.start(given["Input"], name=given["Name"], parent=execution)
        try:
            yield [child.task]
        except GeneratorExit:
            child.stop()
            raise
        if child.task.error:
            raise child.task.error
        if child.status != "SUCCEEDED":
            raise StatesError("States.TaskFailed", json.dumps(child.described()))
        return child.described()


def _expire(when: float) -> Routine:
    """Wait until a time and then raise the error of a task that has timed out."""
    yield when
    raise StatesError("States.Timeout", "")


def _ending(task: Any) -> str:
    return "Failed" if task.error else "Succeeded" if task.done else "Aborted"


def _pause(rules: Any, tries: list[int], error: StatesError) -> float | None:
    """Return how long to wait before the next try; None if there is none."""
    for number, rule in enumerate(rules):
        if set(rule) != _RETRY:
            raise NotImplementedError(f"the retrier {rule}")
        if error.name in rule["ErrorEquals"]:
            if tries[number] == rule["MaxAttempts"]:
                return None
            tries[number] += 1
            pause = rule["IntervalSeconds"] * rule["BackoffRate"] ** (tries[number] - 1)
            return float(min(pause, rule["MaxDelaySeconds"]))
    return None
