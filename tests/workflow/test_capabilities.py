"""Joins, failures that are handled and waits for events: the runner and the state machine agree."""

from __future__ import annotations

import random

import pytest

from runstore.testing import run_workflow
from tests.workflow.driver import Machine
from tests.workflow.random_trees import EVENT, RandomTree, random_tree, run_with_events


@pytest.mark.parametrize("seed", range(15))
def test_the_runner_and_the_state_machine_agree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """For random trees: same status and output, and every join runs after all that it joins."""
    data = random_tree(random.Random(seed), 4)
    result = run_workflow(RandomTree, data, events={"woken": EVENT}, order="random", seed=seed)
    assert result.status == "SUCCEEDED", result.error
    machine = Machine(RandomTree, monkeypatch)
    execution = run_with_events(machine, data, monkeypatch)
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.output == result.output
    assert machine.items(execution) == []
