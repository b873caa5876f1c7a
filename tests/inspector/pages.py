"""The page as a process of its own, and plain requests to it."""

from __future__ import annotations

import http.client
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from runstore_inspector import StartedPage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """What the page answered."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True)
class Page:
    """A page that listens."""

    url: str

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request and return the answer; redirects are not followed."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=SECONDS)
        try:
            body = None if form is None else urlencode(form)
            kind = {} if form is None else {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request(method, path, body, {**kind, **(headers or {})})
            answer = connection.getresponse()
            text = answer.read().decode()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """Get a page."""
        return self.request("GET", path, headers=headers)

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> Answer:
        """Send a form as the page itself would."""
        return self.request("POST", path, headers={"Origin": self.url.rstrip("/"), **headers}, form=form)


def run_path(run_id: str, more: str = "") -> str:
    """Return the path of a run's page."""
    return f"/runs/{quote(run_id, safe='')}{more}"


@contextmanager
def started(environment: Mapping[str, str], *options: str) -> Iterator[Page]:
    """Start `runstore ui` and yield it once it listens."""
    with StartedPage(options, environment) as page:
        yield Page(page.url)
