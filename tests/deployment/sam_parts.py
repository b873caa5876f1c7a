"""What the SAM template deploys, part by part, in a form to which Terraform's resources can be compared.

Every part is {logical id of the template: what it is}.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.deployment.definition import Definition, definition_of

Part = dict[str, Any]


def parts(definition: Definition) -> dict[str, Part]:
    """Return the parts of the template."""
    policies = {
        key: each["PolicyDocument"]["Statement"] for key, each in definition.of("AWS::IAM::ManagedPolicy").items()
    }

    def permissions(role: Mapping[str, Any]) -> Any:
        statements = [each for policy in role["Policies"] for each in policy["PolicyDocument"]["Statement"]]
        statements += [each for arn in role["ManagedPolicyArns"] for each in policies[arn.strip("<>")]]
        return {
            "trust": role["AssumeRolePolicyDocument"],
            "may": statements_of(statements),
            "boundary": role.get("PermissionsBoundary"),
        }

    table = definition.resources["Table"]
    queue = definition.resources["RetireRunDeadLetters"]
    layers = definition.of("AWS::Lambda::LayerVersion").values()
    invoke = definition.resources["RetireRunEventInvokeConfig"]
    return {
        "functions": {
            key: {
                "handler": each["Handler"],
                "description": each["Description"],
                "runtime": each["Runtime"],
                "architectures": each["Architectures"],
                "memory": int(each["MemorySize"]),
                "timeout": each["Timeout"],
                "environment": {
                    name: value
                    for name, value in each["Environment"]["Variables"].items()
                    if name != "RUNSTORE_RELEASE"
                },
                "tracing": each["TracingConfig"]["Mode"],
                "logs": each["LoggingConfig"]["LogGroup"],
                "snapstart": each.get("SnapStart", {"ApplyOn": "None"})["ApplyOn"],
                "role": each["Role"],
                "network": [each["VpcConfig"]["SubnetIds"], each["VpcConfig"]["SecurityGroupIds"]]
                if "VpcConfig" in each
                else None,
                "concurrency": int(each.get("ReservedConcurrentExecutions", -1)),
            }
            for key, each in definition.of("AWS::Lambda::Function").items()
        },
        "roles": {key: permissions(each) for key, each in definition.of("AWS::IAM::Role").items()},
        "log groups": {
            key: (each["LogGroupName"], int(each["RetentionInDays"]), each.get("KmsKeyId"))
            for key, each in definition.of("AWS::Logs::LogGroup").items()
        },
        "state machines": {
            key: {
                "type": each["StateMachineType"],
                "definition": definition_of(each),
                "role": each["RoleArn"],
                "tracing": each["TracingConfiguration"]["Enabled"],
                "logging": _logging(each.get("LoggingConfiguration")),
            }
            for key, each in definition.of("AWS::StepFunctions::StateMachine").items()
        },
        "table": {
            "Table": {
                "billing": table["BillingMode"],
                "keys": {each["KeyType"]: each["AttributeName"] for each in table["KeySchema"]},
                "attributes": {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]},
                "ttl": (table["TimeToLiveSpecification"]["AttributeName"], table["TimeToLiveSpecification"]["Enabled"]),
                "recovery": table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] == "true",
                "protection": table["DeletionProtectionEnabled"] == "true",
                "key": table.get("SSESpecification", {}).get("KMSMasterKeyId"),
                "throughput": {key: int(each) for key, each in table.get("OnDemandThroughput", {}).items()},
            }
        },
        # Terraform's provider may be too old for python3.14, so the module names it only where it is asked for.
        "layer": {
            "RunStoreLayer": [
                (each["Description"], sorted({*each["CompatibleRuntimes"]} - {"python3.14"})) for each in layers
            ]
        },
        "rule": {
            key: {
                "pattern": each["EventPattern"] | {"detail": _sorted_machines(each["EventPattern"]["detail"])},
                "targets": [
                    {
                        "arn": target["Arn"],
                        "retries": (
                            target["RetryPolicy"]["MaximumRetryAttempts"],
                            target["RetryPolicy"]["MaximumEventAgeInSeconds"],
                        ),
                        "dead letters": target["DeadLetterConfig"]["Arn"],
                        "input": (
                            target["InputTransformer"]["InputPathsMap"],
                            target["InputTransformer"]["InputTemplate"],
                        ),
                    }
                    for target in each["Targets"]
                ],
            }
            for key, each in definition.of("AWS::Events::Rule").items()
        },
        "who may invoke": {
            key.removesuffix("Permission"): (
                each["Action"],
                each["FunctionName"],
                each["Principal"],
                each["SourceArn"],
            )
            for key, each in definition.of("AWS::Lambda::Permission").items()
        },
        "queue": {
            "RetireRunDeadLetters": (
                queue["MessageRetentionPeriod"],
                queue.get("SqsManagedSseEnabled"),
                queue.get("KmsMasterKeyId"),
            ),
            **{
                key: statements_of(each["PolicyDocument"]["Statement"])
                for key, each in definition.of("AWS::SQS::QueuePolicy").items()
            },
        },
        "failed events": {
            "RetireRun": (
                invoke["FunctionName"],
                invoke["Qualifier"],
                invoke["MaximumRetryAttempts"],
                invoke["MaximumEventAgeInSeconds"],
                invoke["DestinationConfig"]["OnFailure"]["Destination"],
            )
        },
        "aliases": {
            key: (each["Name"], each["FunctionName"]) for key, each in definition.of("AWS::Lambda::Alias").items()
        },
        "alarms": {
            key: {
                "description": each["AlarmDescription"],
                "actions": [each["AlarmActions"], each["OKActions"]],
                "comparison": (each["ComparisonOperator"], each["Threshold"]),
                "periods": (each["EvaluationPeriods"], each.get("DatapointsToAlarm")),
                "missing": each["TreatMissingData"],
                "metrics": _metrics(each),
            }
            for key, each in definition.of("AWS::CloudWatch::Alarm").items()
        },
        "dashboard": {
            key: json.loads(each["DashboardBody"]) for key, each in definition.of("AWS::CloudWatch::Dashboard").items()
        },
    }


def _metrics(alarm: Mapping[str, Any]) -> Any:
    """Return what an alarm watches: one metric, or an expression on several."""
    if "Metrics" not in alarm:
        dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
        return alarm["Namespace"], alarm["MetricName"], dimensions, alarm["Period"], alarm["Statistic"]
    return {
        metric["Id"]: (metric["Expression"], metric["Label"])
        if "Expression" in metric
        else (
            metric["MetricStat"]["Metric"]["Namespace"],
            metric["MetricStat"]["Metric"]["MetricName"],
            {one["Name"]: one["Value"] for one in metric["MetricStat"]["Metric"]["Dimensions"]},
            metric["MetricStat"]["Period"],
            metric["MetricStat"]["Stat"],
        )
        for metric in alarm["Metrics"]
    }


def _logging(configuration: Mapping[str, Any] | None) -> Any:
    if configuration is None:
        return None
    destinations = [each["CloudWatchLogsLogGroup"]["LogGroupArn"] for each in configuration["Destinations"]]
    return configuration["Level"], configuration["IncludeExecutionData"], destinations


def _sorted_machines(detail: Mapping[str, Any]) -> dict[str, Any]:
    return {**detail, "stateMachineArn": sorted(detail["stateMachineArn"])}


def statements_of(statements: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return statements in an order and a form of their own: single values as lists, lists sorted."""
    found = []
    for each in statements:
        normal = dict(each)
        for name in ("Action", "Resource"):
            value = normal[name]
            normal[name] = sorted([value] if isinstance(value, str) else value)
        found.append(json.dumps(normal, sort_keys=True))
    return sorted(found)
