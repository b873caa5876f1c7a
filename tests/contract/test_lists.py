"""push_many: what a failure leaves undone is resumed."""

from typing import Any

import pytest

from tests.contract.implementations import Implementation


def test_push_many_is_resumed(implementation: Implementation, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure in the middle the same call appends the missing parts, after what others pushed meanwhile."""
    store = implementation.store(run_id)
    elements = list(range(1_200))
    parts = 0

    def fail_at_third(self: Any, *arguments: Any) -> str:
        nonlocal parts
        parts += 1
        if parts == 3:
            raise InterruptedError
        total: str = original(self, *arguments)
        return total

    original: Any = type(store._keys).append  # noqa: SLF001 the one place where a part ends
    with monkeypatch.context() as patch:
        patch.setattr(type(store._keys), "append", fail_at_third)  # noqa: SLF001 the same
        with pytest.raises(InterruptedError):
            store.push_many("list", elements, token="t")
    other = implementation.store(run_id)
    done = len(other.get_range("list"))
    assert 0 < done < 1_200
    assert other.push("list", "between") == done + 1
    assert other.push_many("list", elements, token="t") == 1_201
    assert other.get("list") == [*elements[:done], "between", *elements[done:]]
