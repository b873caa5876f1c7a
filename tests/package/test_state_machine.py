"""The state machine that the package contains is the one that SAM and Terraform deploy."""

import json
import re
from pathlib import Path

import pytest

from runstore.workflow import state_machine_definition

ROOT = Path(__file__).parents[2]
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:orders:live"


def test_the_template_deploys_the_package_s_state_machine() -> None:
    """The template's workflow machines use the package's file, and the file exists only once."""
    deployed = {
        (ROOT / template).parent.joinpath(found).resolve()
        for template in ("template.yaml", "infra/examples.yaml")
        for found in re.findall(
            r"\bDefinition\w+: (\S*workflow\.asl\.json)$", (ROOT / template).read_text("utf-8"), re.MULTILINE
        )
    }
    assert [path.read_text("utf-8") for path in deployed] == [state_machine_definition()]
    assert len([path for path in ROOT.glob("[!.]*/**/workflow.asl.json") if "node_modules" not in path.parts]) == 1


def test_terraform_deploys_the_package_s_state_machine() -> None:
    """The module reads the same file."""
    module = ROOT / "infra" / "terraform"
    named = {
        name
        for path in module.glob("*.tf")
        for name in re.findall(r"\"(\.\./[^\"]*/workflow\.asl\.json)\"", path.read_text("utf-8"))
    }
    assert [(module / name).read_text("utf-8") for name in named] == [state_machine_definition()]


@pytest.mark.parametrize("arn", [ARN, "${Token[TOKEN.12]}", 'a "quoted" name'])
def test_a_function_takes_the_placeholder_s_place(arn: str) -> None:
    """Each place that invokes the workflow's function names this function, and the text stays JSON."""
    placeholders = state_machine_definition().count("${WorkflowFunctionArn}")
    text = state_machine_definition(arn)
    json.loads(text)
    assert placeholders > 0
    assert text.count(json.dumps(arn)[1:-1]) == placeholders
    assert "${WorkflowFunctionArn}" not in text
