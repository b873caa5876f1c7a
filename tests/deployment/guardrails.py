"""What an account may demand of the stack, and what a deployment of it has: for the template and for the module."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.deployment.definition import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable

KEY: Final = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d-1111-2222-3333-444455556666"
TOPIC: Final = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"
BOUNDARY: Final = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
TAGS: Final = {"team": "orders"}
NEVER_DELETE: Final = {"Effect": "Deny", "Action": "dynamodb:DeleteItem", "Resource": "*"}
ON_SEVERAL_METRICS: Final = ("Errors", "FunctionThrottles", "TableThrottles")

EXPECTED: Final[dict[str, Any]] = {
    "networks": {("subnet-0a1b", "subnet-2c3d", "sg-0a1b")},
    "boundaries": {BOUNDARY},
    "concurrency of retire_run": 5,
    "throughput": {"MaxReadRequestUnits": 3_000, "MaxWriteRequestUnits": 1_000},
    "key of the table": KEY,
    "keys of the logs": {KEY},
    "key of the queue": KEY,
    "rules of retire_run": {"execution ends", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/orders-*"},
    "alarms": 9,
    "actions of alarms": {(TOPIC, TOPIC)},
    "dashboards": 1,
    "tags": {"table": TAGS, "functions": TAGS},
}


def make_boundary(iam: Any) -> None:
    """Make a permissions boundary that allows everything but the deletion of single items."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [everything, NEVER_DELETE]}
    iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(document))


def deployed(client: Callable[[str], Any], *, table_name: str, retire_run: str, queue_url: str) -> dict[str, Any]:
    """Return the guardrails of everything that is deployed, as the services describe it."""
    functions = _all(client("lambda"), "list_functions", "Functions")
    policy = json.loads(client("lambda").get_policy(FunctionName=retire_run)["Policy"])
    sources = [each["Condition"]["ArnLike"]["AWS:SourceArn"] for each in policy["Statement"]]
    table = client("dynamodb").describe_table(TableName=table_name)["Table"]
    queue = client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    alarms = _all(client("cloudwatch"), "describe_alarms", "MetricAlarms")
    roles = [each["Role"].rpartition("/")[2] for each in functions]
    table_tags = client("dynamodb").list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    return {
        "networks": {(*each["VpcConfig"]["SubnetIds"], *each["VpcConfig"]["SecurityGroupIds"]) for each in functions},
        "boundaries": {_boundary(client("iam").get_role(RoleName=each)["Role"]) for each in roles},
        "concurrency of retire_run": client("lambda")
        .get_function_concurrency(FunctionName=retire_run)
        .get("ReservedConcurrentExecutions"),
        "throughput": table.get("OnDemandThroughput"),
        "key of the table": table.get("SSEDescription", {}).get("KMSMasterKeyArn"),
        "keys of the logs": {each.get("kmsKeyId") for each in _all(client("logs"), "describe_log_groups", "logGroups")},
        "key of the queue": queue.get("KmsMasterKeyId"),
        "rules of retire_run": {each if each.endswith("*") else "execution ends" for each in sources},
        "alarms": len(alarms),
        "actions of alarms": {(*each["AlarmActions"], *each["OKActions"]) for each in alarms},
        "dashboards": len(client("cloudwatch").list_dashboards()["DashboardEntries"]),
        "tags": {
            "table": {each["Key"]: each["Value"] for each in table_tags if each["Key"] in TAGS},
            "functions": _common_tags(client("lambda"), functions),
        },
    }


def _all(client: Any, operation: str, field: str) -> list[Any]:
    return [each for page in client.get_paginator(operation).paginate() for each in page[field]]


def _boundary(role: Any) -> str | None:
    found: str | None = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    return found


def _common_tags(client: Any, functions: list[Any]) -> dict[str, str]:
    """Return those of the tags above that all functions have."""
    tags = [client.list_tags(Resource=each["FunctionArn"])["Tags"] for each in functions]
    return {key: value for key, value in TAGS.items() if all(each.get(key) == value for each in tags)}
