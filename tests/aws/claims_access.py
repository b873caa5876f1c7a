"""Claims about who may do what: each function's role, and the runs that a stack serves."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from samtranslator.yaml_helper import yaml_parse

from infra.local import FunctionError
from tests.aws.claims import Claim, RefutedError
from tests.aws.claims_workflows import expect
from tests.aws.cost import Usage
from tests.aws.stacks import ROOT

if TYPE_CHECKING:
    from tests.aws.stacks import Deployment

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
    """Serve only some runs, and ask both the functions and IAM for others."""
    prefix = f"mine-{uuid.uuid4().hex}-"
    mine, other = f"{prefix}1", "another-run"
    deployment.deploy_store(RunIdPrefixes=prefix)
    try:
        counted = deployment.stack.invoke("increment_counter", {"runId": mine, "key": "n"})
        expect(counted["value"] == 1, counted)
        try:
            found = deployment.stack.invoke("get_value", {"runId": other, "key": "n"})
        except FunctionError as refused:
            expect(refused.name == "InvalidRunIdError", refused)
        else:
            raise RefutedError(f"the function served another run: {found}")
        _check_leading_keys(deployment, mine, other)
    finally:
        deployment.deploy_store()
    return "the functions refused another run, and IAM denies it to the role"


def _check_leading_keys(deployment: Deployment, mine: str, other: str) -> None:
    """Ask IAM whether the role may read a run that is served, and one that is not."""
    iam, formation = deployment.stack.client("iam"), deployment.stack.client("cloudformation")
    found = formation.describe_stack_resource(StackName=deployment.store_name, LogicalResourceId="GetValueRole")
    role = iam.get_role(RoleName=found["StackResourceDetail"]["PhysicalResourceId"])["Role"]["Arn"]
    decisions = []
    for run_id in (mine, other):
        key = {"ContextKeyName": "dynamodb:LeadingKeys", "ContextKeyType": "stringList", "ContextKeyValues": [run_id]}
        answer = iam.simulate_principal_policy(
            PolicySourceArn=role,
            ActionNames=["dynamodb:GetItem"],
            ResourceArns=[deployment.stack.outputs["TableArn"]],
            ContextEntries=[key],
        )
        decisions.append(answer["EvaluationResults"][0]["EvalDecision"])
    expect(decisions == ["allowed", "explicitDeny"], decisions)


UPDATED: Final = "the stack would have to be deployed with other parameters"

CLAIMS: Final = [
    Claim("permissions", "IAM allows each function what the template lists, and nothing else", _permissions),
    Claim(
        "isolation",
        "With RunIdPrefixes the functions serve no other run, and their roles reach none",
        _isolation,
        Usage(0, 2, 2, 2),
        local=UPDATED,
        adopted=UPDATED,
    ),
]
