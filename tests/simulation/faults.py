"""What can go wrong with one request."""

from collections.abc import Callable, Sequence

from greenlet import GreenletExit

from tests.simulation.client import THROTTLED, NetworkError, ServerError

# Each fault, and what is raised where the answer should come back. GreenletExit: the process is gone.
FAULTS: dict[str, Callable[[], BaseException]] = {
    "crash before": GreenletExit,
    "crash after": GreenletExit,
    "request lost": lambda: NetworkError(sent=False, last=False),
    "answer lost": lambda: NetworkError(sent=True, last=False),
    "answer lost for good": lambda: NetworkError(sent=True, last=True),
    "server error before": lambda: ServerError("InternalServerError", last=False),
    "server error after": lambda: ServerError("InternalServerError", last=False),
    "late, sent again": lambda: NetworkError(sent=True, last=False),
    "late, given up": lambda: NetworkError(sent=True, last=True),
    "late, sender gone": GreenletExit,
    "throttled": lambda: ServerError(THROTTLED, last=False),
    "throttled for good": lambda: ServerError(THROTTLED, last=True),
}
AFTER = frozenset(
    {"crash after", "answer lost", "answer lost for good", "server error after"}
)  # the request took effect
LATE = ("late, sent again", "late, given up", "late, sender gone")  # the request takes effect at some later moment

CRASHES = ("crash before", "crash after")
LOSSES = ("request lost", "answer lost", "answer lost for good", "server error before", "server error after")
THROTTLING = ("throttled", "throttled for good")

_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"})
_ON_READS = frozenset({"crash before", "request lost", "throttled for good"})  # the others make no difference to a read


def possible(happening: Sequence[str], operation: str) -> list[str]:
    """Return those of the faults that make a difference to this kind of request."""
    return [name for name in happening if operation in _WRITES or name in _ON_READS]
