"""A fork while another thread is in the store: the child finds every lock free, and what it guards whole."""

import os
import signal
from collections.abc import Callable
from threading import Event, Thread, Timer
from typing import Any

import pytest

from runstore import RunStore, Settings, clock
from runstore.dynamodb import table
from runstore.testing import InMemoryRunStore
from runstore.workflow import stepstore
from runstore.workflow.stepstore import StepStore
from tests.simulation.client import Direct, SimulatedClient
from tests.simulation.database import Database

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


class Busy:
    """A thread that is in the middle of something for a tenth of a second after the fork has begun."""

    def __init__(self) -> None:
        self.inside, self.go_on = Event(), Event()

    def pause(self) -> None:
        """Be in the middle of it."""
        self.inside.set()
        self.go_on.wait(10)

    def fork_beside(self, work: Callable[[], object], in_child: Callable[[], bool]) -> bool:
        """Return what comes of `in_child` in a child that is forked while a thread does `work`."""
        thread = Thread(target=work)
        thread.start()
        self.inside.wait(10)
        Timer(0.1, self.go_on.set).start()
        child = os.fork()
        if child == 0:
            try:
                signal.alarm(10)
                os._exit(0 if in_child() else 1)
            finally:
                os._exit(1)
        thread.join()
        return os.waitpid(child, 0)[1] == 0


def test_a_fork_in_the_middle_of_an_operation_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child finds the other thread's push done, and can go on."""
    store, busy, now = InMemoryRunStore(), Busy(), clock.now

    def slow() -> int:
        busy.pause()
        return now()

    monkeypatch.setattr(clock, "now", slow)
    assert busy.fork_beside(lambda: store.push("list", 1), lambda: store.push("list", 2) == 2)
    assert store.get("list") == [1]


@pytest.mark.parametrize("module", [table, stepstore], ids=["a request", "an operation of a step"])
def test_a_fork_while_another_thread_counts(module: Any) -> None:
    """The child finds the lock free and can go on."""
    store = RunStore("run", client=SimulatedClient(Direct(Database())), settings=Settings("t"))  # type: ignore[arg-type]
    busy = Busy()

    def count() -> None:
        with module._COUNTING:  # noqa: SLF001 held for an addition, too short to be met by chance
            busy.pause()

    assert busy.fork_beside(count, lambda: StepStore(store, "step").increment("n") == 1)
    assert store.requests == 0
