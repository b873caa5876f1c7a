"""The operations of a store, apart from any implementation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@runtime_checkable
class Store(Protocol):
    """What every store of a run offers: `RunStore`, `InMemoryRunStore` and a workflow step's `api.run_store`.

    Annotate the parameters of your own code with it, and pass any of the three. All of them accept and refuse the same
    calls, with the same errors. `RunStore` documents each operation. `isinstance` looks for the operations' names.
    """

    @property
    def run_id(self) -> str:
        """The run."""
        ...

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or `default` if it is not set."""
        ...

    def find(self, key: str) -> tuple[bool, Any]:
        """Return whether a key is set, and its value."""
        ...

    def get_range(self, key: str, start: int = 0, limit: int | None = None) -> list[Any]:
        """Return at most `limit` elements of a list, from index `start` on."""
        ...

    def set(self, key: str, value: Any) -> None:
        """Replace the value of a key."""
        ...

    def setdefault(self, key: str, value: Any) -> Any:
        """Write `value` if the key is not set, and return what the key then holds."""
        ...

    def push(self, key: str, item: Any, *, token: str | None = None) -> int:
        """Append `item` to a list and return the list's length after that."""
        ...

    def push_many(self, key: str, items: Iterable[Any], *, token: str | None = None) -> int:
        """Append all of `items` in order and return the list's length after the last."""
        ...

    def increment(self, key: str, delta: float = 1, *, token: str | None = None) -> int | float:
        """Add `delta` to a counter and return its new value."""
        ...

    def delete(self, key: str) -> None:
        """Remove a key."""
        ...

    def apply(self, operations: Sequence[Mapping[str, Any]], *, token: str | None = None) -> list[dict[str, Any]]:
        """Apply several operations in order and return a list of their results."""
        ...

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that are set and begin with `prefix`."""
        ...

    def snapshot(self, prefix: str = "") -> dict[str, Any]:
        """Return every key that begins with `prefix`, with its value."""
        ...
