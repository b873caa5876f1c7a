"""The shaky workflow, for the tests of what fails and of what comes after."""

from collections import Counter

import pytest

from tests.workflow.driver import Machine
from tests.workflow.shaky import Shaky


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The shaky workflow, deployed."""
    monkeypatch.setattr(Shaky, "faults", Counter())
    monkeypatch.setattr(Shaky, "error", ValueError)
    monkeypatch.setattr(Shaky, "ran", [])
    return Machine(Shaky, monkeypatch)
