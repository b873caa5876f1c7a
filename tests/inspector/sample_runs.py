"""Deploys the fulfilment workflow to the local stack."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from infra.local.deployment import bundled
from infra.package import FUNCTIONS
from runstore.workflow import state_machine_definition
from tests.e2e.machines import make_role

if TYPE_CHECKING:
    from infra.local import LocalStack

NAME = "fulfilment"
MODULE = Path(__file__).with_name("fulfilment.py")


def deploy(stack: LocalStack) -> str:
    """Deploy the workflow's function and state machine with the roles of an example; return the machine's ARN."""
    functions, machines = stack.client("lambda"), stack.client("stepfunctions")
    example = machines.describe_state_machine(stateMachineArn=stack.outputs["OrderWorkflowArn"])
    name = json.loads(example["definition"])["States"]["Begin"]["Parameters"]["FunctionName"]
    like = functions.get_function(FunctionName=name)["Configuration"]
    with TemporaryDirectory() as folder:
        Path(folder, MODULE.name).write_bytes(MODULE.read_bytes())
        package = bundled(FUNCTIONS, Path(folder))
    function = functions.create_function(
        FunctionName=NAME,
        Runtime=like["Runtime"],
        Handler=f"{MODULE.stem}.handler",
        Role=like["Role"],
        Timeout=60,
        Environment={"Variables": like["Environment"]["Variables"]},
        Code={"ZipFile": package},
    )
    made = machines.create_state_machine(
        name=NAME, definition=state_machine_definition(function["FunctionArn"]), roleArn=make_role(stack)
    )
    return str(made["stateMachineArn"])


def start(stack: LocalStack, machine_arn: str, name: str, data: Any) -> str:
    """Start a run and return its ARN."""
    started = stack.client("stepfunctions").start_execution(
        stateMachineArn=machine_arn, name=name, input=json.dumps({"data": data, "headers": {}})
    )
    return str(started["executionArn"])
