"""Many runs of scenarios: a small one in every order, larger ones at random; and a failing one made short."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.simulation.decisions import Decisions, RandomDecisions
from tests.simulation.scenario import Outcome, Scenario, reduced, run

SHRINKING_RUNS = 1_500


@dataclass
class Tally:
    """How much has been tried."""

    runs: int = 0
    requests: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count one more run."""
        self.runs += 1
        self.requests += outcome.requests


class CounterexampleError(AssertionError):
    """The store broke a promise; the message is a short history that shows how."""


def every_interleaving(scenario: Scenario, tally: Tally | None = None, most: int = 1_000_000) -> Tally:
    """Run a scenario in every order there is, depth first.

    Raises:
        CounterexampleError: one of them breaks a promise.
        RuntimeError: there are more than `most`.
    """
    tally, recorded = tally or Tally(), list[int]()
    begun = tally.runs
    while True:
        outcome = run(scenario, Decisions(recorded))
        tally.add(outcome)
        if outcome.fault:
            raise CounterexampleError(shortest(scenario, [choice for choice, _ in outcome.taken]))
        taken = outcome.taken
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return tally
        if tally.runs - begun >= most:
            raise RuntimeError(f"more than {most} interleavings of\n{scenario}")
        recorded = [choice for choice, _ in taken[:-1]] + [taken[-1][0] + 1]


def random_runs(make: Callable[[random.Random], Scenario], seed: int, count: int, tally: Tally | None = None) -> Tally:
    """Run `count` random scenarios, each in a random order; `seed` and a number tell them apart.

    Raises:
        CounterexampleError: one of them breaks a promise; the message has its seed.
    """
    tally = tally or Tally()
    for number in range(count):
        scenario, decisions = seeded(make, seed, number)
        outcome = run(scenario, decisions)
        tally.add(outcome)
        if outcome.fault:
            story = shortest(scenario, [choice for choice, _ in outcome.taken])
            raise CounterexampleError(f"seed {seed}, number {number}: {story}")
    return tally


def seeded(make: Callable[[random.Random], Scenario], seed: int, number: int) -> tuple[Scenario, Decisions]:
    """Return the scenario and the decisions of one random run."""
    rng = random.Random(f"{seed}/{number}")
    scenario = make(rng)
    patience, fault_rate = rng.choice([0.0, 0.5, 0.8]), rng.choice([0.02, 0.1, 0.25])
    return scenario, RandomDecisions(rng, patience, fault_rate)


def shortest(scenario: Scenario, choices: list[int]) -> str:
    """Return the readable history of a failing run, after leaving out whatever it can fail without."""
    budget, progress = SHRINKING_RUNS, True
    while progress and budget > 0:
        progress = False
        for smaller, fewer in _smaller(scenario, choices):
            budget -= 1
            outcome = run(smaller, Decisions(fewer))
            if outcome.fault:
                scenario, progress = smaller, True
                choices = [choice for choice, _ in outcome.taken]
                while choices and choices[-1] == 0:
                    choices.pop()
                break
            if budget <= 0:
                break
    outcome = run(scenario, Decisions(choices), traced=True)
    return "\n".join([outcome.fault or "", f"{scenario}", f"choices {choices}", *outcome.trace])


def _smaller(scenario: Scenario, choices: list[int]) -> Iterator[tuple[Scenario, list[int]]]:
    for smaller in reduced(scenario):
        yield smaller, choices
        for i in range(len(choices)):  # an operation less leaves its choices behind
            for width in (1, 2, 3, 5):
                if any(choices[i : i + width]):
                    yield smaller, choices[:i] + choices[i + width :]
    for i in range(len(choices)):
        if choices[i]:
            yield scenario, [*choices[:i], 0, *choices[i + 1 :]]
            yield scenario, choices[:i] + choices[i + 1 :]
