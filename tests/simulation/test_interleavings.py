"""Small programs in every order that their requests can take."""

import pytest

from tests import proofs
from tests.simulation.cases import COMPLETED, FAULTY, HEAVY, LARGE, LATE, SEGMENT_BYTES, SMALL, small
from tests.simulation.exploration import every_interleaving
from tests.simulation.scenario import over
from tests.simulation.scheduler import TRANSPORTS

# Without faults a transport decides nothing: `make test` runs one of them.
ONE_TRANSPORT = ["boto3", pytest.param("direct", marks=pytest.mark.prove)]


@pytest.mark.parametrize("transport", ONE_TRANSPORT)
@pytest.mark.parametrize("segment_bytes", SEGMENT_BYTES)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.prove if name in HEAVY else ()) for name in SMALL]
)
def test_every_order_can_be_explained(name: str, segment_bytes: int, transport: str) -> None:
    """Whatever order the requests of a few operations take, their answers are those of some sequence of them."""
    tally = every_interleaving(over(small(name, segment_bytes), transport))
    proofs.record(interleavings_of_small_programs=tally.runs, simulated_requests=tally.requests)
    assert tally.runs > 1


@pytest.mark.parametrize("transport", ONE_TRANSPORT)
@pytest.mark.parametrize("name", LARGE)
def test_every_order_of_large_elements_can_be_explained(name: str, transport: str) -> None:
    """Elements that a head does not take are neither doubled nor lost, whoever is in between."""
    tally = every_interleaving(over(LARGE[name], transport))
    proofs.record(interleavings_of_small_programs=tally.runs, simulated_requests=tally.requests)
    assert tally.runs > 1


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", FAULTY)
def test_every_fault_at_every_request_can_be_explained(name: str, transport: str) -> None:
    """In every order, whichever of the requests fail in whichever way, nothing is doubled and nothing is lost."""
    tally = every_interleaving(over(FAULTY[name], transport))
    proofs.record(interleavings_with_faults=tally.runs, simulated_requests=tally.requests)
    assert tally.runs > 1


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", LATE)
def test_every_late_request_can_be_explained(name: str, transport: str) -> None:
    """In every order, whichever request arrives after its sender has moved on, only the stated effects show."""
    tally = every_interleaving(over(LATE[name], transport))
    proofs.record(interleavings_with_a_late_request=tally.runs, simulated_requests=tally.requests)
    assert tally.runs > 1


@pytest.mark.parametrize("transport", ONE_TRANSPORT)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.prove if "token" in name else ()) for name in COMPLETED]
)
def test_a_completion_at_any_moment_leaves_a_usable_run(name: str, transport: str) -> None:
    """Whenever a run is completed, stragglers come to an end, and another completion leaves nothing of them."""
    tally = every_interleaving(over(COMPLETED[name], transport))
    proofs.record(interleavings_with_a_completion=tally.runs, simulated_requests=tally.requests)
    assert tally.runs > 1
