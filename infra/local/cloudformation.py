"""CloudFormation on the local stack: what ministack's deployments leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ministack.services import cloudformation, dynamodb
from ministack.services.cloudformation import provisioners

if TYPE_CHECKING:
    from collections.abc import Callable

TABLE: Final = "AWS::DynamoDB::Table"


def install_cloudformation() -> None:
    """Switch a table's expiry on as its template says, and let updates of nested stacks succeed."""
    handler = provisioners._RESOURCE_HANDLERS[TABLE]  # noqa: SLF001 ministack offers no hook
    for action in ("create", "update"):
        handler[action] = with_expiry(handler[action])
    provisioners._update_resource = keep_attributes(provisioners._update_resource)  # noqa: SLF001 the same


def with_expiry(change: Callable[..., Any]) -> Callable[..., Any]:
    """Apply TimeToLiveSpecification, which ministack ignores, after a table is made or updated."""

    def changed(*arguments: Any) -> Any:
        name, attributes = change(*arguments)
        properties = next(each for each in reversed(arguments) if isinstance(each, dict))
        expiry = properties.get("TimeToLiveSpecification")
        if expiry:
            expiry = {**expiry, "Enabled": str(expiry.get("Enabled")).lower() == "true"}
            dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": expiry})  # noqa: SLF001 the same
        return name, attributes

    return changed


def keep_attributes(update: Callable[..., Any]) -> Callable[..., Any]:
    """Let a resource of a nested stack that does not change keep its attributes, such as the ARN of a role."""

    def updated(kind: str, physical_id: str, old: Any, new: Any, stack_name: str, *rest: Any, **named: Any) -> Any:
        same_id, attributes = update(kind, physical_id, old, new, stack_name, *rest, **named)
        if not attributes and old == new:
            stacks: dict[str, Any] = cloudformation._stacks  # noqa: SLF001 the same
            resources = stacks.get(stack_name, {}).get("_resources", {})
            known = (each for each in resources.values() if each["PhysicalResourceId"] == physical_id)
            attributes = next((each["Attributes"] for each in known), attributes)
        return same_id, attributes

    return updated
