"""Joins, failures that are handled and waits for events: the runner and the state machine agree."""

from __future__ import annotations

import random
from typing import Any

import pytest

from runstore.testing import run_workflow
from tests.workflow.driver import BEGAN, Machine
from tests.workflow.forest import Forest, tree

EVENT = {"text": "go on"}


def deploy(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return the forest, deployed; each token gets its event as soon as its step has ended."""
    monkeypatch.setattr(Forest, "tokens", [])
    return Machine(Forest, monkeypatch)


def run(machine: Machine, data: Any) -> Any:
    """Run a forest, sending an event to each token some seconds after it was given."""
    execution = machine.service.start({"data": data})
    sent = 0
    for moment in range(4_000):
        machine.loop.run(until=BEGAN + moment * 5)
        for token in Forest.tokens[sent:]:
            machine.send(token, EVENT)
            sent += 1
        if execution.status != "RUNNING":
            break
    machine.loop.run()
    return execution


@pytest.mark.parametrize("seed", range(25))
def test_the_runner_and_the_state_machine_agree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """For random trees: same status and output, and every join runs after all that it joins."""
    data = tree(random.Random(seed), 4)
    result = run_workflow(Forest, data, events={"woken": EVENT}, order="random", seed=seed)
    assert result.status == "SUCCEEDED", result.error
    machine = deploy(monkeypatch)
    execution = run(machine, data)
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.output == result.output
    assert machine.items(execution) == []
