"""For tests of your own: the run store in memory, and whole workflows in process in milliseconds.

Needs neither AWS nor an emulator, and is no part of what runs in production.
"""

from runstore.testing.memory import InMemoryRunStore
from runstore.testing.runner import InjectedError, StepRun, WorkflowResult, run_workflow

__all__ = ["InMemoryRunStore", "InjectedError", "StepRun", "WorkflowResult", "run_workflow"]
