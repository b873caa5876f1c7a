"""Tokens: an operation that is repeated under its token takes effect once and returns its first result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstore.testing.contract.base import Contract

if TYPE_CHECKING:
    from runstore import Store


LONG = "x" * 190  # some of these elements fill an item


class TokensContract(Contract):
    """Tokens: an operation that is repeated under its token takes effect once and returns its first result."""

    def test_a_repeated_push_is_one_push(self, run_id: str) -> None:
        """In a short list the repetition, by any writer, returns the first length and adds nothing."""
        store = self.new_store(run_id)
        assert store.push("list", "a", token="t") == 1
        assert store.push("list", "b", token="u") == 2
        assert store.push("list", "a", token="t") == 1
        assert self.new_store(run_id).push("list", "b", token="u") == 2
        assert store.get("list") == ["a", "b"]

    def test_a_repeated_increment_is_one_increment(self, run_id: str) -> None:
        """The repetition, by any writer, returns the first value; other increments continue from the newest."""
        store = self.new_store(run_id)
        assert store.increment("n", 2, token="t") == 2
        assert store.increment("n", 3) == 5
        assert store.increment("n", 2, token="t") == 2
        assert self.new_store(run_id).increment("n", 2, token="t") == 2
        assert store.get("n") == 5

    @pytest.mark.parametrize("more", [0, 1, 3, 14])
    @pytest.mark.parametrize("start", [3, 12])
    def test_a_repeated_push_onto_a_long_list(self, run_id: str, start: int, more: int) -> None:
        """However much was pushed since, a writer with a cache and a new one find the first result."""
        store = self.new_store(run_id)
        store.push_many("list", [[number, LONG] for number in range(start)])
        assert store.push("list", "mine", token="t") == start + 1
        for number in range(more):
            store.push("list", [number, LONG])
        assert store.push("list", "mine", token="t") == start + 1
        assert self.new_store(run_id).push("list", "mine", token="t") == start + 1
        assert [index for index, element in enumerate(store.get_range("list")) if element == "mine"] == [start]

    @pytest.mark.parametrize("reset", ["set", "delete"])
    @pytest.mark.parametrize("length", [1, 12])
    def test_a_token_is_forgotten_when_its_key_is_reset(self, run_id: str, reset: str, length: int) -> None:
        """After a set or delete of the key, the same token takes effect again."""
        store, other = self.new_store(run_id), self.new_store(run_id)
        store.push_many("list", [[number, LONG] for number in range(length)])
        assert store.push("list", "mine", token="t") == length + 1
        if reset == "set":
            other.set("list", [])
        else:
            other.delete("list")
        for writer in (store, other, self.new_store(run_id)):
            assert writer.push("list", "mine", token="t") == 1
        assert store.get("list") == ["mine"]

    def test_the_same_token_with_another_operand_returns_the_first_result(self, store: Store) -> None:
        """One token names one operation."""
        assert store.push("list", "a", token="t") == 1
        assert store.push("list", "b", token="t") == 1
        assert store.increment("n", 5, token="t") == 5
        assert store.increment("n", 7, token="t") == 5
        assert store.snapshot() == {"list": ["a"], "n": 5}

    def test_a_token_belongs_to_its_key_and_its_run(self, run_id: str) -> None:
        """The same token on another key, or in another run, is another operation."""
        store, other = self.new_store(run_id), self.new_store(f"{run_id}-other")
        assert [store.increment(key, token="t") for key in ("a", "b", "a")] == [1, 1, 1]
        assert other.increment("a", 5, token="t") == 5
        assert store.push("c", 1, token="t") == 1

    def test_a_token_is_any_text_without_control_characters(self, store: Store) -> None:
        """Tokens of up to 256 bytes in any script are different from each other."""
        tokens = ["t", "T", "t ", "t" * 255, "t" * 256, "ключ", "🧾" * 64, "push#1", "push#10"]
        for expected, token in enumerate(tokens, 1):
            assert store.increment("n", token=token) == expected
            assert store.push("list", token, token=token) == expected
        assert [store.increment("n", token=token) for token in tokens] == list(range(1, 10))
        assert store.get("list") == tokens

    def test_push_many_and_push_do_not_share_tokens(self, store: Store) -> None:
        """The parts of a push_many have derived tokens: a push under the caller's token is another operation."""
        assert store.push_many("list", ["a", "b"], token="t") == 2
        assert store.push("list", "c", token="t") == 3
        assert store.push_many("list", ["a", "b"], token="t") == 2
        assert store.get("list") == ["a", "b", "c"]
