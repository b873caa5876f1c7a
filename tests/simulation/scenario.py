"""A scenario: what clients do, under which conditions; running it, and judging what they saw."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from typing_extensions import override

from tests.simulation.decisions import Decisions
from tests.simulation.linearizability import Call, is_linearizable
from tests.simulation.operations import COMPLETE, KEYS, SNAPSHOT, SWEEP, Op, fits_head, parts_of, perform, steps
from tests.simulation.scheduler import DAY, RUN, Conditions, NeverEndsError, Record, World
from tests.simulation.specification import Step


@dataclass(frozen=True)
class Phase:
    """Programs that run at the same time, one a client. The clients keep their memories from phase to phase.

    Attributes:
        programs: the operations of each client, in order.
        days: how much time passes before the phase begins; an item lives for one day.
        clean: the run is completed once more before the phase begins, when nobody else is at work: from here on
            the run is as new.
    """

    programs: tuple[tuple[Op, ...], ...]
    days: float = 0
    clean: bool = False


@dataclass(frozen=True)
class Scenario:
    """Phases and conditions: all that a run depends on, beside the decisions."""

    phases: tuple[Phase, ...]
    conditions: Conditions = field(default_factory=Conditions)

    @override
    def __str__(self) -> str:
        """Show the programs."""
        lines = [f"{self.conditions}"]
        for number, phase in enumerate(self.phases):
            lines.append(f"phase {number}: {phase.days} days later{', completed before' if phase.clean else ''}")
            lines += [f"  client {i}: {list(program)}" for i, program in enumerate(phase.programs)]
        return "\n".join(lines)


def over(scenario: Scenario, transport: str) -> Scenario:
    """Return the scenario with clients that use another transport."""
    return replace(scenario, conditions=replace(scenario.conditions, transport=transport))


@dataclass
class Outcome:
    """What came of a run: the fault found, if any, and how it can be had again."""

    fault: str | None
    taken: list[tuple[int, int]]
    requests: int
    trace: list[str]


class _Fault(Exception):  # noqa: N818 it is one of the store, not of this code
    pass


def run(scenario: Scenario, decisions: Decisions, *, traced: bool = False) -> Outcome:
    """Run a scenario once and judge it."""
    world = World(decisions, scenario.conditions, trace=[] if traced else None)
    fault = None
    try:
        _play(world, scenario)
    except NeverEndsError:
        fault = "an operation never ends"
    except _Fault as found:
        fault = str(found)
    except Exception as error:  # noqa: BLE001 whatever the store raises that it should not
        fault = f"raises {error!r}"
    return Outcome(fault, decisions.taken, world.database.requests, world.trace or [])


def _play(world: World, scenario: Scenario) -> None:
    clients = [world.client(i) for i in range(max(len(phase.programs) for phase in scenario.phases))]
    expiries: list[Call] = []
    begun = 0.0  # the earliest moment at which something may have been written that is still there
    for phase in scenario.phases:
        before, world.now = world.now, world.now + phase.days * DAY
        if world.records and world.now - begun >= DAY:
            moment = world.tick()
            certain = world.now - before >= DAY
            expiries.append(Call((Step("delete"),), moment, moment, optional=not certain, label="expiry"))
            begun = world.now if certain else begun
        begun = begun or world.now
        if phase.clean:
            _complete(world)
            world.records.clear()
            expiries.clear()
        programs = [*phase.programs, *[()] * (len(clients) - len(phase.programs))]
        world.run(clients, programs)
    if not any(record.op.name == COMPLETE for record in world.records):
        _judge(world, scenario, expiries)


def _complete(world: World) -> None:
    with world.patched():
        perform(world.client(-1).store, Op(COMPLETE))
    if left := world.database.partitions.get(RUN):
        raise _Fault(f"after the completion there is still {list(left)}")


def _judge(world: World, scenario: Scenario, expiries: list[Call]) -> None:
    """Let a newcomer look at every key, and hold the history of each against the specification."""
    keys = sorted({op.key for phase in scenario.phases for program in phase.programs for op in program})
    records = list(world.records)
    with world.patched():
        newcomer = world.client(-1).store
        for op in [Op("get", key=key) for key in keys] + [Op(KEYS), Op(SNAPSHOT)]:
            invoked = world.tick()
            records.append(Record(-1, op, invoked, world.tick(), perform(newcomer, op), failed=False))
    for key in keys:
        with world.patched():
            calls = list(chain.from_iterable(_calls(record, records, key, world.conditions) for record in records))
        calls += expiries
        if not is_linearizable(calls):
            shown = "\n".join(f"  {call.invoked} to {call.returned}: {call.label} = {call.result!r}" for call in calls)
            raise _Fault(f"the history of key {key!r} cannot be explained:\n{shown}")


def _calls(record: Record, records: list[Record], key: str, conditions: Conditions) -> Iterator[Call]:
    """Yield what an operation means for one key."""
    op, returned, result = record.op, record.returned, record.result
    label = f"client {record.client} {op!r}"
    if op.name in {KEYS, SNAPSHOT}:
        if not record.failed:  # each key is looked at, at some moment in between
            step = Step("exists") if op.name == KEYS else Step("get")
            found = key in result if op.name == KEYS else result.get(key)
            yield Call((step,), record.invoked, returned, found, label=label)
    elif op.key == key and op.name not in {COMPLETE, SWEEP}:
        parts = parts_of(op.operand, conditions.segment_bytes) if op.name == "push_many" else None
        todo = steps(op, f"call {record.invoked}", parts)
        # A late request whose sender has given up is the operation itself: it may take effect until it arrives.
        ended = max(returned, record.arrived)
        call = Call(todo, record.invoked, ended, result, optional=record.failed, label=label)
        yield call
        # One that was sent again may take effect a second time, but only when it arrives, and only without a receipt.
        # Of a list that is set and does not fit a head, the first copy's last segment stands in the way for good.
        once = op.name == "set" and isinstance(op.operand, list)
        once = once and not fits_head(key, op.operand, conditions.segment_bytes)
        for moment in () if once else record.copies:
            yield Call(todo, moment, moment, optional=True, alternatives=True, label=f"  late copy of {label}")
        for i, step in enumerate(todo):
            for _ in range(repetitions(record, records)):
                yield Call(
                    (step,), record.invoked, returned, optional=True, original=(call, i), label=f"  part {i} again"
                )


def repetitions(record: Record, records: Sequence[Record]) -> int:
    """Return how often an operation may take effect once more because its requests were sent again.

    A request that is sent again after a reset of its key counts as sent after that. A delete that is sent again has
    left nothing that could tell: it also removes what was written since.
    """
    resets = sum(
        1 + other.echoes + len(other.copies)
        for other in records
        if other.op.name in {"set", "delete"} and other is not record and _overlap(record, other)
    )
    return min(record.echoes, resets + (record.op.name == "delete"))


def _overlap(one: Record, other: Record) -> bool:
    return one.invoked <= other.ended and other.invoked <= one.ended


def reduced(scenario: Scenario) -> Iterator[Scenario]:
    """Yield scenarios with something less."""
    for i, phase in enumerate(scenario.phases):
        rest = scenario.phases[:i], scenario.phases[i + 1 :]
        if len(scenario.phases) > 1:
            yield replace(scenario, phases=(*rest[0], *rest[1]))
        for j, program in enumerate(phase.programs):
            for k in range(len(program)):
                shorter = (*phase.programs[:j], (*program[:k], *program[k + 1 :]), *phase.programs[j + 1 :])
                yield replace(scenario, phases=(*rest[0], replace(phase, programs=shorter), *rest[1]))
    for fault in scenario.conditions.faults:
        fewer = tuple(other for other in scenario.conditions.faults if other != fault)
        yield replace(scenario, conditions=replace(scenario.conditions, faults=fewer))


def reads_only(programs: Sequence[Sequence[Op]]) -> bool:
    """Return whether nobody writes."""
    return all(op.name in {"get", "get_range", KEYS, SNAPSHOT} for program in programs for op in program)
