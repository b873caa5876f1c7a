"""Claims about who may do what: each function's role, and the runs that a stack serves."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from samtranslator.yaml_helper import yaml_parse

from infra.local import FunctionError
from tests.aws.claims import CannotSettleError, Claim
from tests.aws.claims_store import set_environment
from tests.aws.claims_workflows import expect
from tests.aws.cost import Usage
from tests.aws.stacks import ROOT
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from tests.aws.stacks import Deployment

RUN_ID_PREFIXES: Final = "RUNSTORE_RUN_ID_PREFIXES"
FORBIDDEN: Final = (
    "dynamodb:Scan",
    "dynamodb:DeleteTable",
    "dynamodb:UpdateTable",
    "dynamodb:ExportTableToPointInTime",
    "states:StartExecution",
    "lambda:InvokeFunction",
    "iam:PassRole",
    "s3:GetObject",
)


def _permissions(deployment: Deployment) -> str:
    """Ask IAM about each role: what the template allows is allowed, and nothing else on the table or elsewhere."""
    iam, formation = deployment.stack.client("iam"), deployment.stack.client("cloudformation")
    mapping = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))["Mappings"]["TableActions"]
    everything = sorted({action for each in mapping.values() for action in each["Actions"]})
    table = deployment.stack.outputs["TableArn"]
    asked = 0
    for name, each in mapping.items():
        found = formation.describe_stack_resource(StackName=deployment.store_name, LogicalResourceId=f"{name}Role")
        role = iam.get_role(RoleName=found["StackResourceDetail"]["PhysicalResourceId"])["Role"]["Arn"]
        for resource, actions in ((table, everything), (f"{table}-other", everything), ("*", FORBIDDEN)):
            answers = iam.simulate_principal_policy(
                PolicySourceArn=role, ActionNames=list(actions), ResourceArns=[resource]
            )
            for answer in answers["EvaluationResults"]:
                allowed = answer["EvalDecision"] == "allowed"
                wanted = resource == table and answer["EvalActionName"] in each["Actions"]
                expect(
                    allowed == wanted, f"{name}: {answer['EvalActionName']} on {resource} is {answer['EvalDecision']}"
                )
                asked += 1
    return f"IAM answered {asked} questions about {len(mapping)} roles as the template means them"


def _isolation(deployment: Deployment) -> str:
    """Serve only some runs, ask a function for others, and ask again without its own check: then IAM must refuse."""
    prefix = f"mine-{uuid.uuid4().hex}-"
    mine, other = f"{prefix}1", "another-run"
    deployment.deploy_store(RunIdPrefixes=prefix)
    try:
        counted = deployment.stack.invoke("increment_counter", {"runId": mine, "key": "n"})
        expect(counted["value"] == 1, counted)
        refused = _refusal(deployment, other)
        expect(refused is not None and refused.name == "InvalidRunIdError", f"another run was asked for: {refused}")
        _drop_own_check(deployment)
        denied = eventually(lambda: _refusal(deployment, other))  # IAM takes some seconds to follow a change
        if denied is None and deployment.is_emulated and not deployment.is_local:
            raise CannotSettleError("this emulator does not hold a role to conditions of its policies")
        expect(denied is not None and "not authorized" in str(denied), f"IAM did not deny another run: {denied}")
        expect(_refusal(deployment, mine) is None, "IAM denied a run that is served")
    finally:
        deployment.deploy_store()
    return "the function refused another run, and without its own check IAM denied that run to its role"


def _refusal(deployment: Deployment, run_id: str) -> FunctionError | None:
    """Return the error that a function raises when it is asked for a run, None if it answers."""
    try:
        deployment.stack.invoke("get_value", {"runId": run_id, "key": "n"})
    except FunctionError as refused:
        return refused
    return None


def _drop_own_check(deployment: Deployment) -> None:
    functions, arn = deployment.stack.client("lambda"), deployment.stack.outputs["GetValueFunctionArn"]
    variables = functions.get_function_configuration(FunctionName=arn)["Environment"]["Variables"]
    set_environment(functions, arn, {key: each for key, each in variables.items() if key != RUN_ID_PREFIXES})


UPDATED: Final = "the stack would have to be deployed with other parameters"

CLAIMS: Final = [
    Claim("permissions", "IAM allows each function what the template lists, and nothing else", _permissions),
    Claim(
        "isolation",
        "With RunIdPrefixes the functions serve no other run, and their roles reach none",
        _isolation,
        Usage(0, 10, 10, 10),
        adopted=UPDATED,
    ),
]
