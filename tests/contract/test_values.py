"""The largest values, keys and run ids."""

from tests.contract.implementations import Implementation


def test_the_largest_value_and_none_larger(implementation: Implementation, run_id: str) -> None:
    """A value of exactly the largest size is stored, alone, as an element, and as a list that set writes."""
    store = implementation.store(run_id, max_value_bytes=65_536)
    text = "x" * 65_534  # and its two quotes
    store.set("key", text)
    store.push("list", text)
    store.push("list", text)
    long = ["y" * 1_021] * 63 + ["z" * 1_020]  # and two quotes each, 63 commas and two brackets
    store.set("long", long)
    assert store.get("key") == text
    assert store.get("list") == [text, text]
    assert store.get("long") == long


def test_the_hard_limit_fits_an_item(implementation: Implementation, run_id: str) -> None:
    """With the largest setting a value of 350,000 bytes is stored, pushed to a list that has elements, and read."""
    store = implementation.store(run_id, max_value_bytes=350_000)
    text = "x" * 349_998
    store.push("list", "a" * 600, token="first")
    store.push("list", text, token="second")
    store.push("list", text)
    store.set("key", text)
    assert store.get("list") == ["a" * 600, text, text]
    assert store.get("key") == text


def test_the_longest_run_id(implementation: Implementation) -> None:
    """A run id of 1,024 bytes with a key of 512 works, also beyond the first item of a list."""
    store = implementation.store("r" * 1_024)
    key = "k" * 512
    for number in range(9):
        assert store.push(key, "x" * 190, token=f"{number}".rjust(256, "t")) == number + 1
    assert store.get_range(key, 8) == ["x" * 190]
    store.complete()
