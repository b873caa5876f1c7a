"""RunStore: the state of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstore.dynamodb.defaults import default_transport, transport_of
from runstore.dynamodb.table import Table
from runstore.errors import InvalidRequestError, RunStoreError, error_context
from runstore.model import batch, operations, values
from runstore.model.identifiers import check_key, check_prefix, check_run_id
from runstore.protocol import listing
from runstore.protocol.budget import UNLIMITED, Budget
from runstore.protocol.keys import Keys
from runstore.protocol.tails import tails_of
from runstore.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from types_boto3_dynamodb import DynamoDBClient

    from runstore.dynamodb.transport import Transport
    from runstore.lifecycle.completion import TimeLeft


class RunStore:
    """The keys of one run: small state that the steps of one workflow execution share.

    Every operation is atomic. All users of a run see its operations in one order, however many work at the same time.
    Reads are strongly consistent. Runs are isolated. Instances are cheap and thread-safe; they cache only where long
    lists end.

    A key is a string of 1 to 512 UTF-8 bytes without control characters. A value is anything that `json.dumps` accepts
    by default, up to RUNSTORE_MAX_VALUE_BYTES (65,536) bytes of compact JSON. A token, 1 to 256 bytes, names one
    operation on one key: repeated under the same token, it takes effect once and returns the first result, until the
    key is set or deleted or the run ends. A run is one DynamoDB partition: about 1,000 write units a second.

    For tests without AWS, use `runstore.testing.InMemoryRunStore`. Both satisfy `runstore.Store`.

    Args:
        run_id: 1 to 1,024 UTF-8 bytes without control characters; normally the execution's ARN (`$$.Execution.Id`).
        table_name: The table; by default the environment variable RUNSTORE_TABLE.
        client: A boto3 DynamoDB client; by default the process has one for all stores.
        settings: All settings, instead of those in the environment.

    Raises:
        InvalidRunIdError: The run id is not valid.
        ConfigurationError: A setting is missing or out of bounds, or there is no region.

    Every operation raises InvalidRequestError or a subclass for a wrong request, before anything is sent;
    ConfigurationError; and ThrottledError or UnavailableError if a retry can help.
    """

    def __init__(
        self,
        run_id: str,
        *,
        table_name: str | None = None,
        client: DynamoDBClient | Transport | None = None,
        settings: Settings | None = None,
    ) -> None:
        with error_context("open"):
            self._run_id = check_run_id(run_id)
            if settings is None:
                settings = Settings.from_environment(table_name)
            elif table_name is not None:
                raise InvalidRequestError(
                    "table_name must not be passed together with settings; got both. Leave table_name out: "
                    "settings.table_name names the table"
                )
            elif not isinstance(settings, Settings):
                raise InvalidRequestError(f"settings must be runstore.Settings; got {values.describe(settings)}")
            settings.check_served(self._run_id)
            transport = default_transport() if client is None else transport_of(client)
        self._settings = settings
        self._table = Table(transport, settings, self._run_id)
        self._keys = Keys(self._table, tails_of(transport if client is None else client))

    def __repr__(self) -> str:
        return f"RunStore({self._run_id!r}, table_name={self._settings.table_name!r})"

    @property
    def run_id(self) -> str:
        """The run."""
        return self._run_id

    @property
    def requests(self) -> int:
        """How many DynamoDB requests this object has sent, without retries."""
        return self._table.requests

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or `default` if it is not set.

        Costs one read unit per 4 KB in one request. A list that outgrew one item (about 700 bytes of elements) takes
        one more request per MB, a counter that has used dozens of tokens one more.
        """
        found, value = self.find(key)
        return value if found else default

    def find(self, key: str) -> tuple[bool, Any]:
        """Return whether a key is set, and its value, which may be `None`. Costs the same as `get`."""
        with error_context("get", self._run_id, key):
            return self._keys.find_value(check_key(key))

    def get_range(self, key: str, start: int = 0, limit: int | None = None) -> list[Any]:
        """Return at most `limit` elements of a list from index `start` on, without reading all of it.

        Returns fewer at the list's end, none if the key is not set. Finding the place in a list of 10,000 elements
        takes about six small requests; the elements cost one read unit per 4 KB. Raises KeyTypeMismatchError if the key
        does not hold a list.
        """
        with error_context("get_range", self._run_id, key):
            return self._keys.find_part(check_key(key), *operations.get_range(start, limit)) or []

    def set(self, key: str, value: Any) -> None:
        """Replace what the key holds with `value`.

        A list can then be pushed to, and a number incremented. Costs one request and one write unit per KB. Replacing a
        list beyond about 700 bytes takes two more requests, one of them a transaction at twice the cost. Writing such a
        list takes a request per 16 KB or 500 elements, the last of them a transaction, and a small read.

        Do not use `get` and then `set` for a sum: parallel branches overwrite each other. Use push and increment.
        """
        with error_context("set", self._run_id, key):
            self._keys.write(check_key(key), operations.set_value(value, self._settings))

    def setdefault(self, key: str, value: Any) -> Any:
        """Write `value` if the key is not set, and return what the key then holds.

        This lets exactly one of many branches win: each offers its own id and compares it with the result. Writes what
        `set` would write. Does not renew the expiry of a key that is set. A repetition finds its own value. Costs one
        request, and one write unit per KB if it writes; a list beyond about 700 bytes costs what `set` and `get` cost.
        """
        with error_context("setdefault", self._run_id, key):
            return self._keys.write_if_absent(check_key(key), operations.set_value(value, self._settings))

    def push(self, key: str, item: Any, *, token: str | None = None) -> int:
        """Append `item` to the list and return the list's length after that. A key that is not set becomes a list.

        A request that is sent again never appends twice; with a `token`, neither does a repeated call. (A `set` or
        `delete` of the key in between ends both.) Costs one request and, for elements of some hundred bytes, one write
        unit, the same for the first element and the hundred-thousandth (and every few pushes one small read). On a list
        beyond one item, a token costs two to four more requests and one or two more write units. Raises
        KeyTypeMismatchError if the key does not hold a list.
        """
        with error_context("push", self._run_id, key):
            key, token = check_key(key), operations.token_name(token)
            return int(self._keys.append(key, operations.push(item, token, self._settings)))

    def push_many(self, key: str, items: Iterable[Any], *, token: str | None = None) -> int:
        """Append all of `items` in order and return the list's length after the last.

        Sends them in parts of at most 16 KB or 500 elements (the first of about 1 KB), one request each. Each part is
        appended as a whole; between two parts, others may push. With a `token`, the call can be repeated after a
        failure: it appends only what is missing. Without one, a failure may leave the first parts appended; the error's
        `appended` says how many items, and repeating the call appends those again. If there are no items, a key that is
        not set becomes an empty list.
        """
        with error_context("push_many", self._run_id, key):
            key, token = check_key(key), operations.token_name(token)
            total, parts = operations.push_many(items, token, self._settings)
            length = 0
            for part in parts:
                try:
                    length = int(self._keys.append(key, part.change))
                except RunStoreError as failure:
                    if not part.first:
                        raise
                    raise _partly_appended(failure, part.first, total, repeatable=token is not None) from failure
            return length

    def increment(self, key: str, delta: float = 1, *, token: str | None = None) -> int | float:
        """Add `delta`, which may be negative or a fraction, to the counter and return its new value.

        Exact to 38 decimal digits: 0.1 three times gives 0.3. A key that is not set counts from 0. Costs one request
        and one write unit; after some dozens of tokens on one counter, each token takes two more requests.

        Without a `token`, an increment is never sent again once it may have counted; UnavailableError then says so.
        With a token, every repetition is safe. Raises KeyTypeMismatchError if the key does not hold a number,
        CounterRangeError if the result does not fit.
        """
        with error_context("increment", self._run_id, key):
            key, token = check_key(key), operations.token_name(token)
            return values.decode_number(self._keys.append(key, operations.increment(delta, token)))

    def delete(self, key: str) -> None:
        """Remove the key; not an error if it is not set. Costs one request, three for a list beyond one item.

        Further items of a long list are never read again, and are deleted with the run. A delete that is sent again
        after its answer was lost also removes what was written in between.
        """
        with error_context("delete", self._run_id, key):
            self._keys.remove(check_key(key))

    def apply(self, operations: Sequence[Mapping[str, Any]], *, token: str | None = None) -> list[dict[str, Any]]:
        """Apply several operations in order and return a list of what their functions would return.

        An operation is the event of its function without `runId`, with `do`: "get", "set", "push", "increment" or
        "delete". All are checked before the first is sent. They are not one transaction. An error has `index`: the
        operations before it took effect.

        A `token` is required if one of them is a push or an increment. Repeating the call with the token completes what
        is missing, and no push or increment counts twice; `get`, `set` and `delete` are done again. So a `set` or
        `delete` of a key that the same call also pushes to or increments is refused. Costs what the operations cost.

        Args:
            operations: 1 to 100 objects without tokens of their own.
            token: Names the whole call; 1 to 256 bytes.

        Example:
            ```python
            store.apply(
                [{"do": "push", "key": "results", "item": 7}, {"do": "increment", "key": "done"}], token="item-7"
            )
            # [{"key": "results", "length": 1}, {"key": "done", "value": 1}]
            ```
        """
        with error_context("apply", self._run_id):
            planned = batch.plan(operations, token, self._settings)
            return batch.perform(planned, self._keys)

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that are set and begin with `prefix`, sorted by their UTF-8 bytes.

        Costs one request per MB and one read unit per 4 KB of the keys' first items and of some further items: it skips
        the items of a long list beyond the page that was just read.
        """
        with error_context("keys", self._run_id):
            return listing.keys(self._table, check_prefix(prefix))

    def snapshot(self, prefix: str = "") -> dict[str, Any]:
        """Return every key that begins with `prefix`, with its value.

        Each value is what `get` would return. The values need not be from the same moment. Costs a read unit per 4 KB
        and a request per MB of these keys.
        """
        with error_context("snapshot", self._run_id):
            return listing.snapshot(self._table, check_prefix(prefix))

    def complete(self) -> int:
        """Delete every item of the run and return how many there were. Call it when the run has ended; safe to repeat.

        Operations that overlap it may have any outcome. Costs a write unit per KB.
        """
        return self._complete(None)

    def _complete(self, time_left: TimeLeft | None) -> int:
        from runstore.lifecycle import completion  # noqa: PLC0415 a function that never completes starts sooner without

        return completion.complete(self._table, time_left)


def table_of(store: RunStore) -> Table:
    """Return the table behind a store, for the functions and the workflow engine."""
    return store._table  # noqa: SLF001 the same package


def keys_of(store: RunStore, budget: Budget = UNLIMITED) -> Keys:
    """Return the keys behind a store, with a limit to what is read, for the functions."""
    return store._keys.within(budget)  # noqa: SLF001 the same package


def complete_within(store: RunStore, time_left: TimeLeft | None) -> int:
    """Delete every item of the run, as long as there is time, for the functions."""
    return store._complete(time_left)  # noqa: SLF001 the same package


def _partly_appended(failure: RunStoreError, appended: int, total: int, *, repeatable: bool) -> RunStoreError:
    """Return the error of a part of push_many, with the number of items that earlier parts appended."""
    message = str(failure)
    if not repeatable:
        message = (
            f"the first {appended:,} of {total:,} items were appended before this failed, and repeating the call "
            "appends them again: see what the list holds and push the rest. With a token from the first call on, "
            f"repeating is safe. What failed: {failure}"
        )
    return failure.replace(message, appended=appended, may_have_happened=True)
