"""Changing a run from the page: only with --allow-writes, only with the page's token, and only after a question."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from runstore_inspector import sending, steps
from runstore_inspector.page import render
from runstore_inspector.page.site import CAUGHT, Site, path_parts
from runstore_inspector.problems import InspectorError, NotFoundError, UsageError

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BODY = 2_000_000  # bytes; a value has at most 350,000
ACTIONS = ("set", "delete", "send", "complete")


async def post(site: Site, request: Request) -> Response:
    """Ask about an action (`/ask`), or carry it out (`/do`)."""
    if not site.allow_writes:
        return PlainTextResponse("refused: the page only reads; start it with --allow-writes\n", status_code=403)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            return PlainTextResponse(f"refused: a form has at most {MAX_BODY:,} bytes\n", status_code=413)
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return PlainTextResponse("refused: this is no form of the page\n", status_code=400)
    form = {name: values[0] for name, values in fields.items()}
    if not secrets.compare_digest(form.get("token", "").encode(), site.token.encode()):
        return PlainTextResponse(
            "refused: reload the page and try again, its token is missing or old\n", status_code=403
        )
    return await run_in_threadpool(_answer, site, path_parts(request), form)


def _answer(site: Site, parts: list[str], form: dict[str, str]) -> Response:
    _, name, step = (*parts, "", "")[:3]
    with site.counted() as meter:
        try:
            found, action = site.find(name), form.get("action", "")
            if action not in ACTIONS:
                raise UsageError(f"the action must be one of {', '.join(ACTIONS)}")
            value = _value(form.get("value", "")) if action in {"set", "send"} else None
            if step == "ask":
                return site.page("ask.html", meter, run=found, form=form, action=action, value=value)
            back = _do(site, found.id, action, form, value)
            return RedirectResponse(back, 303)
        except CAUGHT as error:
            return site.failure(error, meter)


def _do(site: Site, run_id: str, action: str, form: dict[str, str], value: Any) -> str:
    """Carry out an action and return where to go."""
    store, key = site.connection.store(run_id), form.get("key", "")
    if action == "set":
        store.set(key, value)
        return render.key_url(run_id, key)
    if action == "delete":
        store.delete(key)
    elif action == "send":
        _send(site, run_id, form, value)
    else:
        store.complete()
        return "/"
    return render.run_url(run_id)


def _send(site: Site, run_id: str, form: dict[str, str], body: Any) -> None:
    """Send an event with a token that was given, or to the wait of a step."""
    token: str | None = form.get("event_token")
    if token is None:
        token = steps.event_token(site.connection, run_id, form.get("step", ""))
    if token is None:
        raise NotFoundError("that step does not wait for an event any more")
    if not sending.send(site.connection, token, body).get("accepted"):
        raise InspectorError("the wait has had an event before, and the first event counts: this one is not used")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(
            f'the value must be JSON, text in quotes; {error}. For example: "text", 5, {{"a": 1}}'
        ) from error
    except RecursionError as error:
        raise UsageError("the value is nested too deeply") from error
