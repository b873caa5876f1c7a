"""A CloudFormation stack with those nested in it: its outputs, its parameters, its state machines."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_cloudformation import CloudFormationClient


class Stack:
    """A stack as CloudFormation describes it. Its resources are asked for when they are first needed."""

    def __init__(self, cloudformation: CloudFormationClient, description: Any) -> None:
        self._cloudformation = cloudformation
        self.id = str(description["StackId"])
        self.name = str(description["StackName"])
        self.outputs = {each["OutputKey"]: str(each["OutputValue"]) for each in description.get("Outputs", [])}
        self.parameters = {
            each["ParameterKey"]: str(each.get("ParameterValue", "")) for each in description.get("Parameters", [])
        }

    @cached_property
    def _resources(self) -> list[tuple[str, str]]:
        """The type and the physical id of each resource that there is."""
        pages = self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.id)
        found = (each for page in pages for each in page["StackResourceSummaries"])
        return [(each["ResourceType"], each["PhysicalResourceId"]) for each in found if each.get("PhysicalResourceId")]

    @property
    def machines(self) -> list[str]:
        """The ARNs of its state machines, those of its nested stacks left out."""
        return [physical for kind, physical in self._resources if kind == "AWS::StepFunctions::StateMachine"]

    @property
    def nested(self) -> list[str]:
        """The ids of the stacks nested in it."""
        return [physical for kind, physical in self._resources if kind == "AWS::CloudFormation::Stack"]


def with_nested(cloudformation: CloudFormationClient, name: str) -> Iterator[Stack]:
    """Yield a stack and those nested in it, each before its own; one that is not reached is not asked for."""
    (description,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    stack = Stack(cloudformation, description)
    yield stack
    for each in stack.nested:
        yield from with_nested(cloudformation, each)
