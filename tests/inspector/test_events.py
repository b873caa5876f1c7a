"""A workflow that waits for an event: shown by command and page, and sent by both."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.inspector import sample_runs
from tests.inspector.browser import chromium, executable
from tests.inspector.pages import run_path, started

if TYPE_CHECKING:
    from infra.local import LocalStack
    from tests.inspector.conftest import Cli

MILLISECONDS = 60_000
SECONDS = 120


@pytest.fixture(scope="session")
def machine(stack: LocalStack) -> str:
    """The fulfilment workflow's state machine."""
    return sample_runs.deploy(stack)


def until_it_waits(cli: Cli, name: str) -> Any:
    """Return what the command shows of a run once everything but its event has come."""
    deadline = time.monotonic() + SECONDS
    while True:
        shown = cli.document("show", name)
        if shown.get("waits") and all(step["status"] in {"done", "waiting"} for step in shown["steps"]):
            return shown
        if shown["status"] != "RUNNING" or time.monotonic() > deadline:
            pytest.fail(f"{name} does not wait: {shown}")
        time.sleep(0.3)


def test_what_a_run_waits_for_is_shown_without_its_secrets(stack: LocalStack, stack_cli: Cli, machine: str) -> None:
    """The command names the wait and its end; neither it nor the page ever shows the run's secret or a token."""
    run_id = sample_runs.start(stack, machine, "shown-wait", {"items": [], "card": "4242"})
    shown = until_it_waits(stack_cli, "shown-wait")
    assert [(wait["action"], wait["onTimeout"]) for wait in shown["waits"]] == [("approve", "escalate")]
    (record,) = [item for item in stack.items(run_id) if item["key"]["S"] == "\x1drun"]
    secrets = [text for kind in record["secret"].values() for text in [str(kind)]]
    assert len(secrets[0]) > 10
    tasks = [
        str(value)
        for item in stack.items(run_id)
        for name in ("task", "packed")
        for value in item.get(name, {}).values()
    ]
    texts = [stack_cli.run("show", "shown-wait").output, stack_cli.run("show", "shown-wait", "--json").output]
    with started({**os.environ, **stack_cli.environment}, "--allow-writes") as page:
        texts.append(page.get(run_path(run_id)).text)
    assert tasks
    assert not [secret for secret in (*secrets, *tasks) if any(secret in text for text in texts)]
    assert any("waits for an event" in line for line in texts[0].splitlines())
    stack.client("stepfunctions").stop_execution(executionArn=run_id)


@pytest.mark.skipif(executable() is None, reason="the page is tested in Chromium, and there is none here")
def test_an_event_is_sent_from_the_page(stack: LocalStack, stack_cli: Cli, machine: str) -> None:
    """The wait offers it, a question comes first, and the workflow goes on to its end."""
    run_id = sample_runs.start(stack, machine, "sent-from-page", {"items": [{"id": "a"}], "card": "4242"})
    until_it_waits(stack_cli, "sent-from-page")
    with started({**os.environ, **stack_cli.environment}, "--allow-writes") as page, chromium() as browser:
        tab = browser.pages[0]
        tab.set_default_timeout(MILLISECONDS)
        tab.goto(page.url.rstrip("/") + run_path(run_id))
        tab.get_by_text("Send the event").click()
        tab.locator(".waits textarea").fill('{"approved": true}')
        tab.locator(".waits").get_by_role("button", name="Send…").click()
        expect(tab.get_by_role("heading", level=1)).to_have_text("Send this event?")
        tab.get_by_role("button", name="Send it").click()
        expect(tab.locator(".heading .pill")).to_have_text("Succeeded", timeout=MILLISECONDS)
        expect(tab.locator(".timeline .row.done", has_text="ship")).to_have_count(1, timeout=MILLISECONDS)
    assert stack.describe(run_id).status == "SUCCEEDED"


def test_a_wrong_token_is_refused(stack_cli: Cli) -> None:
    """`runstore send` with a token that is none says so, as wrong usage."""
    code, line = stack_cli.failure("send", "no-token", "1")
    assert code == 2
    assert "token" in line
