"""Every operation under every fault, at each of its requests in turn: what comes of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ReadTimeoutError

from runstore import RunStore, ThrottledError, TransientError, UnavailableError
from runstore.settings import Settings
from tests import proofs
from tests.backends import Backend
from tests.faults import injector as faults
from tests.faults.injector import Boto3Injector, DirectInjector, Fault, Injector

LARGE = "x" * 3_000
LONG = [f"element {i}" for i in range(40)]  # several segments of 200 bytes
PASSING: list[Fault] = [
    faults.request_lost,
    faults.answer_lost,
    faults.connection_closed,
    faults.throttled,
    faults.server_error,
    faults.server_error_after,
    faults.conflict,
    faults.answer_corrupted,
    faults.throttled_transaction,
]
AMBIGUOUS = [
    faults.answer_lost,
    faults.connection_closed,
    faults.server_error,
    faults.server_error_after,
    faults.answer_corrupted,
]

# Each operation: what it does to a run in which `list` is LONG, `short` is [1], `count` is 5; and its answer.
OPERATIONS: dict[str, tuple[Callable[[RunStore], Any], Any]] = {
    "get": (lambda store: store.get("list"), LONG),
    "get_range": (lambda store: store.get_range("list", 30, 3), LONG[30:33]),
    "keys": (lambda store: store.keys(), ["count", "list", "short"]),
    "snapshot": (lambda store: store.snapshot(), {"count": 5, "list": LONG, "short": [1]}),
    "set": (lambda store: store.set("short", {"a": 1}), None),
    "set over a long list": (lambda store: store.set("list", 1), None),
    "set a long list": (lambda store: store.set("short", LONG), None),
    "delete": (lambda store: store.delete("short"), None),
    "delete a long list": (lambda store: store.delete("list"), None),
    "push": (lambda store: store.push("short", 2), 2),
    "push to a long list": (lambda store: store.push("list", "last"), 41),
    "push with a token": (lambda store: store.push("short", 2, token="t"), 2),
    "push to a long list with a token": (lambda store: store.push("list", "last", token="t"), 41),
    "push_many": (lambda store: store.push_many("list", LONG), 80),
    "push_many with a token": (lambda store: store.push_many("list", LONG, token="t"), 80),
    "increment with a token": (lambda store: store.increment("count", 2, token="t"), 7),
    "setdefault": (lambda store: store.setdefault("new", {"a": 1}), {"a": 1}),
    "setdefault of a key that is set": (lambda store: store.setdefault("list", 1), LONG),
    "setdefault a long list": (lambda store: store.setdefault("new", LONG), LONG),
    "apply": (
        lambda store: store.apply(
            [{"do": "push", "key": "list", "item": "last"}, {"do": "increment", "key": "count", "delta": 2}], token="t"
        ),
        [{"key": "list", "length": 41}, {"key": "count", "value": 7}],
    ),
    "begin with a large element": (lambda store: store.push("new", LARGE, token="t"), 1),
    "push a large element": (lambda store: store.push("short", LARGE, token="t"), 2),
    "complete": (lambda store: [store.complete(), None][1], None),
}
AFTERWARDS: dict[str, dict[str, Any]] = {
    "set": {"short": {"a": 1}},
    "set over a long list": {"list": 1},
    "set a long list": {"short": LONG},
    "delete": {"short": None},
    "delete a long list": {"list": None},
    "push": {"short": [1, 2]},
    "push to a long list": {"list": [*LONG, "last"]},
    "push with a token": {"short": [1, 2]},
    "push to a long list with a token": {"list": [*LONG, "last"]},
    "push_many": {"list": LONG + LONG},
    "push_many with a token": {"list": LONG + LONG},
    "increment with a token": {"count": 7},
    "setdefault": {"new": {"a": 1}},
    "setdefault a long list": {"new": LONG},
    "apply": {"list": [*LONG, "last"], "count": 7},
    "begin with a large element": {"new": [LARGE]},
    "push a large element": {"short": [1, LARGE]},
    "complete": {"count": None, "list": None, "short": None},
}
PLAIN: dict[str, tuple[Callable[[RunStore], Any], Any]] = {"increment": (lambda store: store.increment("count"), 6)}
REPEATABLE = sorted(set(OPERATIONS) - {"push", "push to a long list", "push_many"})


@pytest.fixture(scope="module")
def table(dynamodb_local_backend: Backend) -> str:
    """A table for all tests here; each uses runs of its own."""
    return dynamodb_local_backend.make_table("faults")


class Bench:
    """Runs in a known state, and stores whose requests fail."""

    def __init__(self, backend: Backend, table: str, name: str, transport: str) -> None:
        self.backend, self.settings, self.name, self.runs = backend, Settings(table, segment_bytes=200), name, 0
        self.transport, self.sound, self.pools = transport, backend.client(), ExitStack()

    def fresh(self) -> str:
        """Return a run in the known state."""
        self.runs += 1
        run_id = f"{self.name}-{self.runs}"
        store = self.store(run_id)
        store.set("list", LONG)
        store.set("short", [1])
        store.set("count", 5)
        return run_id

    def store(self, run_id: str) -> RunStore:
        """Return a store whose requests arrive."""
        return RunStore(run_id, client=self.sound, settings=self.settings)

    def faulty(self, run_id: str, fault: Fault, at: int = 0, *, always: bool = False) -> tuple[RunStore, Injector]:
        """Return a store that meets a fault."""
        if self.transport == "direct":
            pool = DirectInjector(self.backend.endpoint, fault, at, always=always)
            self.pools.callback(pool.close)
            return RunStore(run_id, client=self.backend.direct(pool), settings=self.settings), pool
        client = self.backend.client(retries={"mode": "legacy", "total_max_attempts": 4})
        store = RunStore(run_id, client=client, settings=self.settings)
        return store, Boto3Injector(client, fault, at, always=always)

    def check(self, run_id: str, changed: dict[str, Any]) -> None:
        """Hold the run to its known state but for what was changed."""
        expected = {"list": LONG, "short": [1], "count": 5} | changed
        assert self.store(run_id).snapshot() == {key: value for key, value in expected.items() if value is not None}


@pytest.fixture(params=["boto3", "direct"])
def bench(dynamodb_local_backend: Backend, table: str, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A bench with runs of this test alone, for each transport."""
    bench = Bench(dynamodb_local_backend, table, request.node.name, request.param)
    with bench.pools:
        yield bench
    bench.sound.close()


@pytest.mark.parametrize("name", OPERATIONS)
def test_one_fault_changes_nothing(name: str, bench: Bench) -> None:
    """An operation that meets a fault, another one at each of its requests, has its usual answer and effect, once."""
    shift = sorted(OPERATIONS).index(name)
    _meets_one_fault(name, PASSING[shift % len(PASSING) :] + PASSING[: shift % len(PASSING)], bench)


@pytest.mark.prove
@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_fault_at_each_request_changes_nothing(name: str, fault: Fault, bench: Bench) -> None:
    """The same for every fault at every request."""
    _meets_one_fault(name, [fault], bench)


def _meets_one_fault(name: str, faults: list[Fault], bench: Bench) -> None:
    operation, answer = OPERATIONS[name]
    for at in range(60):
        run_id = bench.fresh()
        store, injector = bench.faulty(run_id, faults[at % len(faults)], at)
        assert operation(store) == answer
        bench.check(run_id, AFTERWARDS.get(name, {}))
        if not injector.injected:
            break
        proofs.record(faults_injected_below_boto3=1)
    else:
        pytest.fail("more than 60 requests")
    assert at > 0, "not one request was sent"


@pytest.mark.parametrize("fault", AMBIGUOUS, ids=lambda fault: fault.__name__)
def test_a_plain_increment_is_never_sent_again(fault: Fault, bench: Bench) -> None:
    """After an ambiguous failure a plain increment raises, says that it may have counted, and was sent once."""
    run_id = bench.fresh()
    store, injector = bench.faulty(run_id, fault)
    with pytest.raises(UnavailableError, match="may have happened") as raised:
        store.increment("count")
    assert raised.value.may_have_happened
    assert injector.sent == ["UpdateItem"]
    assert bench.store(run_id).get("count") == (5 if fault is faults.server_error else 6)


@pytest.mark.parametrize("fault", [faults.request_lost, faults.throttled, faults.conflict], ids=lambda f: f.__name__)
def test_a_plain_increment_that_cannot_have_counted_is_sent_again(fault: Fault, bench: Bench) -> None:
    """Where nothing can have happened, a plain increment is sent again and counts once."""
    run_id = bench.fresh()
    store, injector = bench.faulty(run_id, fault)
    assert store.increment("count") == 6
    assert injector.sent == ["UpdateItem", "UpdateItem"]


@pytest.mark.parametrize("name", ["increment", "push", "push with a token", "set", "delete"])
def test_a_request_that_was_never_sent_has_not_happened(name: str, bench: Bench) -> None:
    """Where no attempt got a connection, the error says that nothing was written."""
    run_id = bench.fresh()
    store, injector = bench.faulty(run_id, faults.request_lost, always=True)
    with pytest.raises(UnavailableError, match=r"wrote nothing\. Try again") as raised:
        (OPERATIONS | PLAIN)[name][0](store)
    assert not raised.value.may_have_happened
    assert injector.injected > 1
    bench.check(run_id, {})


@pytest.mark.parametrize(("key", "length", "after"), [("short", 1, [2]), ("list", len(LONG) + 1, [])])
def test_a_push_that_is_sent_again_after_a_set(key: str, length: int, after: list[int], bench: Bench) -> None:
    """Its receipt in the head goes with the set, and it counts again; a receipt beyond the head stays, and is found."""
    run_id = bench.fresh()

    def answer_lost_and_key_set(injector: Injector, request: AWSPreparedRequest) -> AWSResponse:
        with suppress(ReadTimeoutError):
            faults.answer_lost(injector, request)
        bench.store(run_id).set(key, [])
        raise ReadTimeoutError(endpoint_url=request.url)

    at = 2 if key == "list" else 0  # after the closed head's refusal, and a Query for the tail
    store, injector = bench.faulty(run_id, answer_lost_and_key_set, at)
    assert store.push(key, 2) == length
    assert injector.sent[at] == "UpdateItem"
    bench.check(run_id, {key: after})


@pytest.mark.parametrize("last", [faults.request_lost, faults.throttled], ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("first", AMBIGUOUS, ids=lambda fault: fault.__name__)
def test_a_lost_answer_is_not_forgotten(first: Fault, last: Fault, bench: Bench) -> None:
    """When a write's answer is lost and later attempts cannot have happened, the error still says that it may have."""
    run_id = bench.fresh()
    store, _ = bench.faulty(run_id, faults.one_after_another(first, last), always=True)
    with pytest.raises(TransientError, match="The write may have happened") as raised:
        store.push("short", 2)
    assert raised.value.may_have_happened
    assert type(raised.value) is (UnavailableError if last is faults.request_lost else ThrottledError)
    assert bench.store(run_id).get("short") == ([1] if first is faults.server_error else [1, 2])


@pytest.mark.parametrize("name", ["set over a long list", "set a long list", "delete a long list"])
def test_a_throttled_transaction_is_sent_again(name: str, bench: Bench) -> None:
    """A transaction cancelled for want of capacity is sent as often as one in conflict, before ThrottledError."""
    run_id = bench.fresh()
    store, injector = bench.faulty(run_id, faults.throttled_transaction, always=True)
    with pytest.raises(ThrottledError, match=r"wrote nothing\. Try again"):
        OPERATIONS[name][0](store)
    assert injector.sent.count("TransactWriteItems") == 9
    bench.check(run_id, {})


@pytest.mark.parametrize("name", OPERATIONS)
def test_throttling_to_the_last_try_writes_nothing(name: str, bench: Bench) -> None:
    """Throttling that outlasts the retries raises ThrottledError, which is to be tried again; nothing was written."""
    run_id = bench.fresh()
    store, _ = bench.faulty(run_id, faults.throttled, always=True)
    with pytest.raises(ThrottledError):
        OPERATIONS[name][0](store)
    bench.check(run_id, {})


@pytest.mark.parametrize(
    "fault",
    [
        faults.answer_lost,
        *(pytest.param(fault, marks=pytest.mark.prove) for fault in (faults.request_lost, *AMBIGUOUS[1:])),
    ],
    ids=lambda fault: fault.__name__,
)
@pytest.mark.parametrize("name", REPEATABLE)
def test_a_repeated_attempt_is_exact(name: str, fault: Fault, bench: Bench) -> None:
    """What failed for good at any of its requests can be repeated, where a token or its nature allows, and is exact."""
    operation, answer = OPERATIONS[name]
    for at in range(60):
        run_id = bench.fresh()
        store, injector = bench.faulty(run_id, fault, at, always=True)
        try:
            assert operation(store) == answer
        except UnavailableError:
            assert injector.injected
        assert operation(bench.store(run_id)) == answer
        bench.check(run_id, AFTERWARDS.get(name, {}))
        if not injector.injected:
            break
        proofs.record(faults_injected_below_boto3=injector.injected)
    else:
        pytest.fail("more than 60 requests")


@pytest.mark.parametrize("name", ["push", "push with a token", "set", "delete", "set over a long list"])
def test_conflicts_to_the_last_try_write_nothing(name: str, bench: Bench) -> None:
    """Transaction conflicts that outlast the store's own tries raise ThrottledError, and nothing was written."""
    run_id = bench.fresh()
    store, injector = bench.faulty(run_id, faults.conflict, always=True)
    with pytest.raises(ThrottledError):
        OPERATIONS[name][0](store)
    assert injector.injected > 1
    bench.check(run_id, {})
