"""What a state machine may do: its role is held to its policies, which ministack does not do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ministack.core import iam_evaluator
from ministack.services import iam, lambda_svc
from ministack.services import stepfunctions as sfn

if TYPE_CHECKING:
    from collections.abc import Mapping

LAMBDA_ARN: Final = "arn:aws:lambda:"


class Call(NamedTuple):
    """What a task does to what, and the name of the error when that is not allowed."""

    action: str
    resource: str
    error: str


def check_permission(role_arn: str, resource: str, effective: Any) -> None:
    """Raise the task's error unless the role allows what it is about to do.

    Lambda functions, nested executions and the optimized DynamoDB actions are checked; other integrations are not.
    """
    call = call_of(resource, effective if isinstance(effective, dict) else {})
    role_name = role_arn.rpartition("/")[2]
    if call is None or role_name not in iam._roles:  # a role that nobody has made is not there on AWS either
        return
    account = sfn.get_account_id()
    caller = f"arn:aws:sts::{account}:assumed-role/{role_name}/states"
    context = iam_evaluator.EvalContext(
        principal_arn=caller,
        principal_type="AssumedRole",
        principal_account=account,
        action=call.action,
        resource_arn=call.resource,
        region=sfn.get_region(),
    )
    policies = iam_evaluator._gather_role_policies(role_name, account)
    boundary = iam_evaluator._permissions_boundary(iam._roles, role_name, account)
    result = iam_evaluator.evaluate(context, policies, *boundary)
    if result.decision != "Allow":
        cause = (
            f"User: {caller} is not authorized to perform: {call.action} on resource: {call.resource} because no "
            f"identity-based policy allows the {call.action} action"
        )
        raise sfn._ExecutionError(call.error, cause)


def call_of(resource: str, effective: Mapping[str, Any]) -> Call | None:
    """Return what a task is about to do, as far as it is checked."""
    if "states:::lambda:invoke" in resource or resource.startswith(LAMBDA_ARN):
        name = effective.get("FunctionName", "") if "states:::" in resource else resource
        return Call("lambda:InvokeFunction", function_arn(str(name)), "Lambda.AWSLambdaException")
    if ":states:startExecution" in resource:
        machine = str(effective.get("StateMachineArn", ""))
        return Call("states:StartExecution", machine, "StepFunctions.AWSStepFunctionsException")
    if "states:::dynamodb:" in resource:
        action = resource.rpartition(":")[2]
        table = str(effective.get("TableName", "")).rpartition("/")[2]
        arn = f"arn:aws:dynamodb:{sfn.get_region()}:{sfn.get_account_id()}:table/{table}"
        return Call(f"dynamodb:{action[:1].upper()}{action[1:]}", arn, "DynamoDB.AmazonDynamoDBException")
    return None


def function_arn(name: str) -> str:
    """Return a function's ARN, given that, its name, or a part of the ARN."""
    if name.startswith(LAMBDA_ARN):
        return name
    plain = name.rpartition("function:")[2]
    arn: str = lambda_svc._func_arn(plain)
    return arn
