"""The guardrails, deployed by the template to the local stack, which then does what it does without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.local import FunctionError, LocalStack
from infra.local.server import Server
from tests.deployment import guardrails
from tests.deployment.definition import ACCOUNT, REGION
from tests.deployment.guardrails import BOUNDARY, KEY, TAGS, TOPIC

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

PREFIX = "orders/"
OWN_CHECK = "RUNSTORE_RUN_ID_PREFIXES"
PARAMETERS = {
    "RunIdPrefixes": f"{PREFIX},arn:aws:states:{REGION}:{ACCOUNT}:execution:",
    "PermissionsBoundaryArn": BOUNDARY,
    "SubnetIds": "subnet-0a1b,subnet-2c3d",
    "SecurityGroupIds": "sg-0a1b",
    "KmsKeyArn": KEY,
    "LogKmsKeyArn": KEY,
    "QueueKmsKeyArn": KEY,
    "RetireRunConcurrency": "5",
    "MaxReadUnits": "3000",
    "MaxWriteUnits": "1000",
    "RetirementRulePrefix": "orders-",
    "Alarms": "true",
    "AlarmTopicArn": TOPIC,
    "Dashboard": "true",
}


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """The template with every guardrail."""
    with LocalStack(Server(), {}) as started:
        guardrails.make_boundary(started.client("iam"))
        started.deploy(parameters=PARAMETERS, tags=TAGS)
        yield started


def test_everything_that_is_deployed_has_them(stack: LocalStack) -> None:
    """Network, boundary, keys, concurrency, throughput, alarms, dashboard and tags, as the services describe them."""
    found = guardrails.deployed(
        stack.client,
        table_name=stack.table_name,
        retire_run=stack.outputs["RetireRunFunctionArn"],
        queue_url=stack.outputs["DeadLetterQueueUrl"],
    )
    assert found == guardrails.EXPECTED


def test_the_functions_work_behind_the_guardrails(stack: LocalStack) -> None:
    """A run under a prefix is served, another one is not."""
    run = {"runId": f"{PREFIX}7"}
    assert stack.invoke("set_value", {**run, "key": "n", "value": 1}) == {"key": "n"}
    assert stack.invoke("push_item", {**run, "key": "list", "item": 1}) == {"key": "list", "length": 1}
    assert stack.invoke("get_values", run) == {"values": {"list": [1], "n": 1}}
    with pytest.raises(FunctionError, match=r"InvalidRunIdError: runId must begin with 'orders/' or"):
        stack.invoke("set_value", {"runId": "invoices/7", "key": "n", "value": 1})


def test_the_examples_run_behind_the_guardrails(stack: LocalStack) -> None:
    """The nested stack has them too."""
    order = {"customer": {"id": "C-1"}, "line_items": [{"id": 1}, {"id": 2}], "delaySeconds": 0}
    execution = stack.run("OrderFanout", order)
    assert execution.output["processedCount"] == 2


def test_the_boundary_holds(stack: LocalStack) -> None:
    """What it denies fails, though the function's own policy allows it."""
    with pytest.raises(FunctionError, match=r"ConfigurationError: .*dynamodb:DeleteItem"):
        stack.invoke("delete_key", {"runId": f"{PREFIX}8", "key": "n"})


@pytest.mark.parametrize(
    ("function", "fields"),
    [
        ("get_value", {"key": "n"}),
        ("get_values", {}),
        ("set_value", {"key": "n", "value": 1}),
        ("increment_counter", {"key": "n"}),
        ("complete_run", {}),
    ],
)
def test_iam_denies_another_run_where_the_function_would_not(
    stack: LocalStack, function: str, fields: dict[str, Any]
) -> None:
    """Without the function's own check, the condition on dynamodb:LeadingKeys refuses the request."""
    client = stack.client("lambda")
    arn = stack.outputs[f"{''.join(word.capitalize() for word in function.split('_'))}FunctionArn"]
    variables = client.get_function_configuration(FunctionName=arn)["Environment"]["Variables"]
    unchecked = {name: value for name, value in variables.items() if name != OWN_CHECK}
    client.update_function_configuration(FunctionName=arn, Environment={"Variables": unchecked})
    try:
        with pytest.raises(FunctionError, match=r"ConfigurationError: .*not authorized"):
            stack.invoke(function, {"runId": "invoices/7", **fields})
        stack.invoke(function, {"runId": f"{PREFIX}9", **fields})
    finally:
        client.update_function_configuration(FunctionName=arn, Environment={"Variables": variables})


def test_a_defect_makes_its_alarm_go_off(stack: LocalStack) -> None:
    """The alarm watches the metric that the functions log; those on several metrics are deployed as they are."""
    watch = stack.client("cloudwatch")
    alarms = watch.describe_alarms()["MetricAlarms"]
    labels = {metric["Label"] for each in alarms for metric in each.get("Metrics", []) if "Expression" in metric}
    assert labels == set(guardrails.ON_SEVERAL_METRICS)
    (defects,) = [each for each in alarms if each.get("MetricName") == "Defects"]
    assert defects["StateValue"] == "INSUFFICIENT_DATA"
    datum = {"MetricName": "Defects", "Dimensions": defects["Dimensions"], "Value": 1, "Unit": "Count"}
    watch.put_metric_data(Namespace=defects["Namespace"], MetricData=[datum])
    (after,) = watch.describe_alarms(AlarmNames=[defects["AlarmName"]])["MetricAlarms"]
    assert after["StateValue"] == "ALARM"
