"""The guardrails, deployed by the template to the local stack, which then does what it does without them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.local import FunctionError, LocalStack
from tests.deployment.definition import ACCOUNT, REGION, Definition

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d-1111-2222-3333-444455556666"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
PREFIX = "orders/"
PARAMETERS = {
    "RunIdPrefixes": f"{PREFIX},arn:aws:states:{REGION}:{ACCOUNT}:execution:",
    "PermissionsBoundaryArn": BOUNDARY,
    "SubnetIds": "subnet-0a1b,subnet-2c3d",
    "SecurityGroupIds": "sg-0a1b",
    "LogKmsKeyArn": KEY,
    "QueueKmsKeyArn": KEY,
    "RetireRunConcurrency": "5",
    "MaxReadUnits": "3000",
    "MaxWriteUnits": "1000",
    "RetirementRulePrefix": "orders-",
}


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """The template with every guardrail."""
    with LocalStack.start(parameters=PARAMETERS) as started:
        yield started


def test_the_functions_work_behind_the_guardrails(stack: LocalStack) -> None:
    """A run under a prefix is served, another one is not."""
    assert stack.invoke("set_value", {"runId": f"{PREFIX}7", "key": "n", "value": 1}) == {"key": "n"}
    with pytest.raises(FunctionError, match=r"InvalidRunIdError: runId must begin with 'orders/' or"):
        stack.invoke("set_value", {"runId": "invoices/7", "key": "n", "value": 1})


def test_the_examples_run_behind_the_guardrails(stack: LocalStack) -> None:
    """The nested stack has them too."""
    order = {"customer": {"id": "C-1"}, "line_items": [{"id": 1}, {"id": 2}], "delaySeconds": 0}
    execution = stack.run("OrderFanout", order)
    assert execution.output["processedCount"] == 2


def test_every_function_and_role_has_them(stack: LocalStack) -> None:
    """Network, boundary, keys, concurrency and throughput are those of the parameters."""
    # The local stack keeps no VpcConfig, boundary and concurrency: what the template asks for is looked at instead.
    definition = Definition("runstore", PARAMETERS)
    functions, roles = definition.of("AWS::Lambda::Function"), definition.of("AWS::IAM::Role")
    assert len(functions) == 14
    for function in functions.values():
        assert function["VpcConfig"]["SubnetIds"] == ["subnet-0a1b", "subnet-2c3d"]
        assert function["VpcConfig"]["SecurityGroupIds"] == ["sg-0a1b"]
    assert {role["PermissionsBoundary"] for role in roles.values()} == {BOUNDARY}
    assert functions["RetireRun"]["ReservedConcurrentExecutions"] == "5"
    throughput = definition.resources["Table"]["OnDemandThroughput"]
    assert throughput == {"MaxReadRequestUnits": "3000", "MaxWriteRequestUnits": "1000"}
    logs = stack.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/runstore-")["logGroups"]
    assert {each.get("kmsKeyId") for each in logs} == {KEY}
    queue = stack.client("sqs").get_queue_attributes(
        QueueUrl=stack.outputs["DeadLetterQueueUrl"], AttributeNames=["All"]
    )["Attributes"]
    assert queue["KmsMasterKeyId"] == KEY
    assert "orders-*" in queue["Policy"]
    policy = json.loads(stack.client("lambda").get_policy(FunctionName=stack.outputs["RetireRunFunctionArn"])["Policy"])
    assert len(policy["Statement"]) == 2
