"""Updates while something runs: server-sent events, each with the parts of a page that have changed."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from runstore_inspector.meter import Meter, metered
from runstore_inspector.page import pages
from runstore_inspector.page.site import CAUGHT, Site, path_parts
from runstore_inspector.problems import explain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

SECONDS = 1.0  # between two looks
UNITS_A_SECOND = 10.0  # a run that costs more to look at is looked at less often
RUN_PARTS = {"head": "_run_head.html", "timeline": "_run_timeline.html", "keys": "_run_keys.html"}


async def run(site: Site, request: Request) -> StreamingResponse:
    """Stream the changes of a run."""
    name = path_parts(request)[1]
    known: list[Any] = []

    def look() -> tuple[dict[str, str], bool]:
        values = pages.run_values(site, name, request, known[0] if known else None)
        known[:] = [values["run"]]
        return {part: site.part(template, **values) for part, template in RUN_PARTS.items()}, values["view"].over

    return _stream(look)


async def runs(site: Site, request: Request) -> StreamingResponse:
    """Stream the changes of the list of runs."""

    def look() -> tuple[dict[str, str], bool]:
        values = pages.runs_values(site, request)
        return {"table": site.part("_runs_table.html", **values)}, not values["live"]

    return _stream(look)


def _stream(look: Callable[[], tuple[dict[str, str], bool]]) -> StreamingResponse:
    meter = Meter()

    def counted() -> tuple[dict[str, str], bool, float]:
        before = meter.read_units
        with metered(meter):
            parts, over = look()
        return parts, over, meter.read_units - before

    async def events() -> AsyncIterator[str]:
        sent: dict[str, str] = {}
        while True:
            try:
                parts, over, units = await run_in_threadpool(counted)
            except CAUGHT as error:
                yield _event("problem", {"text": str(explain(error))})
                return
            changed = {part: html for part, html in parts.items() if sent.get(part) != html}
            sent = parts
            yield _event("update", {"parts": changed, "units": meter.read_units})
            if over:
                yield _event("end", {})
                return
            await asyncio.sleep(max(SECONDS, units / UNITS_A_SECOND))

    return StreamingResponse(events(), media_type="text/event-stream")


def _event(name: str, document: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(document)}\n\n"
