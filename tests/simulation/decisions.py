"""Every choice that a simulated run makes, from one place, so that a run can be repeated, varied and made shorter."""

import random
from collections.abc import Sequence

from typing_extensions import override


class Decisions:
    """Choices as they were recorded; where the record ends, the first possibility: go on, and nothing fails."""

    def __init__(self, recorded: Sequence[int] = ()) -> None:
        self._recorded = recorded
        self.taken: list[tuple[int, int]] = []  # what was chosen, out of how many

    def choose(self, count: int) -> int:
        """Return a number below `count`."""
        choice = self.pick(count) if count > 1 else 0
        if count > 1:
            self.taken.append((choice, count))
        return choice

    def pick(self, count: int) -> int:
        """Decide."""
        place = len(self.taken)
        return min(self._recorded[place], count - 1) if place < len(self._recorded) else 0

    def fault(self, kinds: int) -> int:
        """Return which of `kinds` faults happens now, 0 for none."""
        return self.choose(kinds + 1) if kinds else 0


class RandomDecisions(Decisions):
    """Choices by a seed. `patience` is how likely a client is to go on; `fault_rate` that something fails."""

    def __init__(self, rng: random.Random, patience: float, fault_rate: float) -> None:
        super().__init__()
        self._rng, self._patience, self._fault_rate = rng, patience, fault_rate

    @override
    def pick(self, count: int) -> int:
        """Go on with the same client, or switch to another one."""
        return 0 if self._rng.random() < self._patience else self._rng.randrange(count)

    @override
    def fault(self, kinds: int) -> int:
        """Let something fail now and then."""
        if not kinds:
            return 0
        choice = self._rng.randrange(kinds) + 1 if self._rng.random() < self._fault_rate else 0
        self.taken.append((choice, kinds + 1))
        return choice
