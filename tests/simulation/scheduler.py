"""Clients that run the real RunStore, one DynamoDB request at a time, in an order that somebody else decides.

Each client is a greenlet. It hands over before every request, and between the items of a request that is not atomic.
One turn is: begin an operation and make its first request, or make the next one.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

from botocore.exceptions import ClientError
from greenlet import getcurrent, greenlet

from runstore import RunStore, clock
from runstore.errors import TransientError
from runstore.lifecycle import completion
from runstore.model import items
from runstore.settings import Settings
from tests.simulation import faults
from tests.simulation.client import Network, SimulatedClient
from tests.simulation.database import Database
from tests.simulation.decisions import Decisions
from tests.simulation.direct import SimulatedTransport
from tests.simulation.expressions import Item
from tests.simulation.operations import SWEEP, Op, perform
from tests.simulation.wire import Request

TABLE, RUN = "runs", "run"
TRANSPORTS: dict[str, Callable[[Network], object]] = {"boto3": SimulatedClient, "direct": SimulatedTransport}
TURNS = 3_000  # more than any program here can need: an operation has not ended
_START = 1_800_000_000
DAY = 86_400


class NeverEndsError(Exception):
    """A client still has not finished after many turns."""


@dataclass
class Record:
    """One operation as its client saw it.

    `echoes` counts requests that were sent again after they had taken effect. `copies` are the moments at which late
    requests arrived whose sender had sent them again, `arrived` is that of one whose sender had given up.
    """

    client: int
    op: Op
    invoked: int
    returned: int = 0
    result: Any = None
    failed: bool = True  # it raised a TransientError, or its process is gone: nobody knows what came of it
    echoes: int = 0
    copies: list[int] = field(default_factory=list)
    arrived: int = 0

    @property
    def ended(self) -> int:
        """The moment after which nothing of this operation takes effect."""
        return max(self.returned, self.arrived, *self.copies)


@dataclass(frozen=True)
class LateRequest:
    """A request that is still in the network while its sender goes on. `again`: the sender sends it again."""

    operation: str
    request: Request
    client: "Client"
    record: Record
    again: bool


@dataclass(frozen=True)
class Conditions:
    """What the clients meet: `step_seconds` pass at every turn, at most `most_faults` of `faults.FAULTS` happen."""

    segment_bytes: int = 1
    step_seconds: float = 0.0
    page: int = 1_000_000
    part_segments: int = 2
    large_bytes: int = 1_536  # elements of this weight, and 1.5 times `segment_bytes`, go beyond the head
    faults: tuple[str, ...] = ()
    most_faults: int = 1_000_000
    max_value_bytes: int = 65_536
    transport: str = "boto3"


@dataclass
class World:
    """One run of some programs: a database, a clock, and the order in which the clients take their turns."""

    decisions: Decisions
    conditions: Conditions = Conditions()
    records: list[Record] = field(default_factory=list)
    trace: list[str] | None = None  # a list to write the readable history to
    turns: int = 0
    now: float = _START
    late: list[LateRequest] = field(default_factory=list)
    faults: int = 0

    def __post_init__(self) -> None:
        self.database = Database(page=self.conditions.page)
        self._ids = 0

    def client(self, number: int) -> "Client":
        """Return a new client that remembers nothing."""
        return Client(self, number)

    def run(self, clients: Sequence["Client"], programs: Sequence[Sequence[Op]]) -> None:
        """Let the clients run their programs at the same time, to the end, and late requests arrive at any moment."""
        with self.patched():
            for client, program in zip(clients, programs, strict=True):
                client.begin(program)
            try:
                self._take_turns([client for client in clients if client.alive])
            finally:
                for client in clients:
                    client.kill()

    def _take_turns(self, live: list["Client"]) -> None:
        while live or self.late:
            # The client that had the last turn comes first: choosing 0 all the time lets each run to its end.
            choice = self.decisions.choose(len(live) + len(self.late))
            self.turns += 1
            if self.turns > TURNS:
                raise NeverEndsError
            self.now += self.conditions.step_seconds
            if choice >= len(live):
                self._arrive(self.late.pop(choice - len(live)))
                continue
            client = live.pop(choice)
            client.take_turn()
            if client.alive:
                live.insert(0, client)

    def _arrive(self, late: LateRequest) -> None:
        """Let a late request take effect; its answer goes nowhere."""
        late.client.note("    arrives late: {} {}", late.operation, _place(late.request))
        if late.again:
            late.record.copies.append(self.turns)
        else:
            late.record.arrived = self.turns
        with suppress(ClientError):
            self.database.perform(late.operation, late.request, lambda: None)

    def tick(self) -> int:
        """Return a moment after all others."""
        self.turns += 1
        return self.turns

    def _now(self) -> int:
        return int(self.now)

    def _elapsed(self) -> float:
        return self.now

    @contextmanager
    def patched(self) -> Iterator[None]:
        """Let the store see this world's clock and random ids."""

        def random_id(size: int) -> str:
            self._ids += 1
            return f"{self._ids:0{size * 4 // 3}d}"

        def sleep(_: float) -> None:
            """Wait for nobody: the next turn is somebody else's anyway."""

        replaced: list[tuple[Any, str, Any]] = [
            (clock, "now", self._now),
            (clock, "elapsed", self._elapsed),
            (clock, "sleep", sleep),
            (secrets, "token_urlsafe", random_id),
            (items, "PART_SEGMENTS", self.conditions.part_segments),
            (items, "LARGE_BYTES", self.conditions.large_bytes),
            (completion, "ThreadPoolExecutor", _InTurn),
        ]
        kept = [(module, name, getattr(module, name)) for module, name, _ in replaced]
        for module, name, substitute in replaced:  # by hand: mock.patch takes longer than a whole run
            setattr(module, name, substitute)
        try:
            yield
        finally:
            for module, name, original in kept:
                setattr(module, name, original)


class _InTurn:
    """An executor without threads: work is done when it is handed in, request by request like everything else."""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Return a future that is over."""
        future: Future[Any] = Future()
        try:
            future.set_result(work(*arguments))
        except Exception as failure:  # noqa: BLE001 the future hands it on, as an executor's does
            future.set_exception(failure)
        return future


class Client:
    """One process that uses the store: its RunStore, what that remembers, and the operation under way."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number = world, number
        settings = Settings(
            TABLE,
            max_value_bytes=world.conditions.max_value_bytes,
            ttl_days=1,
            segment_bytes=world.conditions.segment_bytes,
        )
        client: Any = TRANSPORTS[world.conditions.transport](self)
        self.store = RunStore(RUN, client=client, settings=settings)
        self.record: Record | None = None
        self._greenlet: greenlet | None = None
        self._scheduler = getcurrent()
        self._first = True

    # ---------------------------------------------------------------- the program
    def begin(self, program: Sequence[Op]) -> None:
        """Get ready to run a program; nothing is sent yet."""
        self._scheduler = getcurrent()
        self._greenlet = greenlet(self._program)
        if program:
            self._greenlet.switch(program)

    @property
    def alive(self) -> bool:
        """Whether anything is left to do."""
        return self._greenlet is not None and bool(self._greenlet)

    def take_turn(self) -> None:
        """Run up to the next request."""
        if self._greenlet is not None:
            self._greenlet.switch()

    def kill(self) -> None:
        """End this process where it stands."""
        if self._greenlet is not None and self._greenlet:
            self._greenlet.throw()

    def pause(self) -> None:
        """Hand over to the scheduler."""
        self._scheduler.switch()

    def _program(self, program: Sequence[Op]) -> None:
        for op in program:
            self.pause()
            self._first = True
            self.record = Record(self.number, op, self.world.tick())
            self.world.records.append(self.record)
            self.note("{!r}", op)
            try:
                self.record.result = self._do(op)
                self.record.failed = False
                self.note("  {!r} returns {!r}", op, self.record.result)
            except TransientError as failure:
                self.note("  {!r} raises {}", op, type(failure).__name__)
            finally:
                self.record.returned = self.world.tick()

    def _do(self, op: Op) -> Any:
        if op.name != SWEEP:
            return perform(self.store, op)
        self._sweep()
        return None

    def _sweep(self) -> None:
        """Be DynamoDB's own deletion of expired items: late, one by one, in any order with everything else."""
        rows = self.world.database.partitions.get(RUN, {})
        for sort_key in [key for key, item in rows.items() if self._expired(item)]:
            if sort_key in rows and self._expired(rows[sort_key]):
                self.note("    removes {!r}", sort_key)
                self.world.database.write((RUN, sort_key), None)
            self.pause()

    def _expired(self, item: Item) -> bool:
        return int(item["expires_at"]["N"]) <= self.world.now

    def note(self, text: str, *shown: object) -> None:
        """Add a line to the history that a reader of a failure sees."""
        if self.world.trace is not None:
            self.world.trace.append(f"{self.world.turns:4d}  client {self.number}  {text.format(*shown)}")

    # ---------------------------------------------------------------- the network
    def deliver(self, operation: str, request: Request) -> dict[str, Any]:
        """Carry a request to the database, when it is this client's turn; or lose it."""
        if getcurrent() is not self._greenlet:  # a look from outside, when the programs are over
            return self.world.database.perform(operation, request, lambda: None)
        if not self._first:
            self.pause()
        self._first = False
        conditions = self.world.conditions
        happening = conditions.faults if self.world.faults < conditions.most_faults else ()
        possible = faults.possible(happening, operation)
        fault = self.world.decisions.fault(len(possible))
        if not fault:
            return self.send(operation, request)
        name = possible[fault - 1]
        self.world.faults += 1
        self.note("    {}: {}", operation, name)
        if name in faults.AFTER:  # it takes effect, but nobody hears of it, not even that a condition was false
            if self.record is not None:
                self.record.echoes += 1
            with suppress(ClientError):
                self.send(operation, request)
        elif name in faults.LATE and self.record is not None:
            again = name == "late, sent again" and not self.record.op.counts_plainly
            self.world.late.append(LateRequest(operation, request, self, self.record, again))
        failure = faults.FAULTS[name]()
        raise failure

    def send(self, operation: str, request: Request) -> dict[str, Any]:
        """Let a request take effect."""
        if self.world.trace is not None:
            self.note("    {} {}", operation, _place(request))
        return self.world.database.perform(operation, request, self.pause)


def _place(request: Request) -> str:
    """Return which items a request is about, for the trace."""
    if "TransactItems" in request:
        return " + ".join(
            f"{kind} {_place(write)}" for action in request["TransactItems"] for kind, write in action.items()
        )
    key = request.get("Key") or request.get("Item")
    return repr(key["key"]["S"]) if key else ""
