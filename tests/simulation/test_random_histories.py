"""Large random programs under random schedules, with crashes, lost or late requests, throttling, expiry, completion.

A failure names its seed and number, and shows the shortest history found that fails as well.
"""

import random
from collections.abc import Callable

import pytest

from tests import proofs
from tests.simulation import programs
from tests.simulation.exploration import random_runs, seeded
from tests.simulation.scenario import Scenario, over, run
from tests.simulation.scheduler import TRANSPORTS

Make = Callable[[random.Random], Scenario]
KINDS = [programs.mixed, programs.expiring, programs.completing, programs.lingering, programs.contended]
BLOCKS = 8  # of a long proof: the processes share them


def _over(make: Make, transport: str) -> Make:
    return lambda rng: over(make(rng), transport)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("make", KINDS)
def test_random_histories_can_be_explained(make: Make, transport: str) -> None:
    """What clients see is explained by one order of their operations, whatever happens to their requests."""
    assert random_runs(_over(make, transport), seed=20_261, count=300).runs == 300


@pytest.mark.prove
@pytest.mark.parametrize("block", range(BLOCKS))
@pytest.mark.parametrize("make", KINDS)
def test_many_random_histories_can_be_explained(make: Make, block: int) -> None:
    """The same, for many times more histories, other ones each time that the seed is changed."""
    transport = sorted(TRANSPORTS)[block % len(TRANSPORTS)]
    tally = random_runs(_over(make, transport), seed=block, count=2_000)
    kind = "histories_with_late_requests" if make is programs.lingering else "random_histories"
    proofs.record(**{kind: tally.runs, "simulated_requests": tally.requests})
    assert tally.runs == 2_000


@pytest.mark.parametrize("make", KINDS)
def test_a_seed_repeats_a_history(make: Make) -> None:
    """The same seed and number give the same requests in the same order, so that a failure can be had again."""
    for number in range(10):
        first, second = (run(*seeded(make, 3, number), traced=True) for _ in range(2))
        assert first.trace == second.trace
        assert first.taken == second.taken
