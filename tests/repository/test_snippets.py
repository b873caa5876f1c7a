"""Every code block of the pages is of its language, and what several pages repeat is the same on each."""

from __future__ import annotations

import ast
import json
import re
import shlex
import textwrap
from typing import TYPE_CHECKING, Any, Final

import click
import pytest
from samtranslator.yaml_helper import yaml_parse

from runstore.testing import run_workflow
from runstore_inspector.cli import command
from tests.repository.pages import ROOT, fenced, read, run

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES: Final = sorted(
    str(path.relative_to(ROOT))
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "infra/terraform").rglob("*.md"))
)
WORKFLOWS: Final = "docs/workflow.md"
# Pages on which a reader finds the environment of a function of their own, as a SAM template or a CDK app.
TEMPLATES: Final = (WORKFLOWS, "docs/your-app-locally.md", "docs/cdk.md")


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Yield the code blocks of one language, each with its page."""
    for page in PAGES:
        for block in fenced(page, language):
            yield page, block


@pytest.mark.parametrize(("page", "code"), [*blocks("python")])
def test_python_is_python(page: str, code: str) -> None:
    """A block is a module, or a part of one that stands in a class."""
    ast.parse(textwrap.dedent(code), page)


@pytest.mark.parametrize(("page", "text"), [*blocks("json")])
def test_json_is_json(page: str, text: str) -> None:
    """A block is a value, or members of an object; a state leads to states that exist where all of them are shown."""
    document = json.loads(text if text.lstrip()[0] in "{[" else f"{{{text}}}")
    for states in machines(document):
        names = set(states)
        following = {state[name] for state in states.values() for name in ("Next", "Default") if name in state}
        assert following <= names, page


def machines(document: Any) -> Iterator[dict[str, Any]]:
    """Yield the states of each machine in a document, those of a Map's branches included."""
    if isinstance(document, dict):
        if "StartAt" in document:
            assert document["StartAt"] in document["States"]
            yield document["States"]
        for member in document.values():
            yield from machines(member)
    elif isinstance(document, list):
        for member in document:
            yield from machines(member)


@pytest.mark.parametrize(("page", "text"), [*blocks("yaml")])
def test_a_template_names_what_it_has(page: str, text: str) -> None:
    """What a template refers to is among its parameters and resources."""
    template = yaml_parse(text)
    known = {*template.get("Parameters", {}), *template["Resources"]}
    used = set(re.findall(r"!Ref (\w+)(?!:)\b", text)) | set(re.findall(r"!GetAtt (\w+)", text))
    assert used - {"AWS"} <= known, page
    assert template.get("Parameters", {}).keys() <= used | set(re.findall(r"\$\{(\w+)\}", text)), page


def runstore_commands() -> Iterator[tuple[str, str]]:
    """Yield what the pages tell a reader to type after `runstore`, each with its page."""
    for page in PAGES:
        shown = "\n".join(re.findall(r"```(?:console|sh)\n(.*?)```", read(page), flags=re.DOTALL))
        lines = re.findall(r"^(?:\S*/)?runstore ([a-z].*)$", shown, flags=re.MULTILINE)
        inline = re.findall(r"`runstore ([a-z][^`]*)`", read(page))
        for line in dict.fromkeys([*lines, *inline]):
            yield page, re.split(r" [|>] ", line)[0]


@pytest.mark.parametrize(("page", "line"), [*runstore_commands()])
def test_a_command_of_the_inspector_exists(page: str, line: str) -> None:
    """The subcommand takes the arguments and options that are shown."""
    name, *arguments = shlex.split(line, comments=True)
    assert name in command.commands, page
    for option in (each for each in arguments if each.startswith("--")):
        known = {flag for parameter in command.commands[name].params for flag in parameter.opts}
        assert option in known, page
    if arguments:  # without any, the sentence only names the command
        try:
            command.commands[name].make_context(name, arguments)
        except click.UsageError as failure:
            pytest.fail(f"{page}: runstore {line}: {failure.format_message()}")


def test_every_page_gives_a_step_the_same_variables() -> None:
    """The variables of docs/deployment.md are outputs of the template, and each page with a template sets them all."""
    rows = re.findall(r"^\| `(RUNSTORE_\w+)` \| `(\w+)` \|$", read("docs/deployment.md"), flags=re.MULTILINE)
    outputs: dict[str, Any] = yaml_parse(read("template.yaml"))["Outputs"]
    variables = {variable for variable, _ in rows}
    assert "RUNSTORE_TABLE" in variables
    for variable, output in rows:
        assert variable in outputs[output]["Description"]
    (module,) = re.findall(r'output "step_environment" \{.*?\n\}', read("infra/terraform/outputs.tf"), flags=re.DOTALL)
    assert set(re.findall(r"\b(RUNSTORE_\w+)\s+=", module)) == variables
    for page in TEMPLATES:
        (code,) = [block for language in ("yaml", "python") for block in fenced(page, language) if "TABLE" in block]
        assert set(re.findall(r'"?(RUNSTORE_\w+)"?:', code)) == variables, page
    setting = [page for page in PAGES if re.search(r'RUNSTORE_TABLE"?: ', "".join(code_of(page)))]
    assert setting == sorted(TEMPLATES)


def code_of(page: str) -> Iterator[str]:
    """Yield the blocks of a page that could set the environment of a function."""
    for language in ("yaml", "python", "hcl"):
        yield from fenced(page, language)


def test_the_template_for_a_workflow_class_allows_what_the_example_s_does() -> None:
    """Function and state machine may do what those of the order example may, and no more."""
    (block,) = fenced(WORKFLOWS, "yaml")
    shown = yaml_parse(block)["Resources"]
    ours = yaml_parse(read("infra/examples.yaml"))
    (statement,) = shown["OrderFunction"]["Properties"]["Policies"][0]["Statement"]
    assert set(statement["Action"]) == set(ours["Mappings"]["TableActions"]["Workflow"]["Actions"])
    invoking, running = shown["OrderMachine"]["Properties"]["Policies"]
    assert invoking == {"LambdaInvokePolicy": {"FunctionName": {"Ref": "OrderFunction"}}}
    (policy,) = ours["Resources"]["OrderWorkflowRole"]["Properties"]["Policies"]
    theirs = json.loads(
        json.dumps(policy["PolicyDocument"]["Statement"][1:]).replace("${ParentName}-order-workflow", "order-workflow")
    )
    assert running["Statement"] == theirs
    definition = read("functions/runstore/workflow/workflow.asl.json")
    assert set(re.findall(r"\$\{(\w+)\}", definition)) == set(
        shown["OrderMachine"]["Properties"]["DefinitionSubstitutions"]
    )


def test_the_class_of_the_workflow_page_passes_its_own_test() -> None:
    """The class and its test run as they are printed."""
    python = fenced(WORKFLOWS, "python")
    run(WORKFLOWS, 0, len(python) - 1)["test_every_item_is_processed_once"]()


def test_the_handler_of_the_workflow_page_notes_a_failure() -> None:
    """The step and its handler are those of the page; the others are a frame around them."""
    frame = (
        "from runstore.workflow import PermanentError, Workflow, step\n\n\n"
        "class Shown(Workflow):\n"
        "    def start(self, data, headers, api):\n"
        '        api.schedule_next_step(0, "import_row", {"id": 7})\n\n'
    )
    (block,) = [each for each in fenced(WORKFLOWS, "python") if "note_failure" in each]
    body = block.replace("api): ...", "api):\n    raise PermanentError('no such row')")
    namespace: dict[str, Any] = {}
    exec(compile(frame + textwrap.indent(body, "    "), WORKFLOWS, "exec"), namespace)  # noqa: S102 the page's code
    result = run_workflow(namespace["Shown"])
    assert result.status == "SUCCEEDED"
    assert result.state["failed"] == [{"id": 7, "reason": "no such row"}]


def test_the_join_and_the_wait_of_the_workflow_page_run() -> None:
    """Each `start` of the page runs to the end of a workflow, with the steps that it names."""
    python = fenced(WORKFLOWS, "python")
    frame = "from runstore.workflow import Workflow\n\n\nclass Shown(Workflow):\n"
    steps = (
        "    def import_chunk(self, data, headers, api): api.run_store.push('chunks', data)\n"
        "    def report(self, data, headers, api): api.run_store.set('report', data)\n"
        "    def escalate(self, data, headers, api): api.run_store.set('late', True)\n"
        "    def _mail_a_link(self, approver, token): assert token\n"
    )
    starts = [each for each in python if each.startswith("def start")]
    assert len(starts) == 2
    joining, waiting = (run_class(frame + textwrap.indent(each, "    ") + "\n" + steps) for each in starts)
    joined = run_workflow(joining, {"chunks": [1, 2, 3]})
    assert sorted(joined.state["chunks"]) == [1, 2, 3]  # type: ignore[arg-type, type-var]  # numbers
    assert joined.state["report"] == {"chunks": 3}
    data = {"approver": "someone@example.com"}
    assert run_workflow(waiting, data, events={"decide": {"approved": True}}).status == "SUCCEEDED"
    assert run_workflow(waiting, data).state == {"late": True}


def run_class(code: str) -> Any:
    """Run a module that defines the class Shown, and return the class."""
    namespace: dict[str, Any] = {}
    exec(compile(code, WORKFLOWS, "exec"), namespace)  # noqa: S102 the page's own code
    return namespace["Shown"]
