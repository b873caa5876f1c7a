"""Puts the in-memory store in the place of the real one, for the fixture `run_stores`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstore.settings import Settings
from runstore.store import RunStore
from runstore.testing.memory import InMemoryRunStore

if TYPE_CHECKING:
    from typing import Any

    import pytest

    from runstore.testing.memory import Runs

_TABLE = "in-memory"


class RunStores:
    """The runs of one test, and their stores."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._runs: Runs = {}
        runs = self._runs

        # Not __new__: CPython does not restore it properly when the test ends.
        def __init__(  # noqa: N807 it replaces this method
            self: RunStore,
            run_id: str,
            *,
            table_name: str | None = None,  # noqa: ARG001 every table is the same memory
            client: Any = None,  # noqa: ARG001 nothing is sent
            settings: Settings | None = None,
        ) -> None:
            self.__class__ = _in_memory(type(self))
            settings = Settings.from_environment(_TABLE) if settings is None else settings
            InMemoryRunStore.__init__(self, run_id, runs=runs, settings=settings)  # type: ignore[arg-type]

        monkeypatch.setattr(RunStore, "__init__", __init__)

    def __call__(self, run_id: str) -> InMemoryRunStore:
        """Return the store of a run."""
        return InMemoryRunStore(run_id, runs=self._runs, settings=Settings.from_environment(_TABLE))

    @property
    def run_ids(self) -> list[str]:
        """The runs that hold a key."""
        return [run_id for run_id in self._runs if self(run_id).keys()]


def _in_memory(cls: type[RunStore]) -> type[RunStore]:
    """Return a class that is a `cls`, and whose operations are those of the in-memory store."""
    bases = (InMemoryRunStore, RunStore) if cls is RunStore else (cls, _in_memory(RunStore))
    return type(cls.__name__, bases, {})
