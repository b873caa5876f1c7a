"""The types of the public interface, as a caller's own type checker finds them."""

from typing import TYPE_CHECKING, Any, assert_type

import boto3

from runstore import (
    IncompleteCompletionError,
    KeyTypeMismatchError,
    RunStore,
    RunStoreError,
    Settings,
    Store,
    UnavailableError,
    __version__,
)
from runstore.testing import InMemoryRunStore
from runstore.workflow import StepApi

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def making(client: "DynamoDBClient") -> None:
    """A store is made from a run id alone, or with what comes in by keyword."""
    assert_type(RunStore("run"), RunStore)
    assert_type(RunStore("run", table_name="runs", client=client), RunStore)
    assert_type(RunStore("run", client=boto3.client("dynamodb"), settings=Settings("runs", ttl_days=7)), RunStore)
    RunStore("run", "runs")  # type: ignore[call-arg]
    RunStore(7)  # type: ignore[arg-type]


def every_store(real: RunStore, in_memory: InMemoryRunStore, api: StepApi) -> None:
    """A parameter annotated with Store accepts each implementation, and nothing that is less than one."""
    for_any(real)
    for_any(in_memory)
    for_any(api.run_store)
    for_any({"key": 1})  # type: ignore[arg-type]
    for_the_real_one(in_memory)  # type: ignore[arg-type]
    for_the_real_one(api.run_store)  # type: ignore[arg-type]


def for_any(store: Store) -> None:
    """What a step of one's own does with whichever store it gets."""
    reading(store)
    writing(store)


def for_the_real_one(store: RunStore) -> None:
    """What only the real one and the one in memory have."""
    assert_type(store.requests, int)
    assert_type(store.complete(), int)
    store.complete(time_left=lambda: 3.5)  # type: ignore[call-arg]
    store.retire  # type: ignore[attr-defined]  # noqa: B018 the functions' own
    store.find_range  # type: ignore[attr-defined]  # noqa: B018 the same


def in_memory() -> None:
    """The store for tests is made from nothing, and has the same surface."""
    store = InMemoryRunStore("run", settings=Settings("in-memory", ttl_days=7))
    assert_type(InMemoryRunStore(), InMemoryRunStore)
    assert_type(InMemoryRunStore("run", runs={}).complete(), int)
    assert_type(store.requests, int)
    store.retire  # type: ignore[attr-defined]  # noqa: B018 no event is about it


def reading(store: Store) -> None:
    """What reading returns."""
    assert_type(store.run_id, str)
    assert_type(store.get("key"), Any)
    assert_type(store.get("key", 0) + 1, Any)
    assert_type(store.get("key", default=0), Any)
    assert_type(store.find("key"), tuple[bool, Any])
    assert_type(store.get_range("key"), list[Any])
    assert_type(store.get_range("key", 5, limit=10), list[Any])
    assert_type(store.keys(), list[str])
    assert_type(store.keys("results/"), list[str])
    assert_type(store.snapshot(prefix="results/"), dict[str, Any])
    store.keys(7)  # type: ignore[arg-type]
    store.run_id = "other"  # type: ignore[misc]
    store.get(7)  # type: ignore[arg-type]
    store.get_range("key", start="5")  # type: ignore[arg-type]


def writing(store: Store) -> None:
    """What writing accepts and returns."""
    value: dict[str, list[int]] = {"a": [1]}
    store.set("key", value)
    store.set("key", None)
    assert_type(store.push("key", value), int)
    assert_type(store.push("key", value, token="t"), int)
    assert_type(store.push_many("key", (number for number in range(3)), token="t"), int)
    assert_type(store.increment("key"), int | float)
    assert_type(store.increment("key", delta=0.5, token=None), int | float)
    store.delete("key")
    assert_type(store.setdefault("leader", "branch 7"), Any)
    assert_type(store.apply([{"do": "push", "key": "key", "item": 1}], token="t"), list[dict[str, Any]])
    store.apply([{"do": "get", "key": "key"}], "t")  # type: ignore[call-arg]
    store.apply({"do": "get", "key": "key"})  # type: ignore[arg-type]
    store.increment("key", "1")  # type: ignore[arg-type]
    store.increment("key", 1, "t")  # type: ignore[call-arg]
    store.push("key", value, "t")  # type: ignore[call-arg]
    store.push("key", value, token=7)  # type: ignore[arg-type]
    store.push_many("key", [value], "t")  # type: ignore[call-arg]
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
