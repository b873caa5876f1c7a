"""docs/tutorial.md: its state machine runs its step, with the layer and the variables that other pages give a step."""

import json

from infra.local import LocalStack
from tests.e2e.deploying import machine
from tests.e2e.lambdas import Lambdas, archive
from tests.repository.pages import fenced, state

ITEMS = [{"id": 1}, {"id": 2, "in_stock": False}, {"id": 3}]
VARIABLES = ("RUNSTORE_TABLE", "RUNSTORE_TTL_DAYS", "RUNSTORE_MAX_VALUE_BYTES")


def test_the_states_of_the_tutorial_run_its_step(stack: LocalStack) -> None:
    """Results, warnings and the counter are of the root's run, and the completion deletes these three items."""
    step, _ = fenced("docs/tutorial.md", "python")
    functions = Lambdas(stack)
    name = functions.create(
        archive(step=step),
        Handler="step.lambda_handler",
        Layers=[stack.outputs["LayerArn"]],
        Environment={"Variables": {variable: stack.names()[variable] for variable in VARIABLES}},
    )
    states = json.dumps({"StartAt": "LineItems", "States": state("docs/tutorial.md")})
    states = states.replace("${ProcessArn}", name)
    states = states.replace("${CompleteRunArn}", stack.outputs["CompleteRunFunctionArn"])
    with machine(stack, "tutorial", states) as deployed:
        execution = deployed.run({"line_items": ITEMS})
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.output["Payload"] == {"runId": execution.arn, "deleted": 3}
    assert stack.items(execution.arn) == []
