"""The workflows of these tests, deployed."""

from collections import Counter

import pytest

from tests.workflow.asking import Asking
from tests.workflow.driver import Machine
from tests.workflow.flaky import Flaky


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The flaky workflow, deployed."""
    monkeypatch.setattr(Flaky, "faults", Counter())
    monkeypatch.setattr(Flaky, "error", ValueError)
    monkeypatch.setattr(Flaky, "ran", [])
    return Machine(Flaky, monkeypatch)


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The workflow that waits for events, deployed."""
    monkeypatch.setattr(Asking, "tokens", [])
    monkeypatch.setattr(Asking, "fails", 0)
    return Machine(Asking, monkeypatch)
