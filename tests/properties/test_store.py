"""Any JSON value, any key, any run id: a typed error or a correct answer, and never half a key."""

import string
import sys
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runstore import InvalidRequestError, RunStore, RunStoreError
from runstore.settings import Settings
from tests import proofs
from tests.simulation.client import Direct, SimulatedClient
from tests.simulation.database import Database

TABLE = "runs"

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text() | st.text(st.characters(categories=["Cs", "L"]))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=6), inner, max_size=5),
    max_leaves=20,
)
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60)
# Characters of which the store's own sort keys are made, beside letters: what could be taken for somebody else's.
HOSTILE = st.lists(st.sampled_from([*"k#:\x1d\x1e\x1f \u00a0\u2028/0", "key", "00000001"]), max_size=12).map("".join)


def store_in(database: Database, run_id: str = "run", segment_bytes: int = 60) -> RunStore:
    """Return a store over an in-memory DynamoDB, with small segments."""
    client: Any = SimulatedClient(Direct(database))
    return RunStore(run_id, client=client, settings=Settings(TABLE, segment_bytes=segment_bytes))


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are the same: JSON has one type of number, and true is none of them."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return bool(one == other)


@given(value=JSON)
@example(value=sys.float_info.max)
@example(value=5e-324)
@example(value=-0.0)
@example(value=10**400)
@example(value="\ud800 \udfff \U0010ffff \x00")
@example(value={"": [[], {}, [[]], None]})
@settings(max_examples=proofs.inputs(150))
def test_any_json_value_comes_back(value: Any) -> None:
    """Whatever is set is got, in the run's snapshot too, and pushed elements come back in order."""
    store = store_in(Database())
    store.set("key", value)
    assert same(store.get("key"), value)
    assert same(store.snapshot(), {"key": value})
    store.set("list", [])
    assert [store.push("list", value) for _ in range(3)] == [1, 2, 3]
    assert same(store.get("list"), [value] * 3)
    assert same(store.get_range("list", 1, 1), [value])
    proofs.record(values_tried=1)


@given(values=st.lists(JSON, max_size=12))
@settings(max_examples=proofs.inputs(100))
def test_any_list_is_the_same_set_or_pushed(values: list[Any]) -> None:
    """A list that is set, pushed in one go or element by element is one and the same list."""
    store = store_in(Database())
    store.set("set", values)
    store.push_many("many", values)
    store.set("one by one", [])
    for value in values:
        store.push("one by one", value)
    assert same(store.snapshot(), dict.fromkeys(("set", "many", "one by one"), values))


@given(key=NAMES | HOSTILE | st.text(), run_id=NAMES | HOSTILE | st.text(max_size=5))
@settings(max_examples=proofs.inputs(200))
def test_any_key_and_run_id_work_or_are_refused_before_anything_is_sent(key: str, run_id: str) -> None:
    """A key and a run id are taken, and then everything works with them, or refused by a typed error."""
    database = Database()
    try:
        store = store_in(database, run_id)
        store.push_many(key, list(range(9)))
    except InvalidRequestError:
        assert not database.requests
        return
    assert store.get(key) == list(range(9))
    assert store.keys() == [key]
    store.delete(key)
    assert store.keys() == []
    store.complete()
    assert not any(database.partitions.values())
    proofs.record(names_tried=1)


@given(data=st.data())
@settings(max_examples=proofs.inputs(80))
def test_runs_and_keys_never_meet(data: st.DataObject) -> None:
    """Keys that resemble each other's segments, in runs that resemble each other, stay apart; so does a completion."""
    hostile = st.text("k0:#/ r", min_size=1, max_size=3)
    pairs = data.draw(st.lists(st.tuples(hostile, hostile), min_size=2, max_size=6, unique=True))
    database = Database()
    for number, (run_id, key) in enumerate(pairs):
        store_in(database, run_id).push_many(key, [number] * 7, token="t")
    for number, (run_id, key) in enumerate(pairs):
        assert store_in(database, run_id).get(key) == [number] * 7
    for run_id in {run_id for run_id, _ in pairs}:
        assert sorted(store_in(database, run_id).keys()) == sorted(key for run, key in pairs if run == run_id)
    completed = pairs[0][0]
    store_in(database, completed).complete()
    for number, (run_id, key) in enumerate(pairs):
        assert store_in(database, run_id).get(key) == (None if run_id == completed else [number] * 7)
    proofs.record(pairs_of_run_and_key_tried=len(pairs))


@given(deltas=st.lists(st.integers(-(10**20), 10**20) | st.decimals(-1000, 1000, places=3).map(float), max_size=12))
@settings(max_examples=proofs.inputs(100))
def test_any_increments_add_up_exactly(deltas: list[Any]) -> None:
    """A counter is the exact decimal sum of its deltas, whether or not they have tokens, each once."""
    store, total = store_in(Database()), Decimal(0)
    for number, delta in enumerate(deltas):
        with localcontext(prec=60):
            total += Decimal(repr(delta))
        expected = int(total) if total == int(total) else float(total)
        token = f"t{number}" if number % 2 else None
        assert store.increment("count", delta, token=token) == expected
        if token:
            assert store.increment("count", delta, token=token) == expected
        assert store.get("count") == expected


@given(value=st.sampled_from([object(), {1, 2}, b"bytes", float("nan"), float("inf"), {("a",): 1}, string.Template]))
def test_what_is_not_json_is_refused_and_changes_nothing(value: Any) -> None:
    """A value that JSON does not have raises a typed error, and nothing is written."""
    database = Database()
    store = store_in(database)
    for attempt in (
        lambda: store.set("key", value),
        lambda: store.set("key", [1, {"deep": value}]),
        lambda: store.push("key", value),
        lambda: store.push_many("key", [1, value]),
    ):
        with pytest.raises(RunStoreError):
            attempt()
    assert not database.requests
