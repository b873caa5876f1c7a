"""For tests of your own: the store in memory, a pytest fixture, whole workflows in process, and a contract suite.

Needs neither AWS nor an emulator, and is not part of what runs in production.

- `InMemoryRunStore`: the store of a run, without a table.
- The fixture `run_stores` (`runstore.testing.pytest_plugin`): the same store wherever your code makes a `RunStore`.
- `run_workflow`: a whole workflow class in process, in milliseconds.
- `runstore.testing.contract`: what every store must do, to hold one of your own to it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from runstore.testing.memory import InMemoryRunStore
    from runstore.testing.results import InjectedError, StepRun, WorkflowResult
    from runstore.testing.runner import run_workflow

_MODULES = {
    "InMemoryRunStore": "memory",
    "InjectedError": "results",
    "StepRun": "results",
    "WorkflowResult": "results",
    "run_workflow": "runner",
}
__all__ = ["InMemoryRunStore", "InjectedError", "StepRun", "WorkflowResult", "run_workflow"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is used: pytest imports this package at every start, for its plugin."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
