"""keys and snapshot of the keys that begin with a prefix."""

from typing import Any

import pytest

from runstore import InvalidKeyError
from tests.contract.implementations import AnyStore, TableImplementation


@pytest.mark.parametrize(
    ("prefix", "got"),
    [
        (None, "null"),
        (7, "int"),
        ("a\n", "the control character"),
        ("x" * 513, "513 bytes"),
        ("\ud800", "a lone surrog"),
    ],
)
def test_a_bad_prefix(store: AnyStore, prefix: Any, got: str) -> None:
    """A prefix is the beginning of a key: anything else is refused."""
    for operation in (store.keys, store.snapshot):
        with pytest.raises(InvalidKeyError, match=f"^prefix must be a string of 1 to 512 UTF-8 bytes .*; got {got}"):
            operation(prefix)


def test_keys_skip_what_long_lists_hold(default_table: TableImplementation, run_id: str) -> None:
    """What keys costs does not grow with the lists between the keys."""
    store = default_table.store(run_id)
    for name in "abc":
        store.push_many(name, ["x" * 190] * 1_500)
    before = store.requests
    assert default_table.store(run_id).keys() == ["a", "b", "c"]
    assert store.keys() == ["a", "b", "c"]
    assert store.requests - before <= 4
