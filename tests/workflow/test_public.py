"""What users import, and what they do not pay for."""

import subprocess
import sys

import runstore.testing
import runstore.workflow

WORKFLOW = [
    "HookApi", "InvalidActionError", "InvalidDelayError", "InvalidEventError", "PermanentError", "RunEndedError",
    "SchedulingError", "StepApi", "StepCrashedError", "StepFailure", "StepStore", "StepTimeoutError", "Workflow",
    "WorkflowDefinitionError", "WorkflowUnavailableError", "step",
]  # fmt: skip
TESTING = ["InMemoryRunStore", "InjectedError", "StepRun", "WorkflowResult", "run_workflow"]


def test_public_names() -> None:
    """The public names are these and no others, and each is there."""
    assert runstore.workflow.__all__ == WORKFLOW
    assert runstore.testing.__all__ == TESTING
    assert all(hasattr(runstore.workflow, name) for name in WORKFLOW)
    assert all(hasattr(runstore.testing, name) for name in TESTING)


def _imported_by(statement: str) -> set[str]:
    """Return the modules that a statement imports, in an interpreter of its own."""
    code = f"import sys; {statement}; print(*sys.modules, sep='\\n')"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(found.stdout.split())


def test_the_store_does_not_import_workflows() -> None:
    """A cold start of the store's own functions waits for neither workflows nor the testing kit."""
    imported = _imported_by("import runstore.handler")
    assert "runstore.store" in imported
    assert not {name for name in imported if name.startswith(("runstore.workflow", "runstore.testing"))}


def test_workflows_do_not_import_the_testing_kit() -> None:
    """What runs in production does not import what is for tests; boto3 comes with the first invocation."""
    imported = _imported_by("import order_workflow")
    assert "runstore.workflow.engine" in imported
    assert not {name for name in imported if name == "boto3" or name.startswith("runstore.testing")}
