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

The class names are public: a state machine's Retry and Catch match them in `ErrorEquals`. Step Functions
knows nothing of base classes, so a Retry lists the three transient names themselves.
"""


class RunStoreError(Exception):
    """The base of every error of this package.

    `run_id`, `key` and `operation` say what was being done; they are None where there is none yet.
    `may_have_happened` says whether the operation, or a part of it, may have taken effect all the same.
    `appended` is how many items a push_many had appended when it failed. Repeating it appends those again, unless it
    had a token.
    """

    run_id: str | None = None
    key: str | None = None
    operation: str | None = None
    may_have_happened: bool = False
    appended: int = 0


class InvalidRequestError(RunStoreError):
    """The request itself is wrong: the caller must change it. Nothing was written."""


class InvalidRunIdError(InvalidRequestError):
    """A run id is text of 1 to 1,024 UTF-8 bytes without control characters."""


class InvalidKeyError(InvalidRequestError):
    """A key is text of 1 to 512 UTF-8 bytes without control characters."""


class InvalidValueError(InvalidRequestError):
    """The value is not JSON; the message names the path to the offender inside it.

    Of the function get_value also: a text in the stored value has half of a surrogate pair. The package reads it; a
    function cannot return it.
    """


class ValueTooLargeError(InvalidRequestError):
    """The value's compact JSON is larger than the limit; the message says both sizes."""


class InvalidTokenError(InvalidRequestError):
    """A token is text of 1 to 256 UTF-8 bytes without control characters."""


class KeyTypeMismatchError(RunStoreError):
    """A push onto something that is no list, or an increment of something that is no number.

    Nothing was written. `holds` is the kind that the key has: "list", "number" or "value".
    """

    holds: str | None = None


class CounterRangeError(RunStoreError):
    """The counter's new value needs more than 38 digits or leaves DynamoDB's range. Nothing was written."""


class ResultTooLargeError(RunStoreError):
    """The value would not fit a Step Functions state (262,144 bytes): read it in parts with start and limit."""


class ConfigurationError(RunStoreError):
    """The deployment must be mended: an environment variable, the table, the region or a permission."""


class TransientError(RunStoreError):
    """Trying again is right. Never raised itself."""


class ThrottledError(TransientError):
    """Throttling or transaction conflicts that outlasted the retries. The request that met them wrote nothing.

    Unless the answer to an earlier try of that request was lost: then `may_have_happened` says so, as for
    UnavailableError.
    Trying again is right, but for a push_many without a token whose `appended` is not 0.
    """


class UnavailableError(TransientError):
    """DynamoDB could not be reached, or failed, after the client's own retries.

    `may_have_happened` says whether the write may have taken effect. Repeating `get`, `set`, `delete` or
    anything with a token is safe all the same; repeating a push or an increment without one may count twice.
    """


class IncompleteCompletionError(TransientError):
    """Time ran out before every item was dealt with; calling again goes on where this call stopped.

    `done` is the number of items that this call dealt with.
    """

    done: int = 0
