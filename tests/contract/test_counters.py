"""Counters: a sum that DynamoDB's numbers cannot hold changes nothing."""

import pytest

from runstore import CounterRangeError
from tests.contract.implementations import Implementation


@pytest.mark.parametrize(("start", "delta"), [(10**38 - 1, 0.1), (10**37, 1e-10)], ids=["next digit", "far digit"])
@pytest.mark.parametrize("token", [None, "t"])
def test_a_result_of_more_than_38_digits_changes_nothing(
    implementation: Implementation, run_id: str, start: float, delta: float, token: str | None
) -> None:
    """A sum with more digits than DynamoDB's numbers have is refused, never rounded; the counter keeps its value."""
    _refuses(implementation, run_id, start, delta, token)


@pytest.mark.parametrize("token", [None, "t"])
@pytest.mark.parametrize("sign", [1, -1])
def test_an_overflow_changes_nothing(implementation: Implementation, run_id: str, sign: int, token: str | None) -> None:
    """A sum beyond DynamoDB's largest magnitude is refused, and the counter keeps its value."""
    _refuses(implementation, run_id, sign * 9 * 10**125, sign * 9 * 10**125, token)


def _refuses(implementation: Implementation, run_id: str, start: float, delta: float, token: str | None) -> None:
    store = implementation.store(run_id)
    store.set("n", start)
    before = implementation.items(run_id)
    with pytest.raises(CounterRangeError, match="38"):
        store.increment("n", delta, token=token)
    assert implementation.items(run_id) == before
    assert store.get("n") == start
