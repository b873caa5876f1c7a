"""The state machine drives a workflow: branches, chains, delays and the limits of Step Functions, in simulated time."""

import json
from typing import Any

import pytest

from runstore.workflow import HookApi, StepApi, Workflow
from tests.workflow.driver import ASL, BEGAN, Machine

MOST_EVENTS, MOST_BYTES = 12_000, 200_000


class Orders(Workflow):
    """Fans out over what it is given, in as many levels as it is told."""

    def start(self, data: Any, headers: Any, api: StepApi) -> None:
        """Store a header and begin the branches."""
        api.run_store.set("source", headers.get("source"))
        self.spread(data, headers, api)

    def spread(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Schedule a branch for each item, or a further level."""
        width, *deeper = data["widths"]
        for number in range(width):
            if deeper:
                api.schedule_next_step(data["delay"], "spread", {"widths": deeper, "delay": data["delay"]})
            else:
                api.schedule_next_step(data["delay"], "leaf", {"number": number, "text": "x" * data.get("size", 0)})

    def leaf(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Count the branch."""
        assert data["number"] >= 0
        api.run_store.increment("leaves")

    def on_workflow_complete(self, api: HookApi) -> Any:
        """Return what is left in the store."""
        return api.run_store.snapshot()


class Chain(Workflow):
    """Steps one after the other."""

    def start(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Begin as many chains as there are numbers."""
        for number in data["chains"]:
            api.schedule_next_step(0, "link", {"left": number - 1, "delay": data["delay"]})

    def link(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Go on until nothing is left."""
        if data["left"]:
            api.schedule_next_step(data["delay"], "link", {**data, "left": data["left"] - 1})


class Idle(Workflow):
    """Fans out and does nothing: what the machine itself costs."""

    def start(self, data: Any, _headers: Any, api: StepApi) -> None:
        """Begin the branches."""
        for _ in range(data):
            api.schedule_next_step(10, "leaf", None)

    def leaf(self, data: Any, headers: Any, api: StepApi) -> None:
        """Do nothing."""


def assert_within_bounds(machine: Machine) -> None:
    """No execution comes near what Step Functions allows."""
    assert max(execution.history for execution in machine.service.executions) <= MOST_EVENTS
    assert max(execution.largest_state for execution in machine.service.executions) <= MOST_BYTES


def test_a_run_ends_with_the_completion_hooks_output_and_leaves_no_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run begins with data and headers, ends with what the completion hook returns, and its partition is empty."""
    machine = Machine(Orders, monkeypatch)
    execution = machine.run({"widths": [3], "delay": 10}, {"source": "shop"})
    assert (execution.status, execution.output) == ("SUCCEEDED", {"source": "shop", "leaves": 3})
    assert machine.items(execution) == []


@pytest.mark.parametrize("width", [1, 2, 40, 41, 1_601])
def test_every_branch_runs_once_and_no_delay_waits_for_a_place(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However wide the fan-out, all branches run once, at the same time after the delay."""
    machine = Machine(Orders, monkeypatch)
    due: list[float] = []
    machine.inject = lambda event: (
        due.append(machine.loop.now - BEGAN)
        if event["do"] == "step" and event["state"]["next"]["step"]["action"] == "leaf"
        else None
    )
    execution = machine.run({"widths": [width], "delay": "1 min"})
    assert execution.output["leaves"] == len(due) == width
    assert max(due) <= 61
    assert_within_bounds(machine)


def test_fan_outs_nest_to_any_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    """A branch fans out again, and again; the run ends when the last of them has ended."""
    machine = Machine(Orders, monkeypatch)
    assert machine.run({"widths": [3, 2, 45], "delay": 0}).output["leaves"] == 270


@pytest.mark.parametrize("size", [450, 60_000])
def test_large_payloads_stay_out_of_the_state(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether payloads just fit into the state or have 60 KB each: all arrive, and no state grows beyond 50 KB."""
    machine = Machine(Orders, monkeypatch)
    execution = machine.run({"widths": [41], "delay": 0, "size": size})
    assert execution.output["leaves"] == 41
    assert max(execution.largest_state for execution in machine.service.executions) < 50_000


def test_a_fast_branch_does_not_wait_for_a_slow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no barrier: the steps of a fast branch run on while another waits for its first."""

    class Uneven(Workflow):
        def start(self, _data: Any, _headers: Any, api: StepApi) -> None:
            api.schedule_next_step("1 hour", "slow", None)
            api.schedule_next_step(0, "fast", 3)

        def fast(self, data: Any, _headers: Any, api: StepApi) -> None:
            api.run_store.push("order", f"fast {data}")
            if data:
                api.schedule_next_step("1 min", "fast", data - 1)

        def slow(self, _data: Any, _headers: Any, api: StepApi) -> None:
            api.run_store.push("order", "slow")

        def on_workflow_complete(self, api: HookApi) -> Any:
            return api.run_store.get("order")

    execution = Machine(Uneven, monkeypatch).run()
    assert execution.output == ["fast 3", "fast 2", "fast 1", "fast 0", "slow"]


@pytest.mark.parametrize("delay", [0, 5])
def test_a_chain_is_handed_on_before_its_history_is_full(delay: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain that is too long for one execution goes on in others, one after the other, three transitions a step."""
    machine = Machine(Chain, monkeypatch)
    execution = machine.run({"chains": [3_000], "delay": delay})
    assert execution.status == "SUCCEEDED"
    steps = [event["state"]["next"]["step"]["id"] for event in machine.invocations if event["do"] == "step"]
    assert steps == [str(number) for number in range(1, 3_002)]
    assert len(machine.service.executions) > 2
    assert_within_bounds(machine)


def test_chains_in_every_branch_of_a_full_fan_out_keep_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty long chains side by side: each goes on in children of its own, and none waits for another."""
    machine = Machine(Chain, monkeypatch)
    execution = machine.run({"chains": [60] * 40, "delay": 1})
    assert execution.status == "SUCCEEDED"
    assert sum(event["do"] == "step" for event in machine.invocations) == 40 * 60 + 1
    assert machine.loop.now - BEGAN < 60 * 1.2 + 5
    assert_within_bounds(machine)


@pytest.mark.prove
@pytest.mark.parametrize("delay", [0, 5])
def test_a_chain_of_5000_steps_keeps_the_bounds(delay: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """5,000 steps one after the other stay within 12,000 events and 200,000 bytes; without waits they take 2 each."""
    machine = Machine(Chain, monkeypatch)
    execution = machine.run({"chains": [5_000], "delay": delay})
    assert execution.status == "SUCCEEDED"
    assert_within_bounds(machine)
    assert machine.service.transitions / 5_000 <= (3.02 if delay else 2.02)


@pytest.mark.prove
def test_ten_thousand_branches_keep_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 branches stay within the bounds, take at most 4.5 transitions on average, and all delays start at once."""
    machine = Machine(Idle, monkeypatch)
    execution = machine.run(10_000)
    assert execution.status == "SUCCEEDED", execution.cause
    assert sum(event["do"] == "step" for event in machine.invocations) == 10_001
    assert machine.loop.now - BEGAN < 12
    assert machine.service.transitions / 10_000 <= 4.5
    assert_within_bounds(machine)


def test_branches_that_wait_first_go_on_like_all_others() -> None:
    """The Map of branches that begin by waiting for an event differs from the Map of the others in nothing else."""
    states = json.loads(ASL.read_text("utf-8"))["States"]
    fan = states["Fan"]["ItemProcessor"]
    # Step Functions wants every name of a state machine once, also in its Maps.
    assert not fan["States"].keys() & states["Waits"]["ItemProcessor"]["States"].keys()
    waits = json.loads(json.dumps(states["Waits"]["ItemProcessor"]).replace('OfWait"', '"'))
    assert (fan["StartAt"], waits["StartAt"]) == ("Wait", "Listen")
    assert fan | {"StartAt": ""} == waits | {"StartAt": ""}
