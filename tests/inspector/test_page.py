"""The page without a browser: what it answers, what it refuses, and what it never shows."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from starlette.requests import Request

from runstore_inspector.connection import Connection, Target
from runstore_inspector.page import actions
from runstore_inspector.page.site import Site
from tests.inspector.pages import Page, run_path, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstore import RunStore
    from tests.inspector.conftest import Cli

SCRIPT = "<script>alert('x')</script>"


@pytest.fixture
def environment(cli: Cli) -> dict[str, str]:
    """The environment of a page for the table on DynamoDB Local."""
    return {**os.environ, **cli.environment}


@pytest.fixture
def page(environment: dict[str, str]) -> Iterator[Page]:
    """A page that only reads."""
    with started(environment) as listening:
        yield listening


@pytest.fixture
def writing_page(environment: dict[str, str]) -> Iterator[Page]:
    """A page that was started with --allow-writes."""
    with started(environment, "--allow-writes") as listening:
        yield listening


def token(page: Page, path: str) -> str:
    """Return the token in a page's forms."""
    found = re.search(r'name="token" value="([^"]+)"', page.get(path).text)
    assert found
    return found[1]


def test_a_run_is_shown_with_its_cost(page: Page, store: RunStore) -> None:
    """A run's page has its keys, their values and the read units."""
    store.set("customer", {"name": "Ada"})
    store.push_many("results", range(2_000))
    shown = page.get(run_path("r"))
    assert shown.status == 200
    assert all(text in shown.text for text in ("customer", "Ada", "2,000 elements", "read units"))


def test_run_ids_of_every_kind_have_a_page(page: Page, cli: Cli) -> None:
    """Slashes, percent signs, spaces and other scripts come through the address."""
    for run_id in ("a/b", "a%2Fb", "a b", "日本/é?x=1&y#z", SCRIPT):
        cli.lines("set", run_id, "k", run_id)
        shown = page.get(run_path(run_id))
        assert shown.status == 200
        assert "1 key" in shown.text or "<dd>1," in shown.text


def test_an_unknown_run_is_not_found(page: Page) -> None:
    """A mistyped run says so."""
    shown = page.get(run_path("nowhere"))
    assert shown.status == 404
    assert "no run nowhere" in shown.text


def test_stored_scripts_stay_text(page: Page, cli: Cli, store: RunStore) -> None:
    """A script tag as run, key, value, field and element is escaped on every page."""
    store.set(SCRIPT, SCRIPT)
    store.set("object", {SCRIPT: [SCRIPT, {"deep": SCRIPT}], "long": "x" * 100})
    store.set("long", SCRIPT * 100)
    store.push_many("list", [SCRIPT] * 300)
    cli.lines("set", SCRIPT, SCRIPT, SCRIPT)
    query = urlencode(dict.fromkeys(("name", "status", "machine", "prefix", "only", "from"), SCRIPT))
    paths = [run_path(run) for run in ("r", SCRIPT, f"{SCRIPT} unknown")]
    paths += [run_path("r", f"/key?key={quote(key)}") for key in ("object", "long", "list", SCRIPT, f"{SCRIPT}?")]
    paths += [f"/runs?{query}", run_path("r", f"?{query}")]
    for path in paths:
        shown = page.get(path)
        assert "<script>" not in shown.text, path
        assert "&lt;script&gt;" in shown.text or path.startswith("/runs?"), path
    raw = page.get(run_path("r", "/value?key=long"))
    assert raw.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1", "0.0.0.0:{port}", ""])
def test_a_foreign_name_is_refused(page: Page, host: str) -> None:
    """DNS rebinding brings the browser here under another name: the Host header gives it away."""
    port = page.url.rstrip("/").rpartition(":")[2]
    refused = page.get("/runs", Host=host.format(port=port))
    assert refused.status in {400, 403}
    assert "<main" not in refused.text


def test_a_foreign_origin_is_refused(writing_page: Page, store: RunStore) -> None:
    """Another site's form or script reaches nothing, with the right token either."""
    store.set("k", 1)
    form = {"token": token(writing_page, run_path("r")), "action": "delete", "key": "k"}
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}):
        assert writing_page.request("POST", run_path("r", "/do"), headers=headers, form=form).status == 403
        assert writing_page.get(run_path("r"), **headers).status == 403
    assert writing_page.request("POST", run_path("r", "/do"), form=form).status == 403
    assert store.get("k") == 1


def test_every_answer_has_the_security_headers(page: Page) -> None:
    """The policy allows the page's own files alone, also on refusals and errors."""
    for path in ("/runs", run_path("nowhere"), "/static/page.css", "/nonsense"):
        headers = page.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    assert "style=" not in page.get(run_path("nowhere")).text


def test_actions_need_the_switch_the_token_and_a_question(page: Page, writing_page: Page, store: RunStore) -> None:
    """Without --allow-writes or the token an action is refused; with both, the first request only asks."""
    store.set("k", 1)
    form = {"token": token(writing_page, run_path("r")), "action": "delete", "key": "k"}
    assert page.post(run_path("r", "/do"), form).status == 403
    assert "Delete" not in page.get(run_path("r")).text
    assert writing_page.post(run_path("r", "/do"), form | {"token": "x"}).status == 403
    assert writing_page.post(run_path("r", "/do"), {"action": "delete", "key": "k"}).status == 403
    asked = writing_page.post(run_path("r", "/ask"), form)
    assert (asked.status, "Delete this key?" in asked.text) == (200, True)
    assert store.get("k") == 1
    assert writing_page.post(run_path("r", "/do"), form).status == 303
    assert store.find("k") == (False, None)


def test_the_token_alone_changes_nothing_without_the_switch(
    cli: Cli, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that only reads refuses an action also with its own token, which it never shows."""
    for name, value in cli.environment.items():
        monkeypatch.setenv(name, value)
    store.set("k", 1)
    answers = []
    for allowed in (False, True):
        site = Site(Connection(Target()), allow_writes=allowed)
        body = urlencode({"token": site.token, "action": "delete", "key": "k"}).encode()
        answers.append(asyncio.run(actions.post(site, posted(run_path("r", "/do"), body))).status_code)
        assert store.find("k")[0] != allowed
    assert answers == [403, 303]


def posted(path: str, body: bytes) -> Request:
    """Return a request with a form."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
    return Request(scope | {"headers": []}, receive)


def test_every_action_does_what_it_says(writing_page: Page, store: RunStore) -> None:
    """A key is set, a wrong value is refused, the run is completed."""
    store.set("k", 1)
    form = {"token": token(writing_page, run_path("r")), "action": "set", "key": "k"}
    assert writing_page.post(run_path("r", "/do"), form | {"value": '{"a": [1]}'}).status == 303
    assert store.get("k") == {"a": [1]}
    assert writing_page.post(run_path("r", "/do"), form | {"value": "{broken"}).status == 400
    assert writing_page.post(run_path("r", "/do"), form | {"action": "explode", "value": "1"}).status == 400
    assert store.get("k") == {"a": [1]}
    assert writing_page.post(run_path("r", "/do"), form | {"action": "complete"}).status == 303
    assert store.keys() == []


def test_redacted_pages_hold_no_value(environment: dict[str, str], store: RunStore) -> None:
    """With --redact no page, and no address of one, has a value: not of keys, elements or counters."""
    store.set("text", "secret-text")
    store.set("object", {"field": "secret-field"})
    store.set("long", "secret-long" * 200)
    store.push_many("list", ["secret-element"] * 300)
    store.increment("counter", 987_654_321)
    with started(environment, "--redact", "--allow-writes") as page:
        keys = store.keys()
        paths = [run_path("r"), *(run_path("r", f"/key?key={key}") for key in keys)]
        texts = [page.get(path).text for path in paths]
        texts += [page.get(run_path("r", f"/value?key={key}")).text for key in keys]
    assert not [text for text in texts if "secret" in text or "987654321" in text]
    assert all("redacted" in text for text in texts[: len(paths)])


def test_the_page_ends_with_the_program_that_started_it(environment: dict[str, str]) -> None:
    """A page of a program that was killed does not stay behind."""
    code = "import os, runstore_inspector as i; p = i.StartedPage(); print(p.url, flush=True); os.kill(os.getpid(), 9)"
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    address = urlsplit(done.stdout.strip()).netloc
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(address, timeout=5)
        try:
            connection.request("GET", "/runs")
        except ConnectionError:
            return
        finally:
            connection.close()
        time.sleep(0.1)
    pytest.fail("the page still listens")
