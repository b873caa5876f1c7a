"""setdefault: one of many wins, and everybody learns who."""

from typing import Any

import pytest

from runstore import InvalidValueError, ValueTooLargeError, clock
from tests.contract.implementations import AnyStore, Implementation, TableImplementation


@pytest.mark.parametrize("value", ["text", ["x" * 190] * 40], ids=["head", "chain"])
def test_an_expired_key_is_absent(
    implementation: Implementation, run_id: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its expiry a key is set anew; before it, the expiry is not renewed."""
    store = implementation.store(run_id, ttl_days=1)
    store.set("key", value)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + 80_000)
    assert store.setdefault("key", "new") == value
    monkeypatch.setattr(clock, "now", lambda: now + 86_401)
    assert implementation.store(run_id, ttl_days=1).setdefault("key", "new") == "new"
    assert store.get("key") == "new"


def test_what_it_refuses(store: AnyStore) -> None:
    """What set refuses is refused, also where the key is set."""
    for _ in range(2):
        with pytest.raises(InvalidValueError, match=r"^value must be a finite number; got nan"):
            store.setdefault("key", float("nan"))
        with pytest.raises(ValueTooLargeError) as caught:
            store.setdefault("key", "x" * 70_000)
        assert (caught.value.operation, caught.value.key) == ("setdefault", "key")
        store.set("key", 1)


@pytest.mark.parametrize("value", ["text", 7, [1]], ids=repr)
def test_it_costs_one_request(default_table: TableImplementation, run_id: str, value: Any) -> None:
    """Whether it writes or finds a value, it sends one request."""
    store = default_table.store(run_id)
    store.setdefault("key", value)
    assert store.requests == 1
    store.setdefault("key", value)
    assert store.requests == 2
