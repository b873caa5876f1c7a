"""CloudFormation on the local stack: what ministack's deployments leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ministack.services import cloudformation, dynamodb, iam, lambda_svc
from ministack.services.cloudformation import provisioners

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ONE_METRIC: Final = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit")


def install_cloudformation() -> None:
    """Apply properties that ministack drops, take alarms on several metrics, let updates of nested stacks succeed."""
    ignored = {
        "AWS::DynamoDB::Table": set_up_table,
        "AWS::IAM::Role": set_boundary,
        "AWS::Lambda::Function": set_up_function,
    }
    for kind, apply in ignored.items():
        handler = provisioners._RESOURCE_HANDLERS[kind]
        for action in ("create", "update"):
            handler[action] = followed_by(handler[action], apply)
    provisioners._cw_metric_alarm_record = with_metric_math(provisioners._cw_metric_alarm_record)
    provisioners._update_resource = keep_attributes(provisioners._update_resource)


def followed_by(
    change: Callable[..., Any], apply: Callable[[str, Mapping[str, Any]], None]
) -> Callable[..., tuple[str, Any]]:
    """Apply the properties of a resource that ministack drops, after it has made or updated the resource."""

    def changed(*arguments: Any) -> tuple[str, Any]:
        name, attributes = change(*arguments)
        apply(name, next(each for each in reversed(arguments) if isinstance(each, dict)))
        return name, attributes

    return changed


def set_up_table(name: str, properties: Mapping[str, Any]) -> None:
    """Switch a table's expiry on, and keep its key and its limits on throughput."""
    if expiry := properties.get("TimeToLiveSpecification"):
        expiry = {**expiry, "Enabled": str(expiry.get("Enabled")).lower() == "true"}
        dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": expiry})
    table = dynamodb._tables[name]
    encryption = properties.get("SSESpecification") or {}
    table["SSEDescription"] = (
        {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": encryption["KMSMasterKeyId"]}
        if "KMSMasterKeyId" in encryption
        else None
    )
    limits = properties.get("OnDemandThroughput") or {}
    names = ("MaxReadRequestUnits", "MaxWriteRequestUnits")
    table["OnDemandThroughput"] = {each: int(limits.get(each, -1)) for each in names} if limits else None


def set_boundary(name: str, properties: Mapping[str, Any]) -> None:
    """Give a role its permissions boundary, which ministack's IAM then enforces."""
    iam._roles[name]["PermissionsBoundary"] = properties.get("PermissionsBoundary")


def set_up_function(name: str, properties: Mapping[str, Any]) -> None:
    """Give a function its reserved concurrency, which ministack enforces, and its network, which nothing does."""
    function = lambda_svc._functions[name]
    reserved = properties.get("ReservedConcurrentExecutions")
    function["concurrency"] = None if reserved is None else int(reserved)
    function["config"]["VpcConfig"] = lambda_svc._vpc_config_with_id(properties.get("VpcConfig"))


def with_metric_math(record: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Keep an alarm on several metrics, which ministack refuses, as it is; it never changes its state."""

    def recorded(name: str, properties: dict[str, Any]) -> dict[str, Any]:
        if not properties.get("Metrics"):
            return record(name, properties)
        alarm = record(name, {**properties, "Metrics": None, "MetricName": "none", "Namespace": "none"})
        kept = {key: value for key, value in alarm.items() if key not in ONE_METRIC}
        return {**kept, "Metrics": properties["Metrics"]}

    return recorded


def keep_attributes(update: Callable[..., Any]) -> Callable[..., Any]:
    """Let a resource of a nested stack that does not change keep its attributes, such as the ARN of a role."""

    def updated(kind: str, physical_id: str, old: Any, new: Any, stack_name: str, *rest: Any, **named: Any) -> Any:
        same_id, attributes = update(kind, physical_id, old, new, stack_name, *rest, **named)
        if not attributes and old == new:
            stacks: dict[str, Any] = cloudformation._stacks
            resources = stacks.get(stack_name, {}).get("_resources", {})
            known = (each for each in resources.values() if each["PhysicalResourceId"] == physical_id)
            attributes = next((each["Attributes"] for each in known), attributes)
        return same_id, attributes

    return updated
