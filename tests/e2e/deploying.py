"""Deploying functions and state machines of the tests' own beside those of the template."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.local import Execution, LocalStack
from infra.local.deployment import bundled
from infra.package import FUNCTIONS
from runstore import RunStore
from tests.e2e.machines import make_role

HERE = Path(__file__).parent
ASL = HERE.parents[1] / "functions" / "runstore" / "workflow" / "workflow.asl.json"


@dataclass
class Machine:
    """A state machine of a test's own."""

    stack: LocalStack
    arn: str

    def start(self, document: Any) -> str:
        """Start an execution."""
        started = self.stack.client("stepfunctions").start_execution(
            stateMachineArn=self.arn, input=json.dumps(document)
        )
        return str(started["executionArn"])

    def run(self, document: Any) -> Execution:
        """Run an execution to its end."""
        return self.stack.wait(self.start(document))

    def state(self, run_id: str) -> dict[str, Any]:
        """Return the run's keys."""
        client = self.stack.client("dynamodb")
        return dict(RunStore(run_id, table_name=self.stack.table_name, client=client).snapshot())


def bundle(*modules: str) -> bytes:
    """Return the functions' folder with modules of the tests in it, as a deployment package."""
    with TemporaryDirectory() as folder:
        for module in modules:
            Path(folder, f"{module}.py").write_bytes((HERE / f"{module}.py").read_bytes())
        return bundled(FUNCTIONS, Path(folder))


@contextmanager
def machine(stack: LocalStack, name: str, definition: str) -> Iterator[Machine]:
    """Deploy a state machine whose role may do everything."""
    machines = stack.client("stepfunctions")
    made = machines.create_state_machine(name=name, definition=definition, roleArn=make_role(stack))
    try:
        yield Machine(stack, made["stateMachineArn"])
    finally:
        machines.delete_state_machine(stateMachineArn=made["stateMachineArn"])


@contextmanager
def sample_workflow(
    stack: LocalStack, handler: str, package: bytes, environment: Mapping[str, str] | None = None
) -> Iterator[Machine]:
    """Deploy the sample workflow as a user's own template would: a function, and the workflow's state machine."""
    functions, machines = stack.client("lambda"), stack.client("stepfunctions")
    own = machines.describe_state_machine(stateMachineArn=stack.outputs["OrderWorkflowArn"])
    name = json.loads(own["definition"])["States"]["Begin"]["Parameters"]["FunctionName"]
    like = functions.get_function(FunctionName=name)["Configuration"]
    function = functions.create_function(
        FunctionName="sample-workflow",
        Runtime=like["Runtime"],
        Handler=handler,
        Role=like["Role"],
        Timeout=60,
        Environment={"Variables": like["Environment"]["Variables"] | dict(environment or {})},
        Code={"ZipFile": package},
    )
    definition = ASL.read_text("utf-8").replace("${WorkflowFunctionArn}", function["FunctionArn"])
    try:
        with machine(stack, "sample-workflow", definition) as deployed:
            yield deployed
    finally:
        functions.delete_function(FunctionName="sample-workflow")
