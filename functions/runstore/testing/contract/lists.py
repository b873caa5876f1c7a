"""Lists: pushed to one by one and many at once, set, and read in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstore.testing.contract.base import Contract

if TYPE_CHECKING:
    from runstore import JSON, Store


class ListsContract(Contract):
    """Lists: pushed to one by one and many at once, set, and read in parts."""

    def test_push_returns_the_length(self, store: Store) -> None:
        """Elements come back in the order of their pushes, and each push tells the list's length after it."""
        assert [store.push("list", item) for item in ("a", "b", "c")] == [1, 2, 3]
        assert store.get("list") == ["a", "b", "c"]

    def test_push_goes_on_from_a_list_that_was_set(self, store: Store) -> None:
        """A list that was set, empty or not, is pushed to."""
        for start in ([], [1], [1, 2, 3], list(range(500))):
            store.set("list", start)
            assert store.push("list", "next") == len(start) + 1
            assert store.push_many("list", ["x", "y"]) == len(start) + 3
            assert store.get("list") == [*start, "next", "x", "y"]

    def test_a_list_grows_beyond_one_item(self, run_id: str) -> None:
        """Pushes into a list of many items keep order and length, also for a writer who comes later."""
        store = self.new_store(run_id)
        elements = [{"number": number, "text": "x" * (number * 37 % 400)} for number in range(60)]
        assert [store.push("list", element) for element in elements[:40]] == list(range(1, 41))
        other = self.new_store(run_id)
        assert [other.push("list", element) for element in elements[40:50]] == list(range(41, 51))
        assert [store.push("list", element) for element in elements[50:]] == list(range(51, 61))
        for reader in (store, other, self.new_store(run_id)):
            assert reader.get("list") == elements
            assert reader.snapshot() == {"list": elements}

    def test_writers_that_take_turns_keep_one_order(self, run_id: str) -> None:
        """Each writer's hint of where the list ends is out of date at every push; nothing is lost or doubled."""
        stores = [self.new_store(run_id) for _ in range(4)]
        for number in range(48):
            assert stores[number % 4].push("list", [number, "x" * 150]) == number + 1
        assert stores[0].get("list") == [[number, "x" * 150] for number in range(48)]

    def test_elements_of_very_different_sizes(self, store: Store) -> None:
        """Tiny elements follow huge ones and the other way round."""
        elements: list[JSON] = [size * "x" for size in (0, 5_000, 1, 1, 60_000, 0, 700, 700, 1_023, 1_024, 1_025, 3)]
        assert [store.push("list", element) for element in elements] == list(range(1, 13))
        assert store.get("list") == elements
        for start in range(13):
            assert store.get_range("list", start, 1) == elements[start : start + 1]

    @pytest.mark.parametrize("count", [1, 2, 3, 12, 40, 499, 500, 501, 1_001, 1_500])
    def test_set_writes_a_list_of_any_length(self, run_id: str, count: int) -> None:
        """A list that is set can be read as a whole and in parts, and pushed to, however many items store it."""
        store = self.new_store(run_id)
        elements = [[number, "x" * 30] for number in range(count)]
        store.set("list", elements)
        assert store.get("list") == elements
        assert self.new_store(run_id).get_range("list", count // 2, 3) == elements[count // 2 : count // 2 + 3]
        assert store.get_range("list", count - 1) == elements[-1:]
        assert self.new_store(run_id).push("list", "last") == count + 1
        assert store.snapshot() == {"list": [*elements, "last"]}

    def test_a_long_list_replaces_and_is_replaced(self, run_id: str) -> None:
        """Long lists, short ones and other values replace each other without a trace, by several writers."""
        one, other = self.new_store(run_id), self.new_store(run_id)
        long, longer = list(range(700)), [f"element {number}" for number in range(1_200)]
        for value in (long, longer, "text", long, [], longer, 5, long, [1], long, None):
            one.set("key", value)
            assert other.get("key") == value
            other.set("key", value)
            assert one.get("key") == value
            assert one.keys() == ["key"]

    def test_push_many_appends_in_order(self, store: Store) -> None:
        """Many elements follow each other as given; the length after the last is returned."""
        assert store.push_many("list", ["a", "b"]) == 2
        assert store.push_many("list", (number for number in range(3))) == 5
        assert store.get("list") == ["a", "b", 0, 1, 2]

    def test_push_many_of_nothing(self, store: Store) -> None:
        """No elements create an empty list, or leave a list unchanged."""
        assert store.push_many("list", []) == 0
        assert store.find("list") == (True, [])
        store.push("list", 1)
        assert store.push_many("list", iter(())) == 1
        assert store.push_many("list", [], token="t") == 1
        assert store.get("list") == [1]

    def test_push_many_in_parts_with_a_repeated_token(self, run_id: str) -> None:
        """More than one request's worth: repeated under its token, by the same writer or another, nothing is added."""
        store = self.new_store(run_id)
        store.push("list", "before")
        elements = [f"element {number}" for number in range(1_300)]
        assert store.push_many("list", elements, token="t") == 1_301
        store.push("list", "after")
        assert store.push_many("list", elements, token="t") == 1_301
        assert self.new_store(run_id).push_many("list", elements, token="t") == 1_301
        assert store.get("list") == ["before", *elements, "after"]

    @pytest.fixture(params=[0, 1, 7, 150])
    def ranged(self, request: pytest.FixtureRequest, store: Store) -> tuple[Store, list[JSON]]:
        """A list of few or many uneven elements, and what is in it."""
        count: int = request.param
        elements: list[JSON] = [f"{number} {'x' * (number * 31 % 90)}" for number in range(count)]
        store.push_many("list", elements[: count // 2])
        for element in elements[count // 2 :][:20]:
            store.push("list", element)
        store.push_many("list", elements[count // 2 :][20:])
        return store, elements

    def test_a_range_is_what_slicing_gives(self, ranged: tuple[Store, list[JSON]]) -> None:
        """For every start, and limits from none to more than the list has, the result equals Python's slice."""
        store, elements = ranged
        count = len(elements)
        assert store.get("list") == elements
        for start in sorted(
            {0, 1, 2, count // 3, count // 2 - 1, count // 2, count // 2 + 19, count - 1, count, count + 5}
        ):
            if start < 0:
                continue
            assert store.get_range("list", start) == elements[start:]
            for limit in (0, 1, 2, 25, count, 10**12):
                assert store.get_range("list", start, limit) == elements[start : start + limit]

    def test_every_element_is_found_by_its_index(self, store: Store) -> None:
        """Each index of a list of many items leads to its element."""
        elements = [f"{number} {'x' * (number % 17 * 20)}" for number in range(70)]
        for element in elements:
            store.push("list", element)
        assert [store.get_range("list", index, 1) for index in range(70)] == [[element] for element in elements]

    def test_a_range_of_nothing(self, store: Store) -> None:
        """A key that is not set has no elements, and that it is not set can be told from an empty list."""
        assert store.get_range("list") == []
        assert store.get_range("list", 3, 4) == []
        assert store.find("list") == (False, None)
        store.set("list", [])
        assert store.get_range("list") == store.get_range("list", 10**20, 0) == []
        assert store.find("list") == (True, [])
