"""What every injected fault has in common: it is not waited for."""

import pytest

from runstore import clock


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the store nor botocore waits between two attempts."""
    monkeypatch.setattr(clock, "sleep", lambda _: None)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
