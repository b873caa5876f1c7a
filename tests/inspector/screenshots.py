"""Pictures of the page: the README's two (`make screenshots`), or every page in both themes and on a phone.

python -m tests.inspector.screenshots                  docs/images/inspector-{run,failure}.png
python -m tests.inspector.screenshots .cache/shots     all of them, into that folder, to look at
"""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from infra.local import LocalStack
from runstore_inspector import StartedPage
from tests.inspector import sample_runs
from tests.inspector.browser import chromium, executable
from tests.inspector.pages import run_path

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
WIDE: Final = {"width": 1180, "height": 820}
PHONE: Final = {"width": 390, "height": 844}
COLOURS: Final = 128  # a page has few: a palette makes its picture a quarter as large


class SampleRuns:
    """Runs as a user would have them: one in motion, one that failed, some that are done."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        machine = sample_runs.deploy(stack)
        orders = {"customer": {"id": "c-1815"}, "line_items": [{"id": f"item-{n}"} for n in range(1, 7)]}
        for number in (1040, 1041):
            stack.wait(self._start("OrderFanout", f"order-{number}", orders | {"delaySeconds": 1}))
        self.failed = sample_runs.start(stack, machine, "order-1043", {"items": [], "card": "declined"})
        stack.wait(self.failed)
        stack.wait(self._start("SendEmailWorkflow", "mail-312", {"data": orders, "headers": {}}))
        items = [{"id": f"item-{n}", "seconds": 0.4 + n % 3 * 0.5, "flaky": n == 2} for n in range(1, 7)]
        self.running = sample_runs.start(stack, machine, "order-1044", {"items": items, "card": "4242"})

    def _start(self, machine: str, name: str, document: Any) -> str:
        started = self.stack.client("stepfunctions").start_execution(
            stateMachineArn=self.stack.outputs[f"{machine}Arn"], name=name, input=json.dumps(document)
        )
        return str(started["executionArn"])

    def pages(self) -> Iterator[tuple[str, str]]:
        """Yield the pages to look at."""
        yield "runs", "/runs"
        yield "running", run_path(self.running)
        yield "failed", run_path(self.failed)
        yield "list", run_path(self.running, "/key?key=packed")
        yield "value", run_path(self.running, "/key?key=customer")
        yield "unknown", run_path("order-104")


def compact(picture: bytes) -> bytes:
    """Return a PNG with a palette."""
    small = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
        small, "PNG", optimize=True
    )
    return small.getvalue()


def main(folder: Path | None) -> None:
    """Take the pictures."""
    with LocalStack.start() as stack:
        runs = SampleRuns(stack)
        environment = {**stack.environment(), "RUNSTORE_TABLE": stack.table_name}
        with StartedPage([] if folder is None else ["--allow-writes"], environment) as page:
            url = page.url.rstrip("/")
            if folder is None:
                for_readme(url, runs)
            else:
                everything(url, runs, folder)


def for_readme(url: str, runs: SampleRuns) -> None:
    """Take the README's two pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with chromium(color_scheme="light", viewport=WIDE, device_scale_factor=1.5) as context:
        tab = context.pages[0]
        tab.goto(url + run_path(runs.running))
        tab.locator(".row.retrying").first.wait_for(timeout=60_000)
        tab.locator(".row.running").first.wait_for(timeout=60_000)
        (IMAGES / "inspector-run.png").write_bytes(compact(tab.screenshot()))
    with chromium(color_scheme="dark", viewport=WIDE, device_scale_factor=1.5) as context:
        tab = context.pages[0]
        tab.goto(url + run_path(runs.failed))
        tab.wait_for_timeout(1_000)
        (IMAGES / "inspector-failure.png").write_bytes(compact(tab.screenshot()))


def everything(url: str, runs: SampleRuns, folder: Path) -> None:
    """Take every page in both themes, wide and on a phone."""
    folder.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        for size, viewport in (("wide", WIDE), ("phone", PHONE)):
            with chromium(color_scheme=scheme, viewport=viewport) as context:
                tab = context.pages[0]
                for name, path in runs.pages():
                    tab.goto(url + path)
                    tab.wait_for_timeout(1_500)
                    tab.screenshot(path=folder / f"{name}-{scheme}-{size}.png", full_page=size == "phone")


if __name__ == "__main__":
    if executable() is None:
        sys.exit("screenshots need Chromium: apt-get install chromium")
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
