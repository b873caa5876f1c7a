"""The README is true: its snippets run, and the limits, files and commands that it names are those of the code."""

import re

import pytest

from runstore import Settings
from runstore.aws_lambda import results
from runstore.model import identifiers as names
from runstore.model import items, values
from runstore.testing.replacement import RunStores
from tests.repository.pages import ROOT, read, run, state

README = read("README.md")


def test_the_step_of_the_readme_passes_its_own_test(run_stores: RunStores) -> None:
    """The Lambda function and its test run as they are printed."""
    run("README.md", 0, 1)["test_a_retried_branch_counts_once"](run_stores)


def test_the_workflow_of_the_readme_passes_its_own_test() -> None:
    """The workflow class and its test run as they are printed."""
    run("README.md", 2, 3)["test_every_item_is_processed_once"]()


def test_the_state_of_the_readme_is_that_of_the_page(run_stores: RunStores) -> None:
    """The state calls a function with fields that it accepts, as the page on state machines shows it in a Map."""
    counting = state("README.md")["CountItem"]
    longer = state("docs/state-machines.md")["LineItems"]["ItemProcessor"]["States"]["CountItem"]
    assert counting["Parameters"] == longer["Parameters"]
    assert set(counting["Parameters"]["Payload"]) == {"runId.$", "key", "token.$"}
    assert run_stores.run_ids == []


@pytest.mark.parametrize(
    ("row", "number"),
    [
        ("key", names.MAX_KEY_BYTES),
        ("run id; token", names.MAX_RUN_ID_BYTES),
        ("run id; token", names.MAX_TOKEN_BYTES),
        ("value or element", Settings("t").max_value_bytes),
        ("value or element", 350_000),
        ("value or element", values.MAX_DEPTH),
        ("result of `get_value`", results.STATE_BYTES),
        ("age", Settings("t").ttl_days),
    ],
)
def test_the_limits_of_the_readme_are_the_code_s(row: str, number: int) -> None:
    """Each number in the table of limits is the constant of the code."""
    line = re.search(rf"^\| {re.escape(row)} \|.*$", README, flags=re.MULTILINE)
    assert line is not None
    assert f"{number:,}" in line[0]


def test_every_file_and_target_that_the_readme_names_exists() -> None:
    """Links lead somewhere, and each make command is a target."""
    makefile = read("Makefile")
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link
    targets = re.findall(r"(?:`|^)make ([a-z-]+)", README, flags=re.MULTILINE)
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_readme_is_read_in_two_minutes() -> None:
    """It has the table of the four ways, and fewer words of prose than two minutes take."""
    table = re.findall(r"^\| \[(.+?)\]\((.+?)\) \| .+ \| .+ \|$", README, flags=re.MULTILINE)
    assert [name for name, _ in table] == ["Functions", "Package", "Workflow class", "Direct DynamoDB"]
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    assert len(prose.split()) < 1_000


def test_a_segment_s_reach_is_what_the_docstrings_say() -> None:
    """About 700 bytes of elements fit a head under an execution's ARN before a second item begins."""
    arn = "arn:aws:states:eu-central-1:123456789012:execution:order-fanout:7c941e1b-7a56-08ae-1111-222222222222"
    assert 600 < items.capacity(arn, "results", items.element_weight(50), 1_024) < 800
