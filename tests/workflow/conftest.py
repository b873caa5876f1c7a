"""The workflows of these tests, deployed."""

from collections import Counter

import pytest

from tests.workflow.asking import Asking
from tests.workflow.driver import Machine
from tests.workflow.shaky import Shaky


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The shaky workflow, deployed."""
    monkeypatch.setattr(Shaky, "faults", Counter())
    monkeypatch.setattr(Shaky, "error", ValueError)
    monkeypatch.setattr(Shaky, "ran", [])
    return Machine(Shaky, monkeypatch)


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The workflow that waits for events, deployed."""
    monkeypatch.setattr(Asking, "tokens", [])
    monkeypatch.setattr(Asking, "fails", 0)
    return Machine(Asking, monkeypatch)
