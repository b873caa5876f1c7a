"""The pages: runs, a run, a key, a value."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import PlainTextResponse, RedirectResponse, Response

from runstore import clock
from runstore_inspector import executions, history, overview, reading, words
from runstore_inspector.page import render, rows
from runstore_inspector.page.site import CAUGHT, Site, path_parts
from runstore_inspector.problems import FAILURES, NotFoundError, explain

if TYPE_CHECKING:
    from starlette.requests import Request

    from runstore_inspector.executions import Execution
    from runstore_inspector.overview import Overview
    from runstore_inspector.steps import Workflow

RUNS_A_PAGE = 25
ELEMENTS_A_PAGE = 50
_BARS = 10  # running runs of a page of which the steps are counted


def runs(site: Site, request: Request) -> Response:
    """The newest runs."""
    with site.counted() as meter:
        try:
            return site.page("runs.html", meter, **runs_values(site, request))
        except CAUGHT as error:
            return site.failure(error, meter)


def runs_values(site: Site, request: Request) -> dict[str, Any]:
    """Return what the page of runs shows."""
    asked = request.query_params
    status, machine, name = asked.get("status", ""), asked.get("machine", ""), asked.get("name", "").strip()
    before = _number(asked.get("before"))
    known = site.machines()
    wanted = executions.Machines((machine,), "chosen") if machine in known.arns else known
    status = status if status in executions.STATUSES else ""
    found = executions.newest(site.connection, wanted, status=status or None, name=name, before=before)
    listed = list(islice(found, RUNS_A_PAGE + 1))
    more, listed = listed[RUNS_A_PAGE:], listed[:RUNS_A_PAGE]
    summaries = overview.summaries(site.connection, [run.arn for run in listed])
    running = [run.arn for run in listed if run.running][:_BARS]
    bars = {arn: overview.steps_done(site.connection, arn) for arn in running}
    older = ""
    if more:
        older = "?" + urlencode({"status": status, "machine": machine, "name": name, "before": listed[-1].started})
    return {
        "listed": list(zip(listed, summaries, strict=True)),
        "bars": bars,
        "older": older,
        "first": before is None,
        "machines": known,
        "statuses": executions.STATUSES,
        "status": status,
        "machine": machine,
        "name": name,
        "live": f"/events?{request.url.query}" if running and before is None else "",
    }


def go_to(_site: Site, request: Request) -> Response:
    """Open a run by its name or ARN."""
    name = request.query_params.get("run", "").strip()
    return RedirectResponse(render.run_url(name) if name else "/", 303)


def run(site: Site, request: Request) -> Response:
    """What belongs to a run: its page, a key's page, a value."""
    _, name, *rest = path_parts(request)
    part = "/".join(rest).rstrip("/")
    with site.counted() as meter:
        try:
            if part == "":
                return site.page("run.html", meter, **run_values(site, name, request))
            if part == "key":
                return site.page("key.html", meter, **_key_values(site, name, request))
            if part == "value":
                return _value(site, name, request)
            raise NotFoundError(f"there is no page {request.url.path}")
        except CAUGHT as error:
            return site.failure(error, meter)


def run_values(site: Site, name: str, request: Request, known: executions.Run | None = None) -> dict[str, Any]:
    """Return what a run's page shows; `known` is the run if it was found before."""
    asked = request.query_params
    found = overview.refresh(site.connection, known) if known else site.find(name)
    wanted = reading.Wanted(asked.get("from", ""), asked.get("prefix", ""))
    view = overview.read(site.connection, found, wanted, all_steps=asked.get("steps") == "all")
    site.lines.note(found.id, view.keys.keys, clock.now())
    only = asked.get("only", "")
    workflow, remembered = site.steps_of(view)
    chart, unread = _chart(site, view, workflow, only)
    return {
        "view": view,
        "run": found,
        "execution": found.execution,
        "chart": chart,
        "workflow": workflow,
        "remembered": remembered,
        "unread": unread,
        "only": only,
        "prefix": asked.get("prefix", ""),
        "start": asked.get("from", ""),
        "failure": _failure(view, chart),
        "live": f"{render.run_url(found.id, 'events')}?{request.url.query}" if not view.over else "",
    }


def _chart(site: Site, view: Overview, workflow: Workflow | None, only: str) -> tuple[rows.Chart | None, str]:
    """Return the timeline and, if there is none, why."""
    execution = view.run.execution
    if workflow is not None and workflow.steps:
        first = min((step.began or step.due or clock.now() for step in workflow.steps), default=clock.now())
        began = execution.started if execution else first
        return rows.of_workflow(workflow, began, execution.stopped if execution else None, only), ""
    if workflow is not None and workflow.unread:
        return None, "unread"
    if execution is None:
        return None, view.run.unasked or ""
    try:
        timeline = history.read(site.connection, execution.arn)
    except FAILURES as error:
        return None, str(explain(error))
    return (rows.of_timeline(timeline, only), "") if timeline else (None, "Step Functions keeps no history of it")


def _failure(view: Overview, chart: rows.Chart | None) -> dict[str, str] | None:
    """Return what made the run fail: the step or state, and its error."""
    execution: Execution | None = view.run.execution
    row = chart.failed if chart else None
    if execution is not None and execution.status in {"RUNNING", "SUCCEEDED"}:
        return None
    if execution is None and row is None:
        return None
    error = (execution.error if execution else None) or (row.error if row else "")
    message = (execution.cause if execution else None) or (row.message if row else "")
    if row is not None and row.error:
        error, message = row.error, row.message or message
    text, trace = words.explained(message or "")
    return {"where": row.name if row else "", "error": error or "", "message": text, "trace": trace}


def _key_values(site: Site, name: str, request: Request) -> dict[str, Any]:
    found, key = site.find(name), request.query_params.get("key", "")
    shown = reading.read_key(site.connection, found.id, key)
    if shown is None:
        raise NotFoundError(f"the key {render.printable(key)} is not set in the run {render.printable(found.id)}")
    start = max(0, int(_number(request.query_params.get("start")) or 0))
    elements: list[Any] = []
    if shown.kind == "list":
        start = min(start, max(0, (shown.length - 1) // ELEMENTS_A_PAGE * ELEMENTS_A_PAGE))
        if not site.redact:
            elements = site.connection.store(found.id).get_range(key, start, ELEMENTS_A_PAGE)
    value = json.loads(shown.text) if shown.kind != "list" else None
    site.lines.note(found.id, [shown], clock.now())
    last = max(0, (shown.length - 1) // ELEMENTS_A_PAGE * ELEMENTS_A_PAGE)
    return {
        "run": found,
        "key": shown,
        "value": value,
        "start": start,
        "elements": elements,
        "stop": min(start + ELEMENTS_A_PAGE, shown.length),
        "page_size": ELEMENTS_A_PAGE,
        "last": last,
    }


def _value(site: Site, name: str, request: Request) -> Response:
    """A key's value as JSON text, whole; a list's first 1,000 elements from `start` on."""
    if site.redact:
        return PlainTextResponse("refused: the page was started with --redact\n", status_code=403)
    found, key = site.find(name), request.query_params.get("key", "")
    shown = reading.read_key(site.connection, found.id, key)
    if shown is None:
        raise NotFoundError(f"the key {render.printable(key)} is not set in the run {render.printable(found.id)}")
    text = shown.text
    if shown.kind == "list":
        start = max(0, int(_number(request.query_params.get("start")) or 0))
        elements = site.connection.store(found.id).get_range(key, start, 1_000)
        text = json.dumps(elements, ensure_ascii=False)
    return PlainTextResponse(text.encode("utf-8", "backslashreplace"))


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if abs(number) < 1e15 else None  # noqa: PLR2004 no time and no index is as large
