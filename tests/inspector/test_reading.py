"""Reading a run cheaply: what it finds, and what that costs on DynamoDB Local."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstore_inspector import reading
from runstore_inspector.connection import Connection, Target
from runstore_inspector.meter import metered
from runstore_inspector.reading import Wanted

if TYPE_CHECKING:
    from runstore import RunStore
    from tests.backends import Backend
    from tests.inspector.conftest import Cli


@pytest.fixture
def connection(cli: Cli, dynamodb_local_backend: Backend) -> Connection:
    """A connection to the table."""
    return Connection(Target(cli.environment["RUNSTORE_TABLE"], endpoint_url=dynamodb_local_backend.endpoint_url))


def test_a_long_list_and_many_keys_cost_little(connection: Connection, store: RunStore) -> None:
    """100,000 elements and 200 keys are listed for at most 300 read units; reading them all takes thousands."""
    for number in range(200):
        store.set(f"key/{number:03}", {"number": number, "text": "x" * 200})
    store.push_many("key/100/list", ({"id": number, "status": "done"} for number in range(100_000)))
    with metered() as meter:
        keys = reading.read_keys(connection, "r", Wanted(limit=300))
    assert [key.name for key in keys.keys] == store.keys()
    assert keys.following is None
    (long,) = [key for key in keys.keys if key.kind == "list"]
    assert (long.length, long.exact) == (100_000, False)
    assert meter.read_units <= 120  # 300 are allowed; a page of 64 items that ends in the list takes more than that
    assert meter.requests < 30


def test_many_long_lists_cost_little_each(connection: Connection, store: RunStore) -> None:
    """A long list costs its head, its last segment and at most a few segments that are read on the way."""
    for number in range(30):
        store.push_many(f"list {number:02}", ["x" * 300] * 200)
    with metered() as meter:
        keys = reading.read_keys(connection, "r")
    assert [key.length for key in keys.keys] == [200] * 30
    assert meter.read_units <= 260


def test_every_key_is_found_however_chains_lie_between_them(connection: Connection, store: RunStore) -> None:
    """Open and closed lists and counters, keys that begin like others, leftovers of a list: as the store lists them."""
    for name in ("a", "a b", "a!", "b", "b ", "é", "日本"):
        store.push_many(name, ["x" * 100] * 60)
    for name in ("a a", "c", "d"):
        store.set(name, name)
    for number in range(150):
        store.increment("counter", 2, token=f"token {number}")
    store.push_many("gone", ["x" * 100] * 60)
    store.delete("gone")
    store.push_many("reset", ["x" * 100] * 60)
    store.set("reset", [1, 2])
    keys = reading.read_keys(connection, "r")
    assert [key.name for key in keys.keys] == store.keys()
    found = {key.name: key for key in keys.keys}
    assert {found[name].length for name in ("a", "b ", "日本")} == {60}
    assert (found["counter"].text, found["reset"].length, found["c"].text) == ("300", 2, '"c"')


def test_pages_together_are_all_keys_once(connection: Connection, store: RunStore) -> None:
    """A page ends by its number of keys or by its cost, and the next one goes on there."""
    for number in range(25):
        store.push_many(f"list {number:02}", ["x" * 300] * 20)
        store.set(f"value {number:02}", "x" * 5_000)
    for wanted in (Wanted(limit=7), Wanted(max_units=10)):
        names, start, pages = [], "", 0
        while True:
            page = reading.read_keys(connection, "r", Wanted(start, limit=wanted.limit, max_units=wanted.max_units))
            names += [key.name for key in page.keys]
            pages += 1
            if page.following is None:
                break
            start = page.following
        assert names == store.keys()
        assert pages > 3


def test_a_prefix_narrows(connection: Connection, store: RunStore) -> None:
    """Only keys that begin with the prefix are read."""
    for name in ("a", "b", "b/1", "b/é", "c"):
        store.set(name, 1)
    store.push_many("b/2", ["x" * 300] * 20)
    assert [key.name for key in reading.read_keys(connection, "r", Wanted(prefix="b/")).keys] == ["b/1", "b/2", "b/é"]
    store.set("key\U0010ffff\U0010ffff", 1)  # which sorts after every other key
    found = reading.read_keys(connection, "r", Wanted(prefix="key"))
    assert [key.name for key in found.keys] == store.keys("key")


def test_a_key_by_itself(connection: Connection, store: RunStore) -> None:
    """One key is read with its length, a missing one is None."""
    store.push_many("l", range(5_000))
    key = reading.read_key(connection, "r", "l")
    assert key is not None
    assert (key.kind, key.length) == ("list", 5_000)
    assert reading.read_key(connection, "r", "missing") is None
