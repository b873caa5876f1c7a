"""Workflows: a Python class with steps, delays, parallel branches and hooks, run by Step Functions over the run store.

A workflow derives from `Workflow`; its Lambda handler serves the state machine `workflow.asl.json`. `runstore.testing`
runs a whole workflow in process. Nothing here is imported by `import runstore`.
"""

from runstore.workflow.api import HookApi, StepApi
from runstore.workflow.asl import state_machine_definition
from runstore.workflow.base import Workflow
from runstore.workflow.definition import step
from runstore.workflow.errors import (
    EventTimeoutError,
    InvalidActionError,
    InvalidDelayError,
    InvalidEventError,
    InvalidEventTokenError,
    PermanentError,
    RunEndedError,
    SchedulingError,
    StepCrashedError,
    StepFailure,
    StepTimeoutError,
    WorkflowDefinitionError,
    WorkflowUnavailableError,
)
from runstore.workflow.sending import send_event
from runstore.workflow.stepstore import StepStore

__all__ = [
    "EventTimeoutError",
    "HookApi",
    "InvalidActionError",
    "InvalidDelayError",
    "InvalidEventError",
    "InvalidEventTokenError",
    "PermanentError",
    "RunEndedError",
    "SchedulingError",
    "StepApi",
    "StepCrashedError",
    "StepFailure",
    "StepStore",
    "StepTimeoutError",
    "Workflow",
    "WorkflowDefinitionError",
    "WorkflowUnavailableError",
    "send_event",
    "state_machine_definition",
    "step",
]
