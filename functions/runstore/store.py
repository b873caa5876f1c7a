"""RunStore: the state of one run."""

from typing import TYPE_CHECKING

from runstore.dynamodb.client import default_client, memory_of
from runstore.dynamodb.table import Table
from runstore.errors import InvalidRequestError, RunStoreError
from runstore.model import expressions, values
from runstore.model import identifiers as names
from runstore.model import items as model
from runstore.protocol import read, replace
from runstore.protocol.append import append
from runstore.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Any, Self

    from types_boto3_dynamodb import DynamoDBClient

    from runstore.lifecycle.completion import Retirement, TimeLeft
    from runstore.lifecycle.retirement import StatusChange
    from runstore.model.values import JSON


class RunStore:
    """The keys of one run: small state that the steps of one workflow execution have in common.

    Every operation is atomic and takes effect in one order for everybody who uses the run, however many do so at
    once. Reads are strongly consistent. Keys of different runs never meet. Nothing is kept in this object beyond
    hints of where the ends of long lists are: make one wherever you need it; it may be shared between threads.

    `run_id`: 1 to 1,024 UTF-8 bytes without control characters, normally the execution's ARN (`$$.Execution.Id`).
    `table_name`: the table, else the environment variable RUNSTORE_TABLE.
    `client`: a boto3 DynamoDB client, else one from boto3's usual sources, made once in a process.
    `settings`: all settings, instead of those in the environment.

    For tests without AWS, `runstore.testing.InMemoryRunStore` is a RunStore too.

    A key is 1 to 512 UTF-8 bytes without control characters. A value is whatever `json.dumps` accepts by default,
    up to RUNSTORE_MAX_VALUE_BYTES (65,536) bytes of compact JSON. A token, 1 to 256 bytes, names one operation on
    one key: repeated under the same token it takes effect once, and each repeat returns the first result, until the
    key is set or deleted or the run ends. One run is one DynamoDB partition: about 1,000 write units a second.

    Errors, all of `runstore.errors`: InvalidRequestError and its kind for a wrong request, before anything is
    sent; ConfigurationError; ThrottledError and UnavailableError when trying again is right.
    """

    def __init__(
        self,
        run_id: str,
        *,
        table_name: str | None = None,
        client: "DynamoDBClient | None" = None,
        settings: Settings | None = None,
    ) -> None:
        """Check the run id and the settings. Nothing is sent."""
        with Naming("open"):
            names.check_run_id(run_id)
            if settings is None:
                settings = Settings.from_environment(table_name)
            elif table_name is not None:
                raise InvalidRequestError("table_name and settings exclude each other: settings.table_name names it")
            if client is None:
                client = default_client()
        self._run_id, self._settings = run_id, settings
        self._table = Table(client, settings, run_id)
        self._memory = memory_of(client)

    @property
    def run_id(self) -> str:
        """The run."""
        return self._run_id

    @property
    def requests(self) -> int:
        """How many DynamoDB requests this object has sent, without boto3's own retries."""
        return self._table.requests

    def get(self, key: str, default: "Any" = None) -> "JSON":
        """Return the value of a key, or `default` when it is not set.

        Costs one read unit per 4 KB in one request; a list that outgrew one item (about 700 bytes of elements)
        takes one more request per MB, a counter that has used dozens of tokens one more.
        """
        found, value = self.find(key)
        return value if found else default

    def find(self, key: str) -> "tuple[bool, JSON]":
        """Return whether a key is set, and its value: tells a stored `None` from "not set". Costs what get costs."""
        with Naming("get", self._run_id, key):
            return self._read(names.check_key(key))

    def get_range(self, key: str, start: int = 0, limit: int | None = None) -> "list[JSON]":
        """Return at most `limit` elements of a list from index `start` on, without reading all of it.

        Fewer at the list's end, none when the key is not set. Finding the place in a list of 10,000 elements takes
        about six small requests; what is returned costs one read unit per 4 KB. Raises KeyTypeMismatchError when the
        key holds no list.
        """
        return self.find_range(key, start, limit)[1]

    def find_range(self, key: str, start: int = 0, limit: int | None = None) -> "tuple[bool, list[JSON]]":
        """Return whether a key is set, and what `get_range` returns."""
        with Naming("get_range", self._run_id, key):
            names.check_key(key)
            values.check_count("start", start)
            stop = None if limit is None else start + values.check_count("limit", limit)
            found = self._read_part(key, start, stop)
            return found is not None, found or []

    def set(self, key: str, value: "Any") -> None:
        """Make `value` what the key holds, whatever it held before.

        A list can be pushed to from then on, a number incremented. One request of one write unit per KB. To replace a
        list beyond about 700 bytes takes two requests more, one of them a transaction at twice the cost; to write one
        takes a request per 16 KB or 500 elements, the last such a transaction, and a small read. Do not `get` and then
        `set` to add something up: parallel branches overwrite each other; use push and increment.
        """
        with Naming("set", self._run_id, key):
            names.check_key(key)
            limit = self._settings.max_value_bytes
            if isinstance(value, (list, tuple)):
                texts, sizes = _split(values.encode_list(value, "value", limit))
                size = sum(sizes) + max(1, len(sizes)) + 1  # with its commas and brackets
                if size > limit:
                    raise values.too_large("value", size, limit)
                self._write_list(key, texts, sizes)
                return
            text, _ = values.encode(value, "value", limit)
            number = None
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                number = values.encode_number(value)
            if number is None:
                self._write(key, model.Item(kind="value", value=text))
            else:
                self._write(key, model.Item(kind="number", number=number, origin=model.new_origin()))

    def push(self, key: str, item: "Any", token: str | None = None) -> int:
        """Append `item` to the list and return its length after that. A key that is not set becomes a list.

        Atomic and in one order for all. A request that boto3 sends again never appends twice; with a `token` no
        repetition does. Costs one request and, for elements of some hundred bytes, one write unit, the same for the
        first element and the hundred-thousandth (every few pushes one small read more). On a list beyond one item, a
        token takes two to four requests more and one or two write units more. Raises KeyTypeMismatchError when the key
        holds no list.
        """
        with Naming("push", self._run_id, key):
            names.check_key(key)
            digest = _digest(token)
            text, size = values.encode(item, "item", self._settings.max_value_bytes)
            return self._push(key, (text,), model.element_weight(size), digest)

    def push_many(self, key: str, items: "Iterable[Any]", token: str | None = None) -> int:
        """Append all of `items` in order, and return the length of the list after the last.

        In parts of at most 16 KB or 500 elements (the first of about 1 KB), one request each; each part is appended as
        a whole, and between two parts others may push. With a `token` the whole can be repeated after a failure: what
        was appended stays so, the rest follows. Without one, a failure may leave the first parts appended, the error's
        `appended` says how many items, and repeating appends them again. No elements at all make an empty list.
        """
        with Naming("push_many", self._run_id, key):
            names.check_key(key)
            if token is not None:
                names.check_token(token)
            texts, sizes = _split(values.encode_list(items, "items", self._settings.max_value_bytes))
            length = 0
            parts = model.split(sizes, self._settings.segment_bytes, small_head=True)
            for number, (part, weight) in enumerate(parts):
                digest = None if token is None else model.token_digest(f"{token}{model.UNIT_SEPARATOR}{number}")
                try:
                    length = self._push(key, texts[part], weight, digest)
                except RunStoreError as error:
                    _tell_appended(error, part.start, len(texts), repeatable=token is not None)
                    raise
            return length

    def increment(self, key: str, delta: float = 1, token: str | None = None) -> int | float:
        """Add `delta`, which may be negative or a fraction, to the counter and return its new value.

        Atomic, and exact to 38 decimal digits: 0.1 three times gives 0.3. A key that is not set counts from 0. One
        request and one write unit. Without a `token` an increment is never sent again once it may have counted: then
        UnavailableError says so. With a token every repetition is safe; after some dozens of tokens on one counter each
        takes two requests more. Raises KeyTypeMismatchError when the key holds no number, CounterRangeError when the
        result would not fit.
        """
        with Naming("increment", self._run_id, key):
            names.check_key(key)
            digest = _digest(token)
            receipt = model.RECEIPT_PREFIX + digest if digest else None
            change = expressions.increment(values.encode_delta(delta), receipt, digest)
            return values.decode_number(self._append(key, change))

    def delete(self, key: str) -> None:
        """Remove the key; not an error when it is not set. One request; for a list beyond one item three.

        What a long list leaves behind is never seen again and goes with the run. A delete whose answer is lost and that
        boto3 sends again counts as issued then: it removes also what was written in between.
        """
        with Naming("delete", self._run_id, key):
            self._remove(names.check_key(key))

    def keys(self) -> list[str]:
        """Return the keys that are set, sorted by their UTF-8 bytes. Costs a read unit per 4 KB of the whole run."""
        with Naming("keys", self._run_id):
            return self._read_keys()

    def snapshot(self) -> "dict[str, JSON]":
        """Return every key with its value. Each value is as `get` would return it; together they are no point in time.

        Reads the whole run: a read unit per 4 KB of it, a request per MB.
        """
        with Naming("snapshot", self._run_id):
            return self._read_all()

    def complete(self, *, time_left: "TimeLeft | None" = None) -> int:
        """Delete every item of the run and return how many there were. Call it when the run has ended; again is safe.

        Operations that overlap it may have any outcome. `time_left` returns the seconds that there still are: when
        they run out, IncompleteCompletionError is raised, and calling again goes on. Costs a write unit per KB.
        """
        with Naming("complete", self._run_id):
            return self._complete(time_left)

    def retire(self, change: "StatusChange", *, time_left: "TimeLeft | None" = None) -> "Retirement":
        """Do with the run's items what the execution's new status asks for; see `runstore.lifecycle.retirement`."""
        from runstore.lifecycle import retirement  # noqa: PLC0415 as for _complete

        with Naming("retire", self._run_id):
            return retirement.retire(self._table, change, time_left)

    def _push(self, key: str, texts: tuple[str, ...], weight: int, digest: str | None) -> int:
        receipt = model.RECEIPT_PREFIX + digest if digest else model.call_receipt()
        return int(self._append(key, expressions.push(texts, weight, receipt, digest)))

    # ------------------------------------------------------------------ what InMemoryRunStore does in its own way

    def _read(self, key: str) -> "tuple[bool, JSON]":
        return read.get(self._table, key)

    def _read_part(self, key: str, start: int, stop: int | None) -> "list[JSON] | None":
        return read.get_range(self._table, key, start, stop)

    def _read_keys(self) -> list[str]:
        return read.keys(self._table)

    def _read_all(self) -> "dict[str, JSON]":
        return read.snapshot(self._table)

    def _write(self, key: str, head: model.Item) -> None:
        self._forget(key)
        replace.put_head(self._table, key, head)

    def _write_list(self, key: str, texts: tuple[str, ...], sizes: list[int]) -> None:
        head = model.open_list(self._run_id, key, texts, sizes, self._settings.segment_bytes)
        if head is not None:
            self._write(key, head)
        else:
            self._forget(key)
            replace.put_list(self._table, key, texts, sizes)

    def _append(self, key: str, change: expressions.Change) -> str:
        return append(self._table, self._memory, key, change)

    def _remove(self, key: str) -> None:
        self._forget(key)
        replace.delete_head(self._table, key)

    def _complete(self, time_left: "TimeLeft | None") -> int:
        from runstore.lifecycle import completion  # noqa: PLC0415 a function that never completes starts sooner without it

        return completion.complete(self._table, time_left)

    def _forget(self, key: str) -> None:
        self._memory.forget(self._settings.table_name, self._run_id, key)


class Naming:
    """Gives the errors that pass through it the run, the key and the operation."""

    __slots__ = ("_key", "_operation", "_run_id")

    def __init__(self, operation: str, run_id: str | None = None, key: "Any" = None) -> None:
        self._operation, self._run_id, self._key = operation, run_id, key

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        if isinstance(error, RunStoreError):
            error.operation, error.run_id = self._operation, self._run_id
            error.key = self._key if isinstance(self._key, str) else None


def _split(encoded: list[tuple[str, int]]) -> tuple[tuple[str, ...], list[int]]:
    """Return the texts and the sizes of encoded elements."""
    return tuple(text for text, _ in encoded), [size for _, size in encoded]


def _tell_appended(error: RunStoreError, appended: int, total: int, *, repeatable: bool) -> None:
    """Have the error of one part of push_many tell of the parts before it."""
    if not appended:
        return
    error.appended, error.may_have_happened = appended, True
    if not repeatable:
        text = (
            f"the first {appended:,} of {total:,} items were appended before this failed, and repeating the call "
            "appends them again: see what the list holds and push the rest. With a token from the first call on, "
            f"repeating is safe. What failed: {error}"
        )
        error.args = (text,)


def _digest(token: "Any") -> str | None:
    return None if token is None else model.token_digest(names.check_token(token))
