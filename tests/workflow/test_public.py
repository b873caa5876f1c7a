"""What users import, and what they do not pay for."""

import os
import subprocess
import sys

import runstore.testing
import runstore.workflow

WORKFLOW = [
    "EventTimeoutError", "HookApi", "InvalidActionError", "InvalidDelayError", "InvalidEventError",
    "InvalidEventTokenError", "PermanentError", "RunEndedError", "SchedulingError", "StepApi", "StepCrashedError",
    "StepFailure", "StepStore", "StepTimeoutError", "Workflow", "WorkflowDefinitionError", "WorkflowUnavailableError",
    "send_event", "state_machine_definition", "step",
]  # fmt: skip
TESTING = ["InMemoryRunStore", "InjectedError", "StepRun", "WorkflowResult", "run_workflow"]


def test_public_names() -> None:
    """The public names are these and no others, and each is there."""
    assert runstore.workflow.__all__ == WORKFLOW
    assert runstore.testing.__all__ == TESTING
    assert all(hasattr(runstore.workflow, name) for name in WORKFLOW)
    assert all(hasattr(runstore.testing, name) for name in TESTING)


def _run(code: str, **environment: str) -> str:
    """Return what code prints in an interpreter of its own."""
    command = [sys.executable, "-c", f"import sys; {code}"]
    found = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | environment)
    return found.stdout


def _imported_by(statement: str, **environment: str) -> set[str]:
    """Return the modules that a statement imports, in an interpreter of its own."""
    return set(_run(f"{statement}; print(*sys.modules, sep='\\n')", **environment).split())


def test_the_store_does_not_import_workflows() -> None:
    """A cold start of the store's own functions waits for neither workflows nor the testing kit."""
    imported = _imported_by("import runstore.aws_lambda.entry_point")
    assert "runstore.store" in imported
    assert not {name for name in imported if name.startswith(("runstore.workflow", "runstore.testing"))}


def test_workflows_do_not_import_the_testing_kit() -> None:
    """What runs in production does not import what is for tests; boto3 comes with the first invocation."""
    imported = _imported_by("import order_workflow")
    assert "runstore.workflow.engine" in imported
    assert not {name for name in imported if name == "boto3" or name.startswith("runstore.testing")}


def test_a_workflow_can_be_tested_without_powertools() -> None:
    """`pip install runstore` is enough to define and test a workflow; only its handler needs more, and says what."""
    code = """sys.modules["aws_lambda_powertools"] = None
from order_workflow import OrderWorkflow, handler
from runstore.testing import run_workflow
print(run_workflow(OrderWorkflow, {"customer": {"id": 1}, "line_items": []}).status)
try:
    handler({"do": "begin", "input": {}, "execution": "arn", "started": ""})
except Exception as error:
    print(type(error).__name__, error)
"""
    succeeded, refused = _run(code).splitlines()
    assert succeeded == "SUCCEEDED"
    assert refused.startswith("ConfigurationError")
    assert "Add aws-lambda-powertools to the function's requirements" in refused


def test_in_lambda_the_logger_is_imported_before_the_first_invocation() -> None:
    """A cold start, and a snapshot, have Powertools ready; elsewhere nothing waits for it."""
    assert "aws_lambda_powertools" not in _imported_by("import order_workflow")
    assert "aws_lambda_powertools" in _imported_by("import order_workflow", AWS_LAMBDA_INITIALIZATION_TYPE="on-demand")
