"""Every operation is known wherever it must be known: CONTRIBUTING.md lists these places."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from runstore import Store

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions"
# Every module but the examples, which are workflow classes: a new one counts as an operation whatever it imports.
EXAMPLES = sorted(
    path.stem for path in FUNCTIONS.glob("*.py") if "Workflow.lambda_handler()" in path.read_text("utf-8")
)
ENTRY_POINTS = sorted(path.stem for path in FUNCTIONS.glob("*.py") if path.stem not in EXAMPLES)
METHODS = sorted(name for name, member in vars(Store).items() if callable(member) and not name.startswith("_"))
TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))


def text(*names: str) -> str:
    """Return the text of files of the repository, and of the files of folders."""
    files = [
        file for name in names for file in ([ROOT / name] if (ROOT / name).is_file() else (ROOT / name).rglob("*.*"))
    ]
    return "\n".join(
        file.read_text("utf-8") for file in files if file.suffix in {".py", ".md", ".tf", ".json", ".yaml"}
    )


def test_there_are_operations() -> None:
    """The entry points and methods are recognised, so that the other tests of this file check something."""
    assert {"get_value", "push_item", "complete_run", "retire_run"} <= set(ENTRY_POINTS)
    assert {"get", "push", "apply", "keys"} <= set(METHODS)
    assert "order_workflow" in EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_deployed(name: str) -> None:
    """The template of the examples deploys every workflow class in `functions`."""
    assert f"{name}.handler" in text("infra/examples.yaml")


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_the_template_deploys_it(name: str) -> None:
    """A function of the stack has it as its handler, and an output names that function."""
    functions = [
        logical
        for logical, resource in TEMPLATE["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
        and resource["Properties"].get("Handler") == f"{name}.handler"
    ]
    assert len(functions) == 1
    assert functions[0] in json.dumps([output["Value"] for output in TEMPLATE["Outputs"].values()])


@pytest.mark.parametrize("name", ENTRY_POINTS)
@pytest.mark.parametrize(
    "place",
    [
        "infra/terraform",
        "tests/handlers",
        "tests/deployment/test_privileges.py",
        "docs/state-machines.md",
        "CHANGELOG.md",
    ],
)
def test_it_is_known(name: str, place: str) -> None:
    """The Terraform module, the tests of events and permissions, the documentation and the changelog name it."""
    assert re.search(rf"\b{name}\b", text(place)), f"{place} does not name {name}: see CONTRIBUTING.md, A new operation"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("place", "form"),
    [
        ("functions/runstore/store.py", "def {}("),
        ("functions/runstore/testing/memory.py", "def {}("),
        ("functions/runstore/workflow/stepstore.py", "def {}("),
        ("functions/runstore/testing/contract", ".{}("),
        ("tests/typing", "store.{}("),
        ("docs/python.md", "`{}("),
    ],
)
def test_a_method_is_known(method: str, place: str, form: str) -> None:
    """Every store has the method, and the contract, the type tests and the documentation name it."""
    wanted = form.format(method)
    assert wanted in text(place), f"{place} does not have {wanted}: see CONTRIBUTING.md, A new operation"


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_it_has_a_sample_event(name: str) -> None:
    """`sam local invoke` and the tests of containers have an event to send."""
    event = json.loads((ROOT / "tests/events" / f"{name}.json").read_text("utf-8"))
    assert isinstance(event, dict)


def test_every_place_of_the_checklist_exists() -> None:
    """CONTRIBUTING.md names files and folders that are there."""
    checklist = text("CONTRIBUTING.md").partition("## A new operation")[2].partition("## Tests")[0]
    places = re.findall(r"`((?:functions|tests|docs|infra)/[\w/.]*|[\w.]+\.(?:yaml|md))`", checklist)
    assert len(places) > 8
    assert not [place for place in places if not (ROOT / place).exists()]
