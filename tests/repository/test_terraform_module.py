"""The Terraform module, read from its files: the parity with the template that needs no provider, and its documents.

tests/deployment/test_terraform.py compares every resource, where Terraform and the provider can be had.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from infra import package, terraform_readme

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "infra" / "terraform"
TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))
EXAMPLES: dict[str, Any] = yaml_parse((ROOT / "infra" / "examples.yaml").read_text("utf-8"))
ALARMS: dict[str, Any] = yaml_parse((ROOT / "infra" / "alarms.yaml").read_text("utf-8"))
VARIABLES = terraform_readme.blocks("variable", "variables.tf")
SOURCE = "\n".join(path.read_text("utf-8") for path in sorted(MODULE.glob("*.tf")))
OWN = {"name", "bundle", "layer", "tags", "snap_start"}  # CloudFormation has its own of these
NOTHING = {"", "0"}  # a parameter's default that is null or an empty list in the module


def snake(name: str) -> str:
    """Return a parameter's name as the module has it."""
    words = name.replace("DynamoDB", "Dynamodb").replace("IAM", "Iam")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", words).lower()


def block(name: str) -> str:
    """Return the body of a map in the module's locals."""
    (found,) = re.findall(rf"^  {name} += (?:merge\()?\{{\n(.*?)^  \}}", SOURCE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_every_parameter_is_a_variable() -> None:
    """And no variable is without its parameter, but those for what CloudFormation has anyway."""
    parameters = {snake(name) for name in TEMPLATE["Parameters"]} - {"snap_start_release"}
    assert parameters == VARIABLES.keys() - OWN


@pytest.mark.parametrize("name", sorted(TEMPLATE["Parameters"].keys() - {"SnapStartRelease"}))
def test_a_variable_has_the_default_of_its_parameter(name: str) -> None:
    """Where a parameter can only be empty, the variable is null or an empty list."""
    parameter, body = TEMPLATE["Parameters"][name], VARIABLES[snake(name)]
    default = str(parameter["Default"])
    written = (terraform_readme.attribute(body, "default") or "").strip('"')
    if default in NOTHING and written in {"null", "[]"}:
        return
    assert written == default


@pytest.mark.parametrize("name", sorted(TEMPLATE["Parameters"].keys() - {"SnapStartRelease"}))
def test_a_variable_allows_what_its_parameter_allows(name: str) -> None:
    """Bounds, choices and patterns are the same text."""
    parameter, body = TEMPLATE["Parameters"][name], VARIABLES[snake(name)]
    kind = terraform_readme.attribute(body, "type")
    if kind == "number" and parameter.get("MinValue", 0) != 0:
        assert f">= {parameter['MinValue']}" in body
    if "MaxValue" in parameter:
        assert f"<= {parameter['MaxValue']}" in body
    if kind != "bool":
        for choice in parameter.get("AllowedValues", []):
            assert re.search(rf'[\["( ]{re.escape(str(choice))}[\]", )]', body), choice
    if pattern := parameter.get("AllowedPattern"):
        text = pattern.removeprefix("^$|").replace("\\", "\\\\")
        assert text in body


def test_every_function_is_in_the_module() -> None:
    """With the same description, and the same actions on the table."""
    module = {
        "".join(word.capitalize() for word in key.split("-")): (description, re.findall(r'"(dynamodb:\w+)"', actions))
        for key, description, actions in re.findall(
            r'^ +([a-z]+(?:-[a-z]+)+) = \{\n +description += "(.*?)"\n +actions += (.*?)\n', SOURCE, re.MULTILINE
        )
    }
    (append,) = re.findall(r"append_actions = \[(.*?)\]", SOURCE, re.DOTALL)
    functions = {
        name: each["Properties"]["Description"]
        for name, each in TEMPLATE["Resources"].items()
        if each["Type"] == "AWS::Serverless::Function"
    }
    assert {name: description for name, (description, _) in module.items()} == functions
    for name, (_, actions) in module.items():
        allowed = TEMPLATE["Mappings"]["TableActions"][name]["Actions"]
        assert sorted(actions or re.findall(r'"(dynamodb:\w+)"', append)) == sorted(allowed), name


def test_every_example_is_in_the_module() -> None:
    """State machines and workflow classes."""
    machines = {
        name for name, each in EXAMPLES["Resources"].items() if each["Type"] == "AWS::StepFunctions::StateMachine"
    }
    keys = re.findall(r"^ +([a-z-]+) +=", block("calls"), re.MULTILINE)
    keys += re.findall(r"^ +([a-z-]+) +=", block("workflows"), re.MULTILINE)
    assert {"".join(word.capitalize() for word in key.split("-")) for key in keys} == machines


def test_every_alarm_is_in_the_module() -> None:
    """With the same description."""
    found = dict(re.findall(r'^    (\w+) = \{\n +description += "(.*?)"', block("alarms"), re.MULTILINE))
    assert found == {
        name.removesuffix("Alarm"): each["Properties"]["AlarmDescription"] for name, each in ALARMS["Resources"].items()
    }


def test_the_readme_has_the_variables() -> None:
    """`make terraform-readme` would change nothing."""
    readme = (MODULE / "README.md").read_text("utf-8")
    assert terraform_readme.with_tables(readme) == readme, "run: make terraform-readme"


@pytest.mark.parametrize("example", ["minimal", "complete"])
def test_an_example_uses_what_the_module_has(example: str) -> None:
    """Its arguments are variables, and what it reads are outputs."""
    text = (MODULE / "examples" / example / "main.tf").read_text("utf-8")
    (module,) = re.findall(r'^module "runstore" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    arguments = set(re.findall(r"^  (\w+) +=", module, re.MULTILINE)) - {"source"}
    assert arguments <= VARIABLES.keys()
    outputs = set(re.findall(r"module\.runstore\.(\w+)", text))
    assert outputs <= terraform_readme.blocks("output", "outputs.tf").keys()


def test_a_released_module_has_all_that_it_deploys(tmp_path: Path) -> None:
    """Every file that it names is inside of it, so that it can be sourced from anywhere."""
    for name in ("functions.zip", "layer.zip"):
        (tmp_path / name).write_bytes(b"PK")
    package.make_module(tmp_path / "module", tmp_path / "functions.zip", tmp_path / "layer.zip")
    held = {str(path.relative_to(tmp_path / "module")) for path in (tmp_path / "module").rglob("*") if path.is_file()}
    assert {"main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md", "dashboard.yaml"} <= held
    assert {"functions.zip", "layer.zip"} <= held
    named = {f"statemachines/{name}" for name in re.findall(r'"\.\./[\w./]*?([\w]+\.asl\.json)"', SOURCE)}
    assert named
    assert named <= held
