"""Counters: exact, from any number that was set, with any delta."""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from runstore import KeyTypeMismatchError
from runstore.testing.contract.base import Contract

if TYPE_CHECKING:
    from runstore import Store


class Odd(float):
    """A float with a repr of its own, as numpy's have."""

    def __repr__(self) -> str:
        return f"np.float64({float(self)!r})"


class Level(IntEnum):
    """An int with a repr of its own."""

    LOW = 3


class CountersContract(Contract):
    """Counters: exact, from any number that was set, with any delta."""

    def test_increment_counts_from_nothing(self, store: Store) -> None:
        """A key that is not set counts from 0; the default delta is 1; the new value is returned."""
        assert [store.increment("n"), store.increment("n", 5), store.increment("n", -10), store.increment("n", 0)] == [
            1,
            6,
            -4,
            -4,
        ]
        assert store.get("n") == -4

    def test_increment_by_nothing_sets_a_counter(self, store: Store) -> None:
        """An increment by 0 makes a counter of 0."""
        assert store.increment("n", 0) == 0
        assert store.find("n") == (True, 0)

    def test_numbers_of_a_subclass_count(self, store: Store) -> None:
        """A float or int of another class, such as numpy's or an enumeration's, is the number that it is."""
        store.set("n", Odd(0.1))
        assert store.increment("n", Odd(0.2)) == 0.3
        assert store.increment("n", Level.LOW, token="t") == 3.3
        store.set("n", Level.LOW)
        assert store.increment("n", Odd(2.0)) == 5
        store.set("l", [Odd(1e-131), Level.LOW])
        assert store.get("l") == [1e-131, 3]

    def test_a_tenth_three_times_is_three_tenths(self, store: Store) -> None:
        """Counters are decimal: nothing is lost to binary fractions."""
        assert [store.increment("n", 0.1) for _ in range(3)] == [0.1, 0.2, 0.3]
        assert store.get("n") == 0.3

    def test_whole_numbers_stay_whole(self, store: Store) -> None:
        """A counter of whole value comes back as an int, also after fractions."""
        store.increment("n", 0.5)
        assert repr(store.increment("n", 0.5)) == "1"
        assert repr(store.get("n")) == "1"

    @pytest.mark.parametrize("start", [0, 5, -3, 2.5, 10**27, -0.0, 1e20])
    def test_increment_goes_on_from_what_was_set(self, store: Store, start: float) -> None:
        """A number that was set is a counter."""
        store.set("n", start)
        assert store.increment("n", 2) == Fraction(start) + 2
        assert store.get("n") == Fraction(start) + 2

    def test_a_counter_is_exact_to_38_digits(self, store: Store) -> None:
        """The 38th digit counts."""
        store.set("n", 10**38 - 2)
        assert store.increment("n") == 10**38 - 1
        assert store.get("n") == 10**38 - 1

    @pytest.mark.parametrize("value", [10**40 + 1, 1e-131, 1.7976931348623157e308], ids=str)
    def test_a_number_beyond_the_range_is_kept_but_not_counted(self, store: Store, value: float) -> None:
        """A number that DynamoDB's numbers cannot hold is a value like any other, and no counter."""
        store.set("n", value)
        with pytest.raises(KeyTypeMismatchError):
            store.increment("n")
        assert store.get("n") == value

    def test_many_deltas_add_up(self, store: Store) -> None:
        """Every returned value is the exact sum so far, with tokens and without in turn."""
        deltas: list[Any] = [0.25, -3, 1e10, 7, -0.001, 10**20, 0.1, -1e10, 2, 0.5] * 5
        total = Decimal(0)
        for number, delta in enumerate(deltas):
            total += Decimal(repr(delta) if isinstance(delta, float) else delta)
            assert store.increment("n", delta, token=f"t{number}" if number % 2 else None) == pytest.approx(
                float(total), abs=0, rel=1e-15
            )
        assert store.get("n") == float(total)

    def test_a_counter_takes_any_number_of_tokens(self, run_id: str) -> None:
        """With more tokens than fit one item, a counter works as before, for old and new writers."""
        store = self.new_store(run_id)
        assert [store.increment("n", 2, token=f"t{number}") for number in range(45)] == list(range(2, 92, 2))
        assert store.increment("n") == 91
        other = self.new_store(run_id)
        assert other.get("n") == 91
        assert other.increment("n", -1) == 90
        assert other.increment("n", 100, token="t3") == 8
        assert other.snapshot() == {"n": 90}
        assert store.increment("n", 0.5, token="t45") == 90.5
