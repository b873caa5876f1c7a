"""Joins, failures that are handled and waits for events: the runner and the state machine agree."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from runstore.testing import run_workflow
from tests.workflow.driver import Machine
from tests.workflow.random_trees import EVENT, RandomTree, random_tree, run_with_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstore.testing import WorkflowResult


def run_both(
    data: dict[str, Any], seed: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[WorkflowResult, Any, Machine, dict[str, set[tuple[str, int]]]]:
    """Run a tree in process and in the state machine; return also which attempts the state machine asked for."""
    result = run_workflow(RandomTree, data, events={"woken": EVENT}, order="random", seed=seed)
    machine = Machine(RandomTree, monkeypatch)
    attempts: dict[str, set[tuple[str, int]]] = defaultdict(set)

    def look(event: dict[str, Any]) -> None:
        if event["do"] == "step":
            step = event["state"]["next"]["step"]
            attempts[step["id"]].add((step["action"], step["attempt"]))

    machine.inject = look
    return result, run_with_events(machine, data, monkeypatch), machine, attempts


@pytest.mark.parametrize("seed", range(15))
def test_the_runner_and_the_state_machine_agree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """For random trees: same status, output, ids and attempts, and every join runs after all that it joins."""
    result, execution, machine, attempts = run_both(random_tree(random.Random(seed), 4), seed, monkeypatch)
    assert result.status == "SUCCEEDED", result.error
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.output == result.output
    assert machine.items(execution) == []
    in_process = {ran.step_id: (ran.action, ran.attempts) for ran in result.steps}
    assert {
        step: max(tried for tried in attempts[step] if tried[0] == last[0]) for step, last in in_process.items()
    } == (in_process)
    never_ran = attempts.keys() - in_process.keys()
    assert {action for step in never_ran for action, _ in attempts[step]} <= {"lost"}  # the time-out was its failure


def nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a tree that may be told to fail, beside its root."""
    for child in [*tree["children"], *([tree["join"]] if tree["join"] else [])]:
        yield child
        yield from nodes(child)


@pytest.mark.parametrize("seed", range(10))
def test_the_runner_and_the_state_machine_fail_alike(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One node fails each of its attempts, under joins, behind waits, in handlers: same failure, same step."""
    rng = random.Random(seed)
    data: dict[str, Any] = {"children": [], "join": None}
    while not (inner := list(nodes(data))):
        data = random_tree(rng, 4)
    rng.choice(inner)["fails"] = 99
    result, execution, machine, _ = run_both(data, seed, monkeypatch)
    error = result.error
    assert error is not None
    assert (execution.status, execution.error) == ("FAILED", error.name)
    assert machine.state(execution)["error"] == [error.name, error.action, error.step_id, error.attempts]
