"""A workflow that does what its data say: branches, joins, waits for events and failures that are handled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from runstore.errors import UnavailableError
from runstore.workflow import HookApi, PermanentError, StepApi, StepFailure, Workflow, step
from tests.workflow.driver import BEGAN

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    import pytest

    from tests.workflow.driver import Machine
    from tests.workflow.stepfunctions.execution import Execution

EVENT = {"text": "go on"}


class RandomTree(Workflow):
    """Runs a tree of nodes. A node counts itself in every scope around it, and a join checks its scope's count."""

    tokens: ClassVar[list[str]] = []

    def start(self, data: Any, headers: Any, api: StepApi) -> None:
        """Begin with the root."""
        self.node(data, headers, api)

    @step(attempts=3, backoff=3)
    def node(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Leave traces, schedule the children, join them, and fail if told to."""
        for scope in data["scopes"]:
            api.run_store.increment(scope)
        api.run_store.push("ids", api.step_id)
        for child in data["children"]:
            self._schedule(child, api)
        if data["join"]:
            api.join("joined", data["join"], data["join"]["delay"])
        if api.attempt <= data["fails"]:
            raise LookupError(data["scopes"])

    def _schedule(self, child: Any, api: StepApi) -> None:
        if child["how"] == "event":
            self.tokens.append(api.wait_for_event("woken", child, "12 hours"))
        elif child["how"] == "timeout":
            api.wait_for_event("late", child, child["timeout"], on_timeout="timed_out")
        elif child["how"] == "failure":
            api.wait_for_event("lost", child, child["timeout"])
        else:
            api.schedule_next_step(child["delay"], "rescued" if child["how"] == "rescued" else "node", child)

    def joined(self, data: Any, headers: Any, api: StepApi) -> None:
        """Check that everything in the scope has ended, and go on."""
        if api.run_store.get(data["scope"], 0) != data["expected"]:
            raise PermanentError(f"{data['scope']}: {api.run_store.get(data['scope'])} of {data['expected']}")
        self.node(data, headers, api)

    def woken(self, data: Any, headers: Any, api: StepApi) -> None:
        """Go on with an event."""
        assert data["event"] == EVENT
        self.node(data["payload"], headers, api)

    def late(self, data: Any, headers: Any, api: StepApi) -> None:
        """Never run: no event comes."""

    def timed_out(self, data: Any, headers: Any, api: StepApi) -> None:
        """Go on after a time-out."""
        assert set(data) == {"payload"}
        self.node(data["payload"], headers, api)

    @step(on_failure="handle")
    def lost(self, data: Any, headers: Any, api: StepApi) -> None:
        """Never run: no event comes, and the time-out is a failure."""

    @step(attempts=2, backoff="7 sec", on_failure="handle")
    def rescued(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Fail, and be handled."""
        api.run_store.increment("tries")
        api.schedule_next_step(0, "node", data)  # never counts
        raise ValueError("to be handled")

    @step(attempts=4, backoff=1)
    def handle(self, data: Any, headers: Any, api: StepApi) -> None:
        """Go on after a failure."""
        given = data["data"]
        if data["action"] == "lost":
            assert (data["error"]["name"], data["attempts"]) == ("EventTimeoutError", 0)
            given = given["payload"]
        else:
            assert data["error"]["name"] in {
                "ValueError",
                "UnavailableError",
                "StepTimeoutError",
            }  # or what was injected
            assert (data["action"], data["attempts"]) == ("rescued", 2)
        self.node(given, headers, api)

    def on_workflow_complete(self, api: HookApi) -> Any:
        """Return the state in an order that does not depend on the branches'."""
        state = again(api.run_store.snapshot)
        return {**state, "ids": sorted(state["ids"])}

    def on_workflow_error(self, error: StepFailure, api: HookApi) -> None:
        """Keep what failed."""
        api.run_store.set("error", [error.name, error.action, error.step_id, error.attempts])


def again(call: Callable[[], Any]) -> Any:
    """Make a call a second time if the network fails for good: a hook has one attempt, and a sender can repeat."""
    try:
        return call()
    except UnavailableError:
        return call()


def random_tree(rng: random.Random, depth: int, *, width: int = 3) -> dict[str, Any]:
    """Return a random tree of nodes in which nothing fails for good."""
    return _node(rng, depth, width, ["all"])[0]


def _node(rng: random.Random, depth: int, width: int, scopes: list[str]) -> tuple[dict[str, Any], int]:
    """Return a node and how many nodes its subtree has, those after its join included."""
    joins = depth > 0 and rng.random() < 0.5
    scope = f"scope-{rng.randrange(10**9)}"
    inner = [*scopes, scope] if joins else scopes
    children, count = [], 0
    for _ in range(rng.choice([0, 1, 1, 2, width]) if depth else 0):
        child, size = _node(rng, depth - 1, width, inner)
        children.append(child)
        count += size
    node: dict[str, Any] = {
        "how": rng.choice(["plain", "plain", "plain", "rescued", "event", "timeout", "failure"]),
        "delay": rng.choice([0, 0, 5, "2 min"]),
        "timeout": rng.choice([60, "10 min"]),
        "fails": rng.choice([0, 0, 0, 1]),
        "scopes": scopes,
        "children": children,
        "join": None,
    }
    total = count + 1
    if joins:
        following, size = _node(rng, depth - 1, width, scopes)
        node["join"] = {**following, "scope": scope, "expected": count, "fails": 0}
        total += size
    return node, total


def run_with_events(machine: Machine, data: Any, monkeypatch: pytest.MonkeyPatch) -> Execution:
    """Run a tree to its end, sending an event to each token some seconds after it was given."""
    monkeypatch.setattr(RandomTree, "tokens", [])
    execution = machine.service.start({"data": data})
    sent: set[str] = set()
    moment = BEGAN
    while execution.status == "RUNNING" and moment < BEGAN + 20_000:
        moment += 5
        machine.loop.run(until=moment)
        for token in RandomTree.tokens:
            if token not in sent:
                again(lambda token=token: machine.send(token, EVENT))  # type: ignore[misc]
                sent.add(token)
    machine.loop.run()
    if execution.task.error:
        raise execution.task.error
    return execution
