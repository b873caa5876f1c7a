"""`run_workflow`: a whole workflow in process, as the state machine would run it."""

import random
from typing import Any

import pytest

from order_workflow import OrderWorkflow
from runstore.errors import InvalidRequestError, InvalidValueError
from runstore.testing import InMemoryRunStore, run_workflow
from runstore.workflow import HookApi, PermanentError, StepApi, StepFailure, Workflow, step
from send_email_workflow import SendEmailWorkflow
from tests.workflow.driver import BEGAN, Machine


class Tree(Workflow):
    """Schedules what it is told to, from its data: a list of [delay, children] and how often each fails."""

    def start(self, data: Any, headers: Any, api: StepApi) -> None:
        """Begin."""
        self.node(data, headers, api)

    @step(attempts=4, backoff=3)
    def node(self, data: Any, headers: Any, api: StepApi) -> None:
        """Leave traces, schedule the children, and fail if told to."""
        api.run_store.increment("nodes", data["weight"])
        api.run_store.push("ids", api.step_id)
        api.run_store.set("headers", headers)
        for child in data["children"]:
            api.schedule_next_step(child["delay"], "node", child)
        if api.attempt <= data["fails"]:
            raise LookupError(data["weight"])

    def on_workflow_complete(self, api: HookApi) -> Any:
        """Return the state in an order that does not depend on the branches'."""
        state = api.run_store.snapshot()
        return {**state, "ids": sorted(api.run_store.get("ids"))}

    def on_workflow_error(self, error: StepFailure, api: HookApi) -> None:
        """Keep what it is told."""
        api.run_store.set("error", [error.name, error.message, error.action, error.step_id, error.attempts])


def _tree(rng: random.Random, depth: int, *, may_fail: bool) -> dict[str, Any]:
    width = rng.choice([0, 1, 1, 2, 3]) if depth else 0
    return {
        "delay": rng.choice([0, 0, 5, "2 min"]),
        "weight": rng.randrange(100),
        "fails": rng.choice([0, 0, 0, 1, 3]) if may_fail else 0,
        "children": [_tree(rng, depth - 1, may_fail=may_fail) for _ in range(width)],
    }


@pytest.mark.prove
def test_the_runner_and_the_state_machine_agree_at_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for many more trees."""
    for seed in range(100, 400):
        _compare(seed, monkeypatch)


@pytest.mark.parametrize("seed", range(12))
def test_the_runner_and_the_state_machine_agree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """For random trees of branches with failures: same status, output, steps with their ids, attempts and times."""
    _compare(seed, monkeypatch)


def _compare(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = _tree(random.Random(seed), 5, may_fail=True)
    machine = Machine(Tree, monkeypatch)
    attempts: dict[str, int] = {}

    def count(event: dict[str, Any]) -> None:
        if event["do"] == "step":
            ran = event["state"]["next"]["step"]
            attempts[ran["id"]] = ran["attempt"]

    machine.inject = count
    execution = machine.run(tree, {"from": "test"})
    result = run_workflow(Tree, tree, headers={"from": "test"}, order="random", seed=seed)
    assert (result.status, result.output) == (execution.status, execution.output)
    assert {ran.step_id: ran.attempts for ran in result.steps} == attempts
    assert abs(machine.loop.now - BEGAN - result.seconds) < 1.2 * len(attempts) + 1


def test_a_users_test_in_five_lines() -> None:
    """The example of the documentation holds."""
    result = run_workflow(OrderWorkflow, {"customer": {"id": 1}, "line_items": [{"id": 1}, {"id": 2}]}, order="random")
    assert result.status == "SUCCEEDED"
    assert result.state["processedCount"] == 2


def test_the_mail_workflow_waits_ten_seconds() -> None:
    """Time is skipped, and the result says how long the run would have taken."""
    result = run_workflow(SendEmailWorkflow, {"customer": {"id": "c-1"}})
    assert (result.output, result.seconds, result.hooks) == ({"sentTo": ["c-1"]}, 10, ["on_workflow_complete"])
    assert [(ran.action, ran.at, ran.attempts) for ran in result.steps] == [("start", 0, 1), ("send_email", 10, 1)]


def test_injected_failures_repeat_the_step_and_count_it_once() -> None:
    """A step that is told to fail twice runs three times; what it pushed and counted is there once."""
    order = {"customer": {"id": 1}, "line_items": [{"id": number} for number in range(5)]}
    result = run_workflow(OrderWorkflow, order, failures={"process_item": 2})
    assert result.state["processedCount"] == 5
    assert [ran.attempts for ran in result.steps] == [1, 3, 3, 3, 3, 3]


@pytest.mark.parametrize(
    ("failure", "name", "attempts"),
    [(9, "InjectedError", 3), (KeyError("x"), "KeyError", 3), (PermanentError(), "PermanentError", 1)],
)
def test_a_final_failure_ends_the_run(failure: Any, name: str, attempts: int) -> None:
    """After the last attempt the error hook runs, the other branches do not, and the state is what it was."""
    order = {"customer": {"id": 1}, "line_items": [{"id": 1}, {"id": 2}], "delaySeconds": 0}
    result = run_workflow(OrderWorkflow, order, failures={"process_item": failure})
    assert (result.status, result.output, result.hooks) == ("FAILED", None, ["on_workflow_error"])
    assert result.error is not None
    assert (result.error.name, result.error.action, result.error.attempts) == (name, "process_item", attempts)
    assert "customerId" in result.state


def test_an_errors_text_is_what_a_state_can_hold() -> None:
    """A lone surrogate in an error's text is told escaped: what holds it in production is strict UTF-8."""
    result = run_workflow(SendEmailWorkflow, {"customer": {"id": 1}}, failures={"send_email": ValueError("\ud800")})
    assert result.error is not None
    assert result.error.message == "\\ud800"


def test_an_error_whose_text_cannot_be_read_keeps_its_name() -> None:
    """An exception whose `__str__` raises fails the step like any other, and a permanent one is not tried again."""

    class UnreadableError(PermanentError):
        def __str__(self) -> str:
            raise LookupError

    result = run_workflow(SendEmailWorkflow, {"customer": {"id": 1}}, failures={"send_email": UnreadableError()})
    assert result.error is not None
    assert (result.error.name, result.error.attempts) == ("UnreadableError", 1)
    assert result.error.message == "its text cannot be read: LookupError"


def test_random_orders_differ_and_can_be_repeated() -> None:
    """Branches that are due together run in an order that the seed decides, or a function of the test."""
    order = {"customer": {"id": 1}, "line_items": [{"id": number} for number in range(9)]}

    def ids(**options: Any) -> list[Any]:
        result = run_workflow(OrderWorkflow, order, **options)
        return [entry["id"] for entry in result.state["results"]]  # type: ignore[index,union-attr,call-overload]

    assert ids() == list(range(9))
    assert ids(order=lambda steps: len(steps) - 1) == list(range(8, -1, -1))
    assert ids(order="random", seed=1) == ids(order="random", seed=1) != ids(order="random", seed=2)


def test_data_is_copied_as_in_production() -> None:
    """What a step does to its data or headers is not seen by others, nor by the caller; tuples come as lists."""

    class Rude(Workflow):
        def start(self, data: Any, headers: Any, api: StepApi) -> None:
            api.schedule_next_step(0, "look", {"data": data, "headers": headers})
            data["list"].append("more")
            headers["more"] = True

        def look(self, data: Any, headers: Any, api: StepApi) -> None:
            api.run_store.set("seen", [data, headers])

    given = {"list": (1, 2)}
    result = run_workflow(Rude, given, headers={"a": 1})
    assert result.state["seen"] == [{"data": {"list": [1, 2]}, "headers": {"a": 1}}, {"a": 1}]
    assert given == {"list": (1, 2)}


def test_a_hook_that_raises_changes_no_outcome_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The run has succeeded without output; log and result say what happened."""

    class Unlucky(Workflow):
        def start(self, data: Any, headers: Any, api: StepApi) -> None: ...

        def on_workflow_complete(self, api: HookApi) -> Any:
            api.run_store.set("seen", value=True)
            raise RuntimeError("unlucky")

    result = run_workflow(Unlucky)
    assert (result.status, result.output, result.state) == ("SUCCEEDED", None, {"seen": True})
    assert "on_workflow_complete failed" in caplog.text
    with pytest.raises(RuntimeError, match="unlucky"):
        raise result.hook_error or AssertionError


def test_an_error_hook_that_raises_is_told() -> None:
    """The run has failed with the step's error, and the result says what the hook raised."""

    class Worse(Workflow):
        def start(self, _data: Any, _headers: Any, _api: StepApi) -> None:
            raise PermanentError

        def on_workflow_error(self, error: StepFailure, api: HookApi) -> None:
            api.run_store.get(error.nonsense)  # type: ignore[attr-defined]

    result = run_workflow(Worse)
    assert (result.status, str(result.error)) == ("FAILED", "PermanentError: ")
    assert isinstance(result.hook_error, AttributeError)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"workflow": Workflow}, "a class that derives from Workflow"),
        ({"workflow": Tree()}, "a class that derives from Workflow"),
        ({"workflow": "Tree"}, "a class that derives from Workflow"),
        ({"order": "shuffled"}, '"scheduled", "random" or a function'),
        ({"failures": {"nod": 5}}, r"steps of Tree \(node, start\)"),
        ({"failures": {"node": ValueError}}, r'such as ValueError\("broken"\)'),
        ({"failures": {"node": None}}, "failures of node must be .*; got None"),
        ({"failures": {"node": -1}}, "from 0"),
        ({"failures": {"node": True}}, "failures of node must be .*; got True"),
        ({"failures": [("node", 5)]}, "a member for each step"),
        ({"headers": ["x"]}, "headers must be an object; got a list"),
    ],
)
def test_a_test_that_would_test_nothing_is_refused(arguments: dict[str, Any], says: str) -> None:
    """What is no workflow, no order, no step or no failure raises before anything runs, and says what is allowed."""
    with pytest.raises(InvalidRequestError, match=says):
        run_workflow(**{"workflow": Tree} | arguments)


def test_a_store_of_ones_own_can_be_looked_at() -> None:
    """A store that is passed in is used, with what it holds, and keeps the state."""
    store = InMemoryRunStore("mine")
    store.set("processedCount", 5)
    run_workflow(OrderWorkflow, {"customer": {"id": 1}, "line_items": [{"id": 1}]}, store=store)
    assert store.get("processedCount") == 6


def test_data_that_is_no_json_raises() -> None:
    """What no execution could be started with is refused."""
    with pytest.raises(InvalidValueError, match="data"):
        run_workflow(OrderWorkflow, {"customer": object()})
