"""A request that is sent again after its key was set may count twice: the exception that docs/guarantees.md states."""

import random

import pytest

from tests.simulation import exploration, programs, scenario
from tests.simulation.exploration import CounterexampleError, random_runs
from tests.simulation.scenario import Scenario, over
from tests.simulation.scheduler import TRANSPORTS


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_reset_can_make_a_repeated_request_count_twice(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulation has such histories, and would refuse them but for that one exception."""
    monkeypatch.setattr(scenario, "repetitions", lambda *_: 0)
    monkeypatch.setattr(exploration, "SHRINKING_RUNS", 50)

    def make(rng: random.Random) -> Scenario:
        return over(programs.contended(rng), transport)

    with pytest.raises(CounterexampleError, match="cannot be explained"):
        random_runs(make, seed=1, count=500)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_without_a_reset_no_repeated_request_counts_twice(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a key is only offered to, pushed to and incremented, lost answers double nothing."""
    monkeypatch.setattr(scenario, "repetitions", lambda *_: 0)

    def make(rng: random.Random) -> Scenario:
        return over(programs.contended(rng, resets=False), transport)

    assert random_runs(make, seed=1, count=300).runs == 300
