"""Random scenarios: who does what, at the same time, on few keys and with few tokens, so that everything collides."""

import random
from dataclasses import replace
from itertools import count

from tests.simulation.faults import CRASHES, LATE, LOSSES, THROTTLING
from tests.simulation.operations import COMPLETE, KEYS, SNAPSHOT, SWEEP, Op
from tests.simulation.scenario import Phase, Scenario
from tests.simulation.scheduler import Conditions

_SEGMENT_BYTES = (1, 50, 60, 80)  # from one to three elements, or tokens, in a segment


class ProgramGenerator:
    """Writes programs. What a token stands for stays the same through all of them."""

    def __init__(self, rng: random.Random, *, keys: int, resets: bool) -> None:
        self.rng, self.resets = rng, resets
        self.kinds = {f"k{i}" if i else "k": rng.choice(["push", "increment"]) for i in range(keys)}
        self.tokened: dict[tuple[str, str], Op] = {}
        self.numbers = count(1)

    def program(self, longest: int) -> tuple[Op, ...]:
        """Return what one client does; some only look."""
        if self.rng.random() < 0.15:
            return tuple(self.look(self.rng.choice(sorted(self.kinds))) for _ in range(self.rng.randrange(1, 3)))
        return tuple(self.op() for _ in range(self.rng.randrange(longest + 1)))

    def warm_up(self) -> tuple[Op, ...]:
        """Return operations that fill the first segments, so that a client remembers a tail."""
        key = self.rng.choice(sorted(self.kinds))
        return tuple(
            Op(self.kinds[key], next(self.numbers), None if self.kinds[key] == "push" else f"w{i}", key)
            for i in range(self.rng.randrange(2, 5))
        )

    def op(self) -> Op:
        """Return one operation."""
        key = self.rng.choice(sorted(self.kinds))
        chance = self.rng.random()
        if chance < 0.6:
            return self.change(key)
        if chance < 0.75 or not self.resets:
            return self.look(key)
        if chance < 0.85:
            return Op("delete", key=key)
        return Op(self.rng.choice(["set", "set", "setdefault"]), self.value(key), key=key)

    def change(self, key: str) -> Op:
        """Return a push or increment, half of them with a token that others use as well."""
        rng, name = self.rng, self.kinds[key]
        if rng.random() < 0.04:  # of the other kind
            name = "increment" if name == "push" else "push"
        if name == "push" and rng.random() < 0.25:
            op = Op("push_many", [next(self.numbers) for _ in range(rng.randrange(1, 8))], key=key)
        else:
            op = Op(name, next(self.numbers), key=key)
        if rng.random() < 0.5:
            return op
        token = f"t{rng.randrange(4)}"
        name = "apply" if op.name == "push_many" and rng.random() < 0.4 else op.name
        return self.tokened.setdefault((key, token), Op(name, op.operand, token, key))

    def look(self, key: str) -> Op:
        """Return an operation that changes nothing."""
        chance = self.rng.random()
        if chance < 0.5:
            return Op("get", key=key)
        if chance < 0.8:
            return Op("get_range", (self.rng.randrange(6), self.rng.choice([None, 0, 1, 3])), key=key)
        return Op(self.rng.choice([KEYS, SNAPSHOT]))

    def value(self, key: str) -> object:
        """Return something to set."""
        if self.rng.random() < 0.2:
            return self.rng.choice(["text", {"a": 1}, None])
        if self.kinds[key] == "increment":
            return next(self.numbers)
        return [next(self.numbers) for _ in range(self.rng.randrange(7))]


def _conditions(rng: random.Random, *, faulty: bool = True) -> Conditions:
    faults = rng.choice([(), CRASHES, LOSSES, THROTTLING, CRASHES + LOSSES + THROTTLING]) if faulty else ()
    return Conditions(
        segment_bytes=rng.choice(_SEGMENT_BYTES),
        step_seconds=rng.choice([0, 0, 0.1, 1]),
        page=rng.choice([1, 2, 1_000_000]),
        faults=faults,
        large_bytes=rng.choice([1, 1_536, 1_536]),
    )


def _programs(generator: ProgramGenerator, clients: int, longest: int) -> tuple[tuple[Op, ...], ...]:
    return tuple(generator.program(longest) for _ in range(clients))


def mixed(rng: random.Random) -> Scenario:
    """Everything but the end of the run."""
    generator = ProgramGenerator(rng, keys=rng.choice([1, 1, 1, 2]), resets=rng.random() < 0.6)
    clients, conditions = rng.randrange(2, 4), _conditions(rng)
    before = (Phase(tuple(generator.warm_up() for _ in range(clients))),) if rng.random() < 0.5 else ()
    return Scenario((*before, Phase(_programs(generator, clients, 5))), conditions)


def expiring(rng: random.Random) -> Scenario:
    """Time goes by until items expire, while clients remember and DynamoDB deletes what has expired."""
    generator = ProgramGenerator(rng, keys=1, resets=rng.random() < 0.5)
    clients, conditions = rng.randrange(1, 3), _conditions(rng)
    phases = [Phase(_programs(generator, clients, 6))]
    for _ in range(rng.randrange(1, 4)):
        sweep = (Op(SWEEP),) if rng.random() < 0.5 else ()
        phases.append(Phase((*_programs(generator, clients, 4), sweep), days=rng.choice([0.4, 0.6, 1.2])))
    return Scenario(tuple(phases), conditions)


def lingering(rng: random.Random) -> Scenario:
    """Requests linger in the network and arrive after their senders have repeated them, given up or died."""
    make = rng.choice([mixed, mixed, mixed, expiring, completing])
    scenario, faults = make(rng), rng.choice([LATE, LATE, LATE + CRASHES + LOSSES])
    return replace(scenario, conditions=replace(scenario.conditions, faults=faults))


def contended(rng: random.Random, *, resets: bool = True) -> Scenario:
    """One key that all push to, increment, offer and set at the same time, each token once, while answers get lost."""
    numbers = count(1)
    names = ["push", "push", "push", "increment", "setdefault", "get", *["set", "set"] * resets]

    def op() -> Op:
        name, number = rng.choice(names), next(numbers)
        if name in {"push", "increment"}:
            return Op(name, number, rng.choice([None, f"t{number}"]))
        return Op(name, None if name == "get" else rng.choice([number, [], [number], [number] * 4]))

    programs = tuple(tuple(op() for _ in range(rng.randrange(1, 5))) for _ in range(3))
    conditions = Conditions(segment_bytes=rng.choice([1, 60, 1_000]), faults=LOSSES)
    return Scenario((Phase(programs),), conditions)


def completing(rng: random.Random) -> Scenario:
    """The run is completed in the middle of everything: later operations end, another completion leaves nothing."""
    generator, clients = ProgramGenerator(rng, keys=rng.randrange(1, 3), resets=True), rng.randrange(2, 4)
    first = list(_programs(generator, clients, 5))
    for _ in range(rng.randrange(1, 3)):
        program = rng.randrange(clients)
        place = rng.randrange(len(first[program]) + 1)
        first[program] = (*first[program][:place], Op(COMPLETE), *first[program][place:])
    stragglers = _programs(generator, clients, 3)
    return Scenario(
        (Phase(tuple(first)), Phase(stragglers), Phase(_programs(generator, clients, 4), clean=True)), _conditions(rng)
    )
