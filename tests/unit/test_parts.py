"""push_many in several requests, one of which fails: what the error tells of those before it."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from typing_extensions import override

from runstore import KeyTypeMismatchError, RunStore, RunStoreError, Settings, ThrottledError, UnavailableError
from tests.simulation.client import THROTTLED, Direct, NetworkError, ServerError, SimulatedClient
from tests.simulation.database import Database
from tests.simulation.wire import Request

ITEMS = list(range(700))  # parts of 1 KB, 500 elements and the rest


class _Failing(Direct):
    """A network on which everything from the third UpdateItem on fails."""

    def __init__(self, fail: Callable[["_Failing"], None]) -> None:
        super().__init__(Database())
        self.fail, self.updates = fail, 0

    @override
    def deliver(self, operation: str, request: Request) -> dict[str, Any]:
        self.updates += operation == "UpdateItem"
        if self.updates > 2:
            self.fail(self)
        return super().deliver(operation, request)

    def store(self) -> RunStore:
        return RunStore("run", client=cast("Any", SimulatedClient(self)), settings=Settings("runs"))

    def sound(self) -> RunStore:
        client: Any = SimulatedClient(Direct(self.database))
        return RunStore("run", client=client, settings=Settings("runs"))


def _throttle(_: _Failing) -> None:
    raise ServerError(THROTTLED, last=True)


def _lose(_: _Failing) -> None:
    raise NetworkError(sent=True, last=True)


def _interfere(network: _Failing) -> None:
    network.sound().set("list", "text")


FAILURES = {"throttled": (_throttle, ThrottledError), "lost": (_lose, UnavailableError)}


@pytest.mark.parametrize(("fail", "kind"), FAILURES.values(), ids=FAILURES.keys())
def test_without_a_token_the_error_tells_what_was_appended(
    fail: Callable[[_Failing], None], kind: type[RunStoreError]
) -> None:
    """It counts the items of the parts before, and warns of repeating the call."""
    network = _Failing(fail)
    with pytest.raises(
        kind, match=r"^the first \d+ of 700 items were appended .* appends them again: .*token"
    ) as caught:
        network.store().push_many("list", ITEMS)
    held = network.sound().get("list")
    assert 0 < caught.value.appended == len(cast("list[int]", held)) < len(ITEMS)
    assert held == ITEMS[: caught.value.appended]
    assert caught.value.may_have_happened
    assert (caught.value.key, caught.value.operation) == ("list", "push_many")


def test_a_key_that_changes_between_two_parts() -> None:
    """The mismatch tells what was appended before, too."""
    network = _Failing(_interfere)
    with pytest.raises(KeyTypeMismatchError, match=r"the first .* items were appended") as caught:
        network.store().push_many("list", ITEMS)
    assert caught.value.appended > 0
    assert caught.value.holds == "value"


@pytest.mark.parametrize(("fail", "kind"), FAILURES.values(), ids=FAILURES.keys())
def test_with_a_token_repeating_is_right(fail: Callable[[_Failing], None], kind: type[RunStoreError]) -> None:
    """The error has no warning, and the repeated call appends what is missing."""
    network = _Failing(fail)
    with pytest.raises(kind) as caught:
        network.store().push_many("list", ITEMS, token="t")
    assert caught.value.appended > 0
    assert "again:" not in str(caught.value)
    assert network.sound().push_many("list", ITEMS, token="t") == len(ITEMS)
    assert network.sound().get("list") == ITEMS


def test_nothing_appended_is_no_part() -> None:
    """When the first request fails, nothing was appended and repeating is right."""
    network = _Failing(_throttle)
    network.updates = 2
    with pytest.raises(ThrottledError, match=r"That request wrote nothing\. Try again") as caught:
        network.store().push_many("list", ITEMS)
    assert (caught.value.appended, caught.value.may_have_happened) == (0, False)
