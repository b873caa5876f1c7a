"""The pages of docs/ are true: what they tell users to deploy is what the template deploys and the code needs."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs"
PAGES = {str(path.relative_to(FOLDER)): path.read_text("utf-8") for path in sorted(FOLDER.rglob("*.md"))}
OUTSIDE = {
    f"../{name}": (ROOT / name).read_text("utf-8") for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
}
TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
EXAMPLES: dict[str, Any] = yaml_parse((ROOT / "infra" / "examples.yaml").read_text("utf-8"))


def fenced(page: str, language: str) -> list[str]:
    """Return a page's code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], flags=re.DOTALL)


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, *OUTSIDE])
def test_links_lead_somewhere(page: str) -> None:
    """Every link of a page is to a file of the repository, and to a heading that it has."""
    for link in re.findall(r"\]\(([^)]+)\)", (PAGES | OUTSIDE)[page]):
        if not link.startswith("https://"):
            file, _, anchor = link.partition("#")
            target = (FOLDER / page).parent / file if file else FOLDER / page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target.read_text("utf-8")), link


@pytest.mark.parametrize("page", [*PAGES, *OUTSIDE])
def test_make_targets_exist(page: str) -> None:
    """Each make command of a page is a target."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"(?:`|^    |^)make ([a-z-]+)", (PAGES | OUTSIDE)[page], flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_tests_behind_each_promise_exist() -> None:
    """Every test and every file of tests that docs/guarantees.md names is there."""
    sources = {path: path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py")}
    for name in re.findall(r"`(test_\w+)`", PAGES["guarantees.md"]):
        assert any(f"def {name}(" in text for text in sources.values()), name
    for file in re.findall(r"`([\w/]+\.py)`", PAGES["guarantees.md"]):
        assert (ROOT / file).exists() or any(str(path).endswith(f"/{file}") for path in sources), file


def test_the_policy_of_a_step_is_that_of_a_workflow_s_function() -> None:
    """Its actions on the table and on a key are those that the template gives to code of a user's."""
    table, key = json.loads(fenced("deployment.md", "json")[0])["Statement"]
    assert sorted(table["Action"]) == sorted(EXAMPLES["Mappings"]["TableActions"]["Workflow"]["Actions"])
    shared = RESOURCES["SharedPermissions"]["Properties"]["PolicyDocument"]["Statement"]
    (ours,) = [each["Fn::If"][1] for each in shared if each["Fn::If"][0] == "HasKmsKey"]
    via = ours["Condition"]["StringEquals"]["kms:ViaService"]["Fn::Sub"].replace("${AWS::Region}", "REGION")
    condition = {"StringEquals": {"kms:ViaService": via}}
    assert key == {"Effect": "Allow", "Action": ours["Action"], "Resource": "KMS_KEY_ARN", "Condition": condition}


def test_the_isolated_policy_of_a_step_allows_the_same() -> None:
    """Its actions are those of the policy without a condition."""
    (whole, _), (isolated,) = (
        json.loads(fenced(page, "json")[0])["Statement"] for page in ("deployment.md", "security.md")
    )
    condition = isolated.pop("Condition")
    assert isolated == whole
    assert condition == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["PREFIX*"]}}


def test_the_policy_of_a_state_machine_is_an_example_s() -> None:
    """It may invoke functions, and nothing else."""
    (statement,) = json.loads(fenced("deployment.md", "json")[1])["Statement"]
    (policy,) = EXAMPLES["Resources"]["OrderFanoutRole"]["Properties"]["Policies"]
    (ours,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == (ours["Effect"], ours["Action"])


def test_the_outputs_that_the_pages_name_exist() -> None:
    """What a reader is told to take from the stack's outputs is there."""
    named = {"TableName", "TtlDays", "MaxValueBytes", "LayerArn", "GetValueFunctionArn", "CompleteRunFunctionArn"}
    named |= {"RetireRunFunctionArn", "DeadLetterQueueArn"}
    assert named <= TEMPLATE["Outputs"].keys()
    assert all(any(name in text for text in PAGES.values()) for name in named)


def shorthand(text: str) -> list[dict[str, str]]:
    """Return what the AWS CLI makes of `Name=value,Name=value` words."""
    return [dict(part.split("=") for part in word.split(",")) for word in text.split()]


def test_the_command_makes_the_template_s_table() -> None:
    """Keys, attributes, billing and expiry are those of the stack's table."""
    commands = [shlex.split(line) for line in fenced("deployment.md", "sh")[0].replace("\\\n", " ").splitlines()]
    options = {}
    for words in (commands[0], commands[-1]):
        for part in " ".join(words).split(" --")[1:]:
            name, _, value = part.partition(" ")
            options[name] = value
    table = RESOURCES["Table"]["Properties"]
    assert shorthand(options["attribute-definitions"]) == table["AttributeDefinitions"]
    assert shorthand(options["key-schema"]) == table["KeySchema"]
    assert options["billing-mode"] == table["BillingMode"]
    (expiry,) = shorthand(options["time-to-live-specification"])
    assert expiry == {"Enabled": "true", "AttributeName": table["TimeToLiveSpecification"]["AttributeName"]}


def test_a_rule_of_the_user_s_own_is_the_template_s() -> None:
    """It watches the same changes and gives them to the same function and queue, for other state machines."""
    rule = yaml_parse(fenced("operations.md", "yaml")[0])["Resources"]["MoreExecutionEnds"]["Properties"]
    ours = RESOURCES["ExecutionEnds"]["Properties"]
    (machine,) = rule["EventPattern"]["detail"].pop("stateMachineArn")
    assert re.fullmatch(TEMPLATE["Parameters"]["StateMachineArns"]["AllowedPattern"], machine)
    pattern = ours["EventPattern"]
    others = {key: value for key, value in pattern["detail"].items() if key != "stateMachineArn"}
    assert rule["EventPattern"] == pattern | {"detail": others}
    outputs = {"RetireRunFunctionArn": "RetireRun", "DeadLetterQueueArn": "RetireRunDeadLetters"}
    told = json.dumps(rule["Targets"])
    for output, resource in outputs.items():
        assert TEMPLATE["Outputs"][output]["Value"] == {"Fn::GetAtt": [resource, "Arn"]}
        told = told.replace(json.dumps({"Ref": output}), json.dumps({"Fn::GetAtt": [resource, "Arn"]}))
    assert json.loads(told) == ours["Targets"]


def test_production_has_a_topic_of_the_user_s_or_is_refused() -> None:
    """The settings are parameters of the template, and CloudFormation refuses them until a topic is named."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
    overrides = dict(
        each.split("=") for each in config["production"]["deploy"]["parameters"]["parameter_overrides"].split()
    )
    assert overrides.keys() <= TEMPLATE["Parameters"].keys()
    assert overrides["Alarms"] == "true"
    assert not re.fullmatch(TEMPLATE["Parameters"]["AlarmTopicArn"]["AllowedPattern"], overrides["AlarmTopicArn"])
