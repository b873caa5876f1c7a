"""How much a reader can hold: reading stops as soon as a result cannot fit, instead of when memory runs out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstore.errors import ResultTooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Budget:
    """The bytes of compact JSON that a result may have in all; None: any number.

    Raises ResultTooLargeError, with `advice`, when more is spent. A retried read spends what it reads only once.
    """

    def __init__(self, limit: int | None, advice: str = "") -> None:
        self.limit, self.advice, self.spent = limit, advice, 0

    def spend(self, key: str, text: str) -> None:
        """Account for one JSON text."""
        self.account(key).spend((text,))

    def account(self, key: str) -> Account:
        """Return the account of one value of this result, of which nothing is spent yet."""
        return Account(self, key)


class Account:
    """What one value of a result spends of its budget."""

    __slots__ = ("_budget", "_key")

    def __init__(self, budget: Budget, key: str) -> None:
        self._budget, self._key = budget, key

    def spend(self, texts: Iterable[str]) -> None:
        """Account for the JSON texts of some elements, and the commas between them."""
        budget = self._budget
        if budget.limit is None:
            return
        budget.spent += _size(texts)
        if budget.spent > budget.limit:
            raise ResultTooLargeError(
                f"a result must have at most {budget.limit:,} bytes of JSON; with key {self._key!r} it has more. "
                f"{budget.advice}",
                key=self._key,
            )

    def refund(self, texts: Iterable[str]) -> None:
        """Take back what was spent on elements that are going to be read again."""
        if self._budget.limit is not None:
            self._budget.spent -= _size(texts)


UNLIMITED = Budget(None)


def _size(texts: Iterable[str]) -> int:
    return sum(len(text) if text.isascii() else len(text.encode()) for text in texts) + len(tuple(texts))
