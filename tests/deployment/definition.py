"""The SAM template as CloudFormation would read it: after SAM's transform, with parameters and functions resolved.

What exists only after a deployment stands as a token: `<Table>` for `!Ref Table`, `<Table.Arn>` for its ARN.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
REGION = "us-east-1"
ACCOUNT = "000000000000"
NO_VALUE = object()


class Definition:
    """The resources of a stack of this name with these parameters, those of its nested stack among them."""

    def __init__(self, name: str, parameters: Mapping[str, str], path: Path = ROOT / "template.yaml") -> None:
        template = yaml_parse(path.read_text("utf-8"))
        defaults: dict[str, str] = {key: str(each.get("Default", "")) for key, each in template["Parameters"].items()}
        self._values: dict[str, Any] = {**defaults, **parameters}
        for key, each in template["Parameters"].items():
            if each["Type"] == "CommaDelimitedList":
                self._values[key] = str(self._values[key]).split(",")
        self._pseudo = {
            "AWS::StackName": name,
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::NoValue": NO_VALUE,
        }
        self._nested: dict[str, Any] = {}  # outputs of nested stacks by the arguments of Fn::GetAtt
        self._template = _uploaded(template, path.parent)
        if "Transform" in template:
            self._template = Translator({}, Parser()).translate(self._template, defaults | dict(parameters))
        nested = self._nested_resources(path.parent)
        self.resources: dict[str, dict[str, Any]] = nested | {
            key: {"Type": each["Type"], **self.resolved(each.get("Properties", {}))}
            for key, each in self._template["Resources"].items()
            if "Condition" not in each or self._holds(each["Condition"])
        }

    def outputs(self) -> dict[str, Any]:
        """Return the outputs whose conditions hold."""
        return {
            key: self.resolved(each["Value"])
            for key, each in self._template.get("Outputs", {}).items()
            if "Condition" not in each or self._holds(each["Condition"])
        }

    def _nested_resources(self, folder: Path) -> dict[str, dict[str, Any]]:
        """Return the resources of the nested stacks, and remember their outputs."""
        found: dict[str, dict[str, Any]] = {}
        for key, each in self._template["Resources"].items():
            if each["Type"] == "AWS::CloudFormation::Stack" and self._holds(each["Condition"]):
                properties = each["Properties"]
                nested = Definition(key, self.resolved(properties["Parameters"]), folder / properties["TemplateURL"])
                self._nested |= {f"{key}.Outputs.{name}": value for name, value in nested.outputs().items()}
                found |= nested.resources
        return found

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the resources of a type such as AWS::Lambda::Function, by their logical ids."""
        return {key: each for key, each in self.resources.items() if each["Type"] == kind}

    def resolved(self, node: Any) -> Any:
        """Return a part of the template with its functions carried out."""
        if isinstance(node, list):
            return [each for each in map(self.resolved, node) if each is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (function, argument), *_ = node.items()
            if function == "Condition" and isinstance(argument, str):
                return self._holds(argument)
            if function == "Ref" or function.startswith("Fn::"):
                return self._call(function.removeprefix("Fn::"), argument)
        resolved = {key: self.resolved(each) for key, each in node.items()}
        return {key: each for key, each in resolved.items() if each is not NO_VALUE}

    def _holds(self, condition: str) -> bool:
        return bool(self.resolved(self._template["Conditions"][condition]))

    def _call(self, function: str, argument: Any) -> Any:
        if function == "Ref":
            return self._pseudo.get(argument, self._values.get(argument, f"<{argument}>"))
        if function == "GetAtt":
            path = argument if isinstance(argument, str) else ".".join(argument)
            return self._nested.get(path, f"<{path}>")
        if function == "If":
            return self.resolved(argument[1] if self._holds(argument[0]) else argument[2])
        if function == "Sub":
            text, own = argument if isinstance(argument, list) else (argument, {})
            values = self.resolved(own)
            return re.sub(
                r"\$\{([\w:.]+)\}", lambda found: str(values.get(found[1], self._call("Ref", found[1]))), text
            )
        arguments = [self.resolved(each) for each in argument]
        if function == "FindInMap":
            return self._template["Mappings"][arguments[0]][arguments[1]][arguments[2]]
        operations: dict[str, Callable[[], Any]] = {
            "Equals": lambda: str(arguments[0]) == str(arguments[1]),
            "Not": lambda: not arguments[0],
            "And": lambda: all(arguments),
            "Or": lambda: any(arguments),
            "Join": lambda: arguments[0].join(arguments[1]),
            "Split": lambda: arguments[1].split(arguments[0]),
        }
        return operations[function]()


def definition_of(machine: Mapping[str, Any]) -> Any:
    """Return a state machine's definition with its substitutions."""
    values = machine["DefinitionSubstitutions"]
    text = Path(machine["DefinitionS3Location"]).read_text("utf-8")
    return json.loads(re.sub(r"\$\{(\w+)\}", lambda found: str(values[found[1]]), text))


def _uploaded(node: Any, folder: Path) -> Any:
    """Return the template as `sam package` uploads it: S3 objects for folders, absolute paths for files, includes."""
    if isinstance(node, list):
        return [_uploaded(each, folder) for each in node]
    if not isinstance(node, dict):
        return node
    if node.get("Fn::Transform", {}).get("Name") == "AWS::Include":
        return yaml_parse((folder / node["Fn::Transform"]["Parameters"]["Location"]).read_text("utf-8"))
    replaced: dict[str, Any] = {"CodeUri": "s3://bucket/functions", "ContentUri": "s3://bucket/layer"}
    found = {key: replaced.get(key, _uploaded(each, folder)) for key, each in node.items()}
    if isinstance(location := found.get("DefinitionS3Location"), str):
        found["DefinitionS3Location"] = str((folder / location).resolve())
    return found
