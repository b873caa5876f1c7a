"""The page in Chromium, on the local stack, with a workflow running."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from runstore import RunStore
from tests.inspector.browser import executable, fresh_context, launched
from tests.inspector.pages import Page as Server
from tests.inspector.pages import run_path, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Dialog, Page

    from infra.local import LocalStack

pytestmark = pytest.mark.skipif(
    executable() is None, reason="the page is tested in Chromium, and there is none here: apt-get install chromium"
)

AXE = Path(__file__).parents[2] / ".tools" / "node_modules" / "axe-core" / "axe.min.js"
MILLISECONDS = 30_000
SCRIPT = "<script>alert('x')</script>"
NARROW = 390  # pixels: a phone


@pytest.fixture(scope="module")
def environment(stack: LocalStack) -> dict[str, str]:
    """The environment of a page for the local stack."""
    return {**os.environ, **stack.environment(), "RUNSTORE_TABLE": stack.table_name}


@pytest.fixture(scope="module")
def page(environment: dict[str, str]) -> Iterator[Server]:
    """The page, which keeps nothing between requests."""
    with started(environment) as server:
        yield server


@pytest.fixture(scope="module")
def writing_page(environment: dict[str, str]) -> Iterator[Server]:
    """The page that offers actions."""
    with started(environment, "--allow-writes") as server:
        yield server


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    """One Chromium for all tests here."""
    with launched() as started_browser:
        yield started_browser


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    """Each of the two themes."""
    return str(request.param)


@pytest.fixture
def browser(chrome: Browser) -> Iterator[BrowserContext]:
    """A browser without any past."""
    with fresh_context(chrome) as context:
        yield context


class Watched:
    """A tab, and what it must not do: ask another host, write an error to the console, open a dialog."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.tab: Page = context.pages[0]
        self.tab.set_default_timeout(MILLISECONDS)
        self.url = url.rstrip("/")
        self.faults: list[str] = []
        self.tab.on("request", lambda request: self._asked(request.url))
        self.tab.on("console", lambda message: self._wrote(message.type, message.text))
        self.tab.on("pageerror", lambda error: self.faults.append(str(error)))
        self.tab.on("dialog", self._refuse)

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "about:")):
            self.faults.append(f"asked {url}")

    def _refuse(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _wrote(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.faults.append(f"{kind}: {text}")

    def open(self, path: str) -> Page:
        """Open a page."""
        self.tab.goto(self.url + path)
        return self.tab


def store_of(stack: LocalStack, run_id: str) -> RunStore:
    """Return the store of a run of the local stack."""
    return RunStore(run_id, table_name=stack.table_name, client=stack.client("dynamodb"))


def order(items: int, seconds: int) -> dict[str, Any]:
    """Return the input of the example workflow class."""
    lines = [{"id": f"item-{number}"} for number in range(items)]
    return {"data": {"customer": {"id": "c-1"}, "line_items": lines, "delaySeconds": seconds}, "headers": {}}


def serious(tab: Page) -> list[str]:
    """Return what axe-core finds that keeps somebody from using a page."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make check installs it where there is npm")
    # The page's own policy forbids scripts in its text, as it should: axe comes in through the debugger instead.
    tab.evaluate(AXE.read_text("utf-8"))
    found = tab.evaluate("async () => (await axe.run()).violations")
    return [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


def test_a_workflow_is_seen_as_it_runs(stack: LocalStack, page: Server, browser: BrowserContext) -> None:
    """Steps appear and end, a counter moves and draws its line, and the end is told, without reloading."""
    run_id = stack.start_execution("OrderWorkflow", order(6, 5))
    store = store_of(stack, run_id)
    watched = Watched(browser, page.url)
    tab = watched.open(run_path(run_id))
    rows = tab.locator(".timeline > li")
    expect(rows).to_have_count(7, timeout=MILLISECONDS)
    expect(tab.locator(".heading .pill")).to_have_text("Running")
    row = tab.locator("tr", has_text="watched")
    for number in range(1, 4):
        store.increment("watched", number)
        expect(row.locator(".counter")).to_have_text(str(number * (number + 1) // 2), timeout=MILLISECONDS)
    expect(row.locator(".spark polyline")).to_have_count(1)
    units = tab.locator("#units").inner_text()
    expect(tab.locator(".heading .pill")).to_have_text("Succeeded", timeout=MILLISECONDS)
    expect(tab.locator(".timeline .row.done")).to_have_count(7, timeout=MILLISECONDS)
    assert float(tab.locator("#units").inner_text()) > float(units)
    assert not watched.faults


def test_the_failed_step_and_its_error_are_at_the_top(stack: LocalStack, page: Server, browser: BrowserContext) -> None:
    """Whoever opens the list sees which run failed, and in the run which step and why."""
    run_id = stack.start_execution("OrderWorkflow", {"data": {"customer": {"name": "no id"}}, "headers": {}})
    assert stack.wait(run_id).status == "FAILED"
    watched = Watched(browser, page.url)
    tab = watched.open("/")
    row = tab.locator("tr", has_text=run_id.rpartition(":")[2])
    expect(row.locator(".pill")).to_have_text("Failed")
    row.get_by_role("link").click()
    failure = tab.get_by_role("group", name="Failure")
    expect(failure).to_contain_text("KeyError in start")
    expect(failure).to_contain_text("'id'")
    expect(tab.locator(".timeline .failed .attempts").first).to_have_text("3 attempts")
    assert not watched.faults


def test_a_list_is_paged(stack: LocalStack, page: Server, browser: BrowserContext) -> None:
    """A long list is read page by page, by index."""
    store = store_of(stack, "paged")
    store.push_many("list", ({"id": number} for number in range(1_234)))
    watched = Watched(browser, page.url)
    tab = watched.open(run_path("paged"))
    tab.get_by_role("link", name="list", exact=True).click()
    heading = tab.get_by_role("heading", level=2)
    expect(heading).to_contain_text("Elements 0 to 50 of 1,234")
    tab.get_by_role("link", name="Next").click()
    expect(heading).to_contain_text("Elements 50 to 100")
    expect(tab.locator(".elements > li").first).to_contain_text('{"id": 50}')
    tab.get_by_role("link", name="Last").click()
    expect(heading).to_contain_text("Elements 1,200 to 1,234")
    tab.get_by_label("First index").fill("700")
    tab.get_by_role("button", name="Go").click()
    expect(tab.locator(".elements > li").first).to_contain_text('{"id": 700}')
    assert not watched.faults


def test_actions_are_offered_with_the_switch_alone_and_ask_first(
    stack: LocalStack, page: Server, writing_page: Server, browser: BrowserContext
) -> None:
    """Deleting and setting a key takes a click and an answer; without the switch there is nothing to click."""
    store = store_of(stack, "acted")
    store.set("goes", 1)
    store.set("stays", 1)
    tab = Watched(browser, page.url).open(run_path("acted"))
    expect(tab.get_by_role("button", name="Delete")).to_have_count(0)
    expect(tab.locator("form[method=post]")).to_have_count(0)
    tab.goto("about:blank")
    watched = Watched(browser, writing_page.url)
    tab = watched.open(run_path("acted"))
    tab.get_by_role("button", name="Delete goes").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Delete this key?")
    tab.get_by_role("link", name="Cancel").click()
    assert store.get("goes") == 1
    tab.get_by_role("button", name="Delete goes").click()
    tab.get_by_role("button", name="Delete it").click()
    expect(tab.get_by_role("link", name="stays")).to_have_count(1)
    assert store.keys() == ["stays"]
    tab.get_by_text("Set a key").click()
    tab.get_by_label("Key", exact=True).fill("new")
    tab.get_by_label("Value, as JSON").fill('{"a": 1}')
    tab.get_by_role("button", name="Set…").click()
    tab.get_by_role("button", name="Set it").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("new")
    assert store.get("new") == {"a": 1}
    assert not watched.faults


def test_stored_scripts_do_not_run(stack: LocalStack, page: Server, browser: BrowserContext) -> None:
    """A script tag in a run, a key, a value and an update stays text, and no dialog opens."""
    store = store_of(stack, SCRIPT)
    store.set(SCRIPT, {SCRIPT: SCRIPT, "long": "x" * 90})
    store.push_many("list", [SCRIPT] * 200)
    watched = Watched(browser, page.url)
    tab = watched.open(run_path(SCRIPT))
    expect(tab.get_by_role("heading", level=1)).to_have_text(SCRIPT)
    store.set(f"{SCRIPT} later", f"<img src=x onerror=alert(1)>{SCRIPT}")
    expect(tab.get_by_role("link", name=f"{SCRIPT} later")).to_have_count(1, timeout=MILLISECONDS)
    tab.get_by_role("link", name="list", exact=True).click()
    expect(tab.locator(".elements > li").first).to_contain_text(SCRIPT)
    assert tab.locator("script:not([src])").count() == 0
    assert not watched.faults


def test_everybody_can_use_it(stack: LocalStack, writing_page: Server, chrome: Browser, scheme: str) -> None:
    """In both themes and on a phone: axe-core finds nothing serious, and nothing is wider than the screen."""
    store = store_of(stack, f"accessible {scheme}")
    store.set("customer", {"name": "Ada Lovelace", "address": {"street": "12 St James's Square", "city": "London"}})
    store.set("long", "a very long text without any end " * 100)
    store.push_many("list", ({"id": number, "status": "done"} for number in range(300)))
    store.increment("counter", 12)
    failed = stack.start_execution("OrderWorkflow", {"data": {}, "headers": {}})
    running = stack.start_execution("OrderWorkflow", order(4, 60))
    stack.wait(failed)
    paths = ["/runs", *map(run_path, (store.run_id, failed, running, "nowhere"))]
    paths += [run_path(store.run_id, f"/key?key={key}") for key in ("customer", "list", "counter", "long")]
    with fresh_context(chrome, color_scheme=scheme) as context:
        tab = Watched(context, writing_page.url).tab
        for path in paths:
            tab.set_viewport_size({"width": 1280, "height": 900})
            tab.goto(writing_page.url.rstrip("/") + path)
            assert not serious(tab), path
            tab.set_viewport_size({"width": NARROW, "height": 844})
            assert tab.evaluate("document.documentElement.scrollWidth") <= NARROW, path
        tab.goto(writing_page.url.rstrip("/") + run_path(store.run_id))
        tab.get_by_role("button", name="Delete counter").click()
        tab.get_by_role("button", name="Delete it").wait_for()
        assert not serious(tab)
    stack.client("stepfunctions").stop_execution(executionArn=running)


def test_it_works_by_keyboard(stack: LocalStack, page: Server, browser: BrowserContext) -> None:
    """The first stop skips to the content, a slash goes to the search field, Enter opens a run, the theme is kept."""
    store_of(stack, "by keyboard").set("k", 1)
    watched = Watched(browser, page.url)
    tab = watched.open("/runs")
    tab.keyboard.press("Tab")
    expect(tab.locator(".skip")).to_be_focused()
    tab.keyboard.press("/")
    tab.keyboard.type("by keyboard")
    tab.keyboard.press("Enter")
    expect(tab).to_have_url(re.compile("/runs/by%20keyboard"))
    theme = tab.get_by_role("button", name="Theme")
    theme.press("Enter")
    theme.press("Enter")
    tab.reload()
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")
    assert not watched.faults


def test_a_hidden_page_reads_nothing(stack: LocalStack, page: Server, browser: BrowserContext) -> None:
    """Updates stop while nobody looks, so that a forgotten tab costs nothing."""
    store = store_of(stack, "hidden")
    store.set("n", 0)
    tab = Watched(browser, page.url).open(run_path("hidden"))
    expect(tab.locator("body")).to_have_attribute("data-state", "live")
    tab.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    expect(tab.locator("body")).not_to_have_attribute("data-state", "live")
    store.set("n", 1)
    time.sleep(2.5)  # longer than two looks
    assert tab.locator(".counter").inner_text() == "0"
    tab.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(tab.locator(".counter")).to_have_text("1", timeout=MILLISECONDS)
