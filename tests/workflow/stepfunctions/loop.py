"""Tasks in simulated time: generators that yield the time to sleep until, or the tasks to wait for."""

import heapq
from collections.abc import Callable, Generator
from typing import Any, TypeAlias

Routine: TypeAlias = Generator[Any, None, Any]


class Task:
    """A routine under way. `cancel` closes it where it is."""

    def __init__(self, loop: "Loop", routine: Routine) -> None:
        self._loop, self._routine = loop, routine
        self.done, self.result, self.error = False, None, None  # type: bool, Any, Exception | None
        self.when_done: Callable[[], None] | None = None
        self._turn = 0

    def resume(self, turn: int | None = None) -> None:
        """Run until the next sleep or wait; a turn that something else has overtaken is dropped."""
        if self.done or (turn is not None and turn != self._turn):
            return
        self._turn += 1
        try:
            wanted = next(self._routine)
        except StopIteration as end:
            self.result = end.value
        except Exception as error:  # noqa: BLE001 whoever waits for the task raises it
            self.error = error
        else:
            if isinstance(wanted, list):
                for task in wanted:
                    task.when_done = self._woken(wanted)
                self._woken(wanted)()
            else:
                self._loop.at(wanted, self, self._turn)
            return
        self._end()

    def waits_for(self, turn: int) -> bool:
        """Return whether it is still to go on with a turn."""
        return not self.done and turn == self._turn

    def _woken(self, tasks: "list[Task]") -> Callable[[], None]:
        turn = self._turn

        def wake() -> None:
            if all(task.done for task in tasks) or any(task.error for task in tasks):
                self._loop.at(self._loop.now, self, turn)

        return wake

    def cancel(self) -> None:
        """End it now; what it waits for is told by GeneratorExit."""
        if not self.done:
            self._routine.close()
            self._end()

    def finish(self, result: Any) -> None:
        """End it now with a result that comes from outside."""
        self._routine.close()
        self.result = result
        self._end()

    def _end(self) -> None:
        self.done = True
        if self.when_done:
            self.when_done()


class Loop:
    """The clock and what is due."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._due: list[tuple[float, int, Task, int]] = []
        self._count = 0

    @property
    def due(self) -> float | None:
        """When the next task goes on; None if there is none."""
        return self._due[0][0] if self._due else None

    def start(self, routine: Routine) -> Task:
        """Begin a task; it runs from the next turn of the loop on."""
        task = Task(self, routine)
        self.at(self.now, task, 0)
        return task

    def at(self, when: float, task: Task, turn: int) -> None:
        """Have a task go on at a time."""
        self._count += 1
        heapq.heappush(self._due, (max(when, self.now), self._count, task, turn))

    def run(self, *, until: float = float("inf")) -> None:
        """Run all that is due until a time, or until nothing is left."""
        while self._due and self._due[0][0] <= until:
            when, _, task, turn = heapq.heappop(self._due)
            if task.waits_for(turn):  # else it was cancelled or woken by something else, and no time passes for it
                self.now = when
                task.resume(turn)
