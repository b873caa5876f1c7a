"""The workflows of these tests, deployed."""

from collections import Counter

import pytest

from tests.workflow.driver import Machine
from tests.workflow.flaky import Flaky
from tests.workflow.waiting import Waiting


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The flaky workflow, deployed."""
    monkeypatch.setattr(Flaky, "faults", Counter())
    monkeypatch.setattr(Flaky, "error", ValueError)
    monkeypatch.setattr(Flaky, "ran", [])
    return Machine(Flaky, monkeypatch)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The workflow that waits for events, deployed."""
    monkeypatch.setattr(Waiting, "tokens", [])
    monkeypatch.setattr(Waiting, "fails", 0)
    return Machine(Waiting, monkeypatch)
