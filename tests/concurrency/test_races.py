"""Real races, judged by the same rules as the simulation; and a database that loses updates, which must be caught."""

import random
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from threading import Thread

import pytest

from runstore import RunStore
from tests import proofs
from tests.backends import Backend
from tests.concurrency.clients import (
    SEGMENT_BYTES,
    Observed,
    counter_violations,
    list_violations,
    process,
    store_of,
    threads,
)
from tests.simulation.linearizability import is_linearizable
from tests.simulation.operations import Op
from tests.simulation.programs import ProgramGenerator


@pytest.fixture(scope="module")
def table(dynamodb_local_backend: Backend) -> str:
    """A table for all tests here; each uses a run of its own."""
    return dynamodb_local_backend.make_table("races")


def _pushes(writers: int, each: int) -> list[list[Op]]:
    return [[Op("push", f"{writer} {number}", key="list") for number in range(each)] for writer in range(writers)]


def _mixed_histories(backend: Backend, table: str, run_id: str, seed: int, rounds: int) -> int:
    """Let clients that stay the same hammer fresh keys, and check each key's history; return how many."""
    rng, writers = random.Random(seed), 5
    stores = [store_of(backend, table, f"{run_id}-{seed}") for _ in range(writers)]
    for round_number in range(rounds):
        generator = ProgramGenerator(rng, keys=2, resets=rng.random() < 0.7)
        programs = [
            [Op(op.name, op.operand, op.token, f"{op.key}-{round_number}") for op in generator.program(8)]
            for _ in range(writers)
        ]
        seen = [one for one in threads(stores, programs) if one.op.name not in {"keys", "snapshot"}]
        for key in {one.op.key for one in seen}:
            calls = [one.call() for one in seen if one.op.key == key]
            assert is_linearizable(calls), f"seed {seed}, round {round_number}, key {key}:\n" + "\n".join(
                map(str, calls)
            )
    return rounds


def test_mixed_histories_can_be_explained(dynamodb_local_backend: Backend, table: str) -> None:
    """What five threads see of a few keys, with tokens, sets and deletes, is explained by one order."""
    assert _mixed_histories(dynamodb_local_backend, table, "mixed", seed=1, rounds=12) == 12


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(2, 8))
def test_many_mixed_histories_can_be_explained(dynamodb_local_backend: Backend, table: str, seed: int) -> None:
    """The same for hundreds of histories."""
    proofs.record(real_histories_checked=_mixed_histories(dynamodb_local_backend, table, "many", seed, rounds=100))


def _follow(store: RunStore, total: int, found: list[object]) -> None:
    """Read a growing list by index, a few elements at a time, until all are there."""
    while len(found) < total:
        found += store.get_range("list", len(found), 40)


def _fan_out(backend: Backend, table: str, run_id: str, shape: tuple[int, int, int]) -> None:
    """Push from many threads of several processes while readers follow by index."""
    processes, writers, each = shape
    programs = _pushes(processes * writers, each)
    total = processes * writers * each
    followed: list[list[object]] = [[], []]
    readers = [Thread(target=_follow, args=(store_of(backend, table, run_id), total, found)) for found in followed]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        running = [
            pool.submit(process, backend, table, run_id, programs[i * writers : (i + 1) * writers])
            for i in range(processes)
        ]
        for reader in readers:
            reader.start()
        try:
            seen: list[Observed] = [one for future in running for one in future.result()]
        finally:
            if any(future.exception() for future in running):
                for found in followed:  # nothing more will come: let the readers end
                    found.extend([None] * total)
            for reader in readers:
                reader.join()
    elements = store_of(backend, table, run_id).get("list")
    assert isinstance(elements, list)
    assert not list_violations(seen, elements)
    assert followed == [elements, elements]
    proofs.record(elements_pushed_by_racing_writers=total)


def test_two_processes_lose_nothing(dynamodb_local_backend: Backend, table: str) -> None:
    """Sixteen writers in two processes: every element once, in the order told, and readers by index miss none."""
    _fan_out(dynamodb_local_backend, table, "processes", shape=(2, 8, 25))


@pytest.mark.prove
def test_32_writers_push_10_000_elements(dynamodb_local_backend: Backend, table: str) -> None:
    """The same for 32 writers and 10,000 elements."""
    _fan_out(dynamodb_local_backend, table, "large", shape=(4, 8, 313))


@pytest.mark.parametrize("tokens", [False, True])
def test_increments_are_all_counted(dynamodb_local_backend: Backend, table: str, *, tokens: bool) -> None:
    """Eight threads increment one counter: each is told another value, in the order of time."""
    run_id = f"counter-{tokens}"
    stores = [store_of(dynamodb_local_backend, table, run_id) for _ in range(8)]
    programs = [
        [Op("increment", 1, f"{writer}-{number}" if tokens else None) for number in range(25)] for writer in range(8)
    ]
    seen = threads(stores, programs)
    assert not counter_violations(seen, stores[0].get("k"))
    proofs.record(racing_increments=len(seen))


def test_one_token_raced_by_many_takes_effect_once(dynamodb_local_backend: Backend, table: str) -> None:
    """Eight attempts at the same tokens, at once and on a list beyond one item, append each element once."""
    stores = [store_of(dynamodb_local_backend, table, "tokens") for _ in range(8)]
    program = [Op("push", "x" * 50, f"token {number}") for number in range(30)]
    seen = threads(stores, [program] * 8)
    assert len(stores[0].get("k")) == 30
    for token in {one.op.token for one in seen}:
        assert len({one.result for one in seen if one.op.token == token}) == 1
    assert len("x" * 50 * 30) > 3 * SEGMENT_BYTES
    proofs.record(racing_attempts_with_a_token=len(seen))


@pytest.fixture
def _hasty_threads() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_hasty_threads")
def test_a_database_that_loses_updates_is_caught(moto_backend: Backend) -> None:
    """The negative control: moto's requests are not atomic between threads, and the same checks say so."""
    name = moto_backend.make_table()
    for attempt in range(20):
        stores = [store_of(moto_backend, name, f"run-{attempt}") for _ in range(8)]
        seen = threads(stores, [[Op("increment", 1) for _ in range(25)] for _ in range(8)])
        if counter_violations(seen, stores[0].get("k")):
            return
    pytest.fail("4,000 racing increments on moto, and none was missed: these tests could not see a lost update")
