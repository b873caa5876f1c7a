"""Chromium for the tests and screenshots of the page; it comes from the system, Playwright only drives it."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from playwright.sync_api import Browser, BrowserContext

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def executable() -> str | None:
    """Return the path of a Chromium, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def launched() -> Iterator[Browser]:
    """Start Chromium, which takes a second: tests share one and get contexts of their own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def fresh_context(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """Yield a context without cookies, storage or cache, with one tab; `options` are Playwright's of a context."""
    context = browser.new_context(**options)
    try:
        context.new_page()
        yield context
    finally:
        context.close()


@contextmanager
def chromium(**options: Any) -> Iterator[BrowserContext]:
    """Start Chromium for one such context."""
    with launched() as browser, fresh_context(browser, **options) as context:
        yield context
