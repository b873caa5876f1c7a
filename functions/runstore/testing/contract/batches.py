"""apply: several operations in order, each as by itself, safe to repeat as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runstore import KeyTypeMismatchError
from runstore.testing.contract.base import Contract

if TYPE_CHECKING:
    from runstore import Store

BRANCH: list[dict[str, Any]] = [
    {"do": "push", "key": "results", "item": {"id": 7}},
    {"do": "increment", "key": "count"},
    {"do": "push", "key": "log", "items": ["a", "b"]},
    {"do": "set", "key": "last", "value": 7},
    {"do": "set", "key": "first", "value": 7, "ifAbsent": True},
    {"do": "delete", "key": "gone"},
    {"do": "get", "key": "log"},
    {"do": "get", "key": "log", "start": 1, "limit": 1},
    {"do": "get", "key": "nothing"},
    {"do": "get", "key": "nothing", "start": 0},
]
RESULTS: list[dict[str, Any]] = [
    {"key": "results", "length": 1},
    {"key": "count", "value": 1},
    {"key": "log", "length": 2},
    {"key": "last"},
    {"key": "first", "value": 7},
    {"key": "gone"},
    {"key": "log", "value": ["a", "b"], "found": True},
    {"key": "log", "value": ["b"], "found": True},
    {"key": "nothing", "value": None, "found": False},
    {"key": "nothing", "value": None, "found": False},
]
STATE = {"results": [{"id": 7}], "count": 1, "log": ["a", "b"], "last": 7, "first": 7}


class BatchesContract(Contract):
    """apply: several operations in order, each as by itself, safe to repeat as a whole."""

    def test_each_operation_does_what_it_does_by_itself(self, run_id: str) -> None:
        """The results are what the functions return, and a repetition changes nothing and returns the same."""
        store = self.new_store(run_id)
        for attempt in (store, store, self.new_store(run_id)):
            assert attempt.apply(BRANCH, token="t") == RESULTS
            assert store.snapshot() == STATE

    def test_operations_without_additions_need_no_token(self, store: Store) -> None:
        """Reads and resets can be repeated as they are."""
        operations: list[dict[str, Any]] = [
            {"do": "set", "key": "a", "value": [1]},
            {"do": "get", "key": "a"},
            {"do": "delete", "key": "a"},
        ]
        assert store.apply(operations) == [{"key": "a"}, {"key": "a", "value": [1], "found": True}, {"key": "a"}]

    def test_its_tokens_meet_no_others(self, store: Store) -> None:
        """The same token alone, in push_many and at another position of a call is another token."""
        push = {"do": "push", "key": "list", "item": "x"}
        assert store.push("list", "x", token="t") == 1
        assert store.push_many("list", ["x"], token="t") == 2
        assert store.apply([push, push], token="t") == [{"key": "list", "length": 3}, {"key": "list", "length": 4}]
        many = {"do": "push", "key": "list", "items": ["x"]}
        assert store.apply([many, many], token="u") == [{"key": "list", "length": 5}, {"key": "list", "length": 6}]
        assert store.push_many("list", ["x"], token="u") == 7
        assert store.apply([push, push], token="t")[1] == {"key": "list", "length": 4}

    def test_a_failure_has_an_index_and_what_comes_before_stays(self, store: Store) -> None:
        """The whole can be repeated once what was in the way is gone: nothing counts twice."""
        store.set("count", "text")
        with pytest.raises(KeyTypeMismatchError) as caught:
            store.apply(BRANCH, token="t")
        failure = caught.value
        assert (failure.index, failure.operation, failure.key, failure.run_id) == (1, "apply", "count", store.run_id)
        assert store.snapshot() == {"count": "text", "results": [{"id": 7}]}
        store.delete("count")
        assert store.apply(BRANCH, token="t") == RESULTS
        assert store.snapshot() == STATE

    def test_many_operations(self, store: Store) -> None:
        """A hundred are taken, on a list beyond one item too."""
        operations = [{"do": "push", "key": "list", "item": [number, "x" * 90]} for number in range(100)]
        for _ in range(2):
            assert [each["length"] for each in store.apply(operations, token="t")] == list(range(1, 101))
        assert store.get("list") == [operation["item"] for operation in operations]
