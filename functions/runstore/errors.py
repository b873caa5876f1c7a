"""Every error that runstore raises, split by what the caller should do about it.

    RunStoreError
    ├── InvalidRequestError          change the request; retrying cannot help
    │   ├── InvalidRunIdError
    │   ├── InvalidKeyError
    │   ├── InvalidValueError
    │   ├── ValueTooLargeError
    │   └── InvalidTokenError
    ├── KeyTypeMismatchError         the key holds another kind of value
    ├── CounterRangeError            the number does not fit DynamoDB's range
    ├── ResultTooLargeError          the answer does not fit a Step Functions state
    ├── ConfigurationError           the deployment is incomplete or not permitted
    └── TransientError               try again; never raised itself
        ├── ThrottledError
        ├── UnavailableError
        └── IncompleteCompletionError

The class names are public: a state machine's Retry and Catch match them in `ErrorEquals`. Step Functions does not know
base classes, so a Retry lists the three transient names themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Self


class RunStoreError(Exception):
    """The base of every error of this package.

    Attributes:
        run_id: The run of the operation; None before there is one.
        key: The key of the operation; None if it has none.
        operation: The name of the operation, such as "push".
        may_have_happened: Whether the operation, or a part of it, may have taken effect.
        index: The index of the operation of an `apply` that failed, from 0; the operations before it took effect.
        appended: How many items a push_many had appended when it failed. Without a token, repeating the call appends
            those again.
    """

    def __init__(  # noqa: PLR0913 all but the message are by keyword, each with a default
        self,
        message: str = "",
        *,
        run_id: str | None = None,
        key: str | None = None,
        operation: str | None = None,
        index: int | None = None,
        may_have_happened: bool = False,
        appended: int = 0,
    ) -> None:
        super().__init__(message)
        self.run_id, self.key, self.operation, self.index = run_id, key, operation, index
        self.may_have_happened, self.appended = may_have_happened, appended

    def replace(self, message: str, **details: Any) -> Self:
        """Return an error of the same class with another message; `details` override this error's attributes."""
        return type(self)(message, **{**vars(self), **details})

    def add_context(self, operation: str, run_id: str | None, key: str | None) -> None:
        """Set the operation, run and key that are not set yet. `error_context` calls it, the innermost block first."""
        if self.operation is None:
            self.operation = operation
        if self.run_id is None:
            self.run_id = run_id
        if self.key is None:
            self.key = key


class InvalidRequestError(RunStoreError):
    """The request itself is wrong: the caller must change it. Nothing was written."""


class InvalidRunIdError(InvalidRequestError):
    """A run id must be a string of 1 to 1,024 UTF-8 bytes without control characters.

    If `RUNSTORE_RUN_ID_PREFIXES` is set, it must begin with one of these prefixes.
    """


class InvalidKeyError(InvalidRequestError):
    """A key must be a string of 1 to 512 UTF-8 bytes without control characters."""


class InvalidValueError(InvalidRequestError):
    """The value is not JSON; the message names the path to the offending part.

    The function get_value also raises it for a stored string with half of a surrogate pair. The package reads such a
    string; a function cannot return it.
    """


class ValueTooLargeError(InvalidRequestError):
    """The value's compact JSON is larger than the limit; the message says both sizes."""


class InvalidTokenError(InvalidRequestError):
    """A token must be a string of 1 to 256 UTF-8 bytes without control characters."""


class KeyTypeMismatchError(RunStoreError):
    """A push onto something that is not a list, or an increment of something that is not a number.

    Nothing was written.

    Attributes:
        holds: The kind of value that the key has: "list", "number" or "value".
    """

    def __init__(self, message: str = "", *, holds: str | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.holds = holds


class CounterRangeError(RunStoreError):
    """The counter's new value needs more than 38 digits or leaves DynamoDB's range. Nothing was written."""


class ResultTooLargeError(RunStoreError):
    """The result would not fit a Step Functions state (262,144 bytes): read it in parts."""


class ConfigurationError(RunStoreError):
    """The deployment must be fixed: an environment variable, the table, the region or a permission."""


class TransientError(RunStoreError):
    """A retry can help. The base class itself is never raised."""


class ThrottledError(TransientError):
    """Throttling or transaction conflicts that outlasted the retries. The throttled request wrote nothing.

    If the answer to an earlier attempt of that request was lost, `may_have_happened` is true, as for UnavailableError.
    Repeat the operation, except a push_many without a token whose `appended` is not 0.
    """


class UnavailableError(TransientError):
    """DynamoDB could not be reached, failed, or gave no complete answer, after all retries.

    `may_have_happened` says whether the write may have taken effect. In either case it is safe to repeat `get`, `set`,
    `delete` or anything with a token; a repeated push or increment without a token may count twice.
    """


class IncompleteCompletionError(TransientError):
    """Time ran out before every item was deleted or retired; calling again continues where this call stopped.

    Attributes:
        done: How many items this call deleted or retired.
    """

    def __init__(self, message: str = "", *, done: int = 0, **details: Any) -> None:
        super().__init__(message, **details)
        self.done = done


class error_context:  # noqa: N801 used like contextlib.suppress
    """Adds the operation, the run and the key to the errors of this package that pass through the block.

    This is the only place where an error changes after it was made.

    Example:
        ```python
        with error_context("push", run_id, key):
            ...
        ```
    """

    __slots__ = ("_key", "_operation", "_run_id")

    def __init__(self, operation: str, run_id: str | None = None, key: Any = None) -> None:
        self._operation, self._run_id = operation, run_id
        self._key = str.__str__(key) if isinstance(key, str) else None  # the text of a string enum

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, RunStoreError):
            error.add_context(self._operation, self._run_id, self._key)
