"""The store that a step gets refuses what the other stores refuse, with the same errors."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from runstore import RunStore, RunStoreError, Settings, Store
from runstore.testing import InMemoryRunStore
from runstore.testing.contract import RefusalsContract
from runstore.workflow import StepStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from runstore.testing.memory import Runs


class TestRefusals(RefusalsContract):
    """The refusals of the contract, each writer a step of its own."""

    runs: Runs = {}  # noqa: RUF012 shared by all stores of this test

    def new_store(self, run_id: str) -> StepStore:
        """Return the store of another step."""
        return StepStore(InMemoryRunStore(run_id, runs=self.runs), uuid.uuid4().hex)


def test_every_store_is_one() -> None:
    """At run time too, as `isinstance` tells."""
    client: Any = Transport()
    stores = (
        RunStore("run", client=client, settings=Settings("runs")),
        InMemoryRunStore(),
        StepStore(InMemoryRunStore(), "1"),
    )
    assert all(isinstance(store, Store) for store in stores)
    assert not isinstance({}, Store)


class Transport:
    """Is never asked to send anything."""

    def send(self, _operation: str, _request: Any, *, idempotent: bool) -> Any:
        """Refuse."""
        raise AssertionError(idempotent)


WRONG: dict[str, Callable[[Store], object]] = {
    "push: key and item": lambda store: store.push("", object()),
    "push: token and item": lambda store: store.push("key", object(), token=""),
    "push_many: key and items": lambda store: store.push_many("", 5),  # type: ignore[arg-type]
    "push_many: token and items": lambda store: store.push_many("key", 5, token=""),  # type: ignore[arg-type]
    "push_many: a large item": lambda store: store.push_many("key", ["x" * 400_000]),
    "increment: key and delta": lambda store: store.increment("", "5"),  # type: ignore[arg-type]
    "increment: a text": lambda store: store.increment("key", "5"),  # type: ignore[arg-type]
    "increment: a long integer": lambda store: store.increment("key", 10**5_000),
    "increment: too many digits": lambda store: store.increment("key", 10**40 + 1),
    "apply: no list": lambda store: store.apply("abc", token="t"),  # type: ignore[arg-type]
    "apply: no object": lambda store: store.apply([5], token="t"),  # type: ignore[list-item]
    "apply: not JSON": lambda store: store.apply([{"do": "push", "key": "key", "item": object()}], token="t"),
}


def refusal(store: Store, call: Callable[[Store], object]) -> dict[str, Any]:
    """Return all that the error of a wrong call says."""
    with pytest.raises(RunStoreError) as caught:
        call(store)
    return {"class": type(caught.value), "text": str(caught.value), **vars(caught.value)}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_call_has_the_error_of_the_other_stores(call: Callable[[Store], object]) -> None:
    """Also where two things are wrong, and where an automatic token is made of what is wrong."""
    other = InMemoryRunStore("run")
    assert refusal(StepStore(InMemoryRunStore("run"), "1"), call) == refusal(other, call)
