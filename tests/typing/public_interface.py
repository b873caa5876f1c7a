"""The types of the public interface, as a caller's own type checker finds them."""

from typing import TYPE_CHECKING, assert_type

import boto3

from runstore import (
    JSON,
    IncompleteCompletionError,
    KeyTypeMismatchError,
    RunStore,
    RunStoreError,
    Settings,
    UnavailableError,
    __version__,
)
from runstore.testing import InMemoryRunStore

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def making(client: "DynamoDBClient") -> None:
    """A store is made from a run id alone, or with what comes in by keyword."""
    assert_type(RunStore("run"), RunStore)
    assert_type(RunStore("run", table_name="runs", client=client), RunStore)
    assert_type(RunStore("run", client=boto3.client("dynamodb"), settings=Settings("runs", ttl_days=7)), RunStore)
    RunStore("run", "runs")  # type: ignore[call-arg]
    RunStore(7)  # type: ignore[arg-type]


def testing() -> None:
    """What takes a store takes the one in memory."""
    reading(InMemoryRunStore())
    writing(InMemoryRunStore("run", settings=Settings("in-memory", ttl_days=7)))
    failing(InMemoryRunStore("run", runs={}))


def reading(store: RunStore) -> None:
    """What reading returns."""
    assert_type(store.run_id, str)
    assert_type(store.requests, int)
    assert_type(store.get("key"), JSON)
    assert_type(store.get("key", default=0), JSON)
    assert_type(store.find("key"), tuple[bool, JSON])
    assert_type(store.get_range("key"), list[JSON])
    assert_type(store.get_range("key", 5, limit=10), list[JSON])
    assert_type(store.find_range("key", start=5), tuple[bool, list[JSON]])
    assert_type(store.keys(), list[str])
    assert_type(store.snapshot(), dict[str, JSON])
    store.get(7)  # type: ignore[arg-type]
    store.get_range("key", start="5")  # type: ignore[arg-type]


def writing(store: RunStore) -> None:
    """What writing takes and returns."""
    value: dict[str, list[int]] = {"a": [1]}
    store.set("key", value)
    store.set("key", None)
    assert_type(store.push("key", value), int)
    assert_type(store.push("key", value, token="t"), int)
    assert_type(store.push_many("key", (number for number in range(3)), token="t"), int)
    assert_type(store.increment("key"), int | float)
    assert_type(store.increment("key", -1, "t"), int | float)
    assert_type(store.increment("key", delta=0.5, token=None), int | float)
    store.delete("key")
    assert_type(store.complete(), int)
    assert_type(store.complete(time_left=lambda: 3.5), int)
    store.increment("key", "1")  # type: ignore[arg-type]
    store.push("key", value, token=7)  # type: ignore[arg-type]
    store.push_many("key", 7)  # type: ignore[arg-type]


def failing(store: RunStore) -> None:
    """What errors carry."""
    try:
        store.increment("key")
    except UnavailableError as error:
        assert_type(error.may_have_happened, bool)
    except KeyTypeMismatchError as error:
        assert_type(error.holds, str | None)
    except IncompleteCompletionError as error:
        assert_type(error.done, int)
    except RunStoreError as error:
        assert_type(error.run_id, str | None)
        assert_type(error.key, str | None)
        assert_type(error.operation, str | None)
        assert_type(error.appended, int)


def version() -> None:
    """The version is text."""
    assert_type(__version__, str)
