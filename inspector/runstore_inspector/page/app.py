"""The web application and the server that runs it."""

from __future__ import annotations

import functools
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from runstore_inspector.page import actions, live, pages
from runstore_inspector.page.guard import Guard
from runstore_inspector.page.site import path_parts
from runstore_inspector.problems import InspectorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from runstore_inspector.page.site import Site

HOST = "127.0.0.1"
STATIC = Path(__file__).parent / "static"


def make_app(site: Site, port: int) -> Guard:
    """Return the application for a port of the loopback interface."""

    def page(make: Callable[[Site, Request], Response]) -> Any:
        @functools.wraps(make)
        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(make, site, request)

        return endpoint

    async def run(request: Request) -> Response:
        if path_parts(request)[2:3] == ["events"]:
            return await live.run(site, request)
        return await run_in_threadpool(pages.run, site, request)

    async def runs_events(request: Request) -> Response:
        return await live.runs(site, request)

    async def post(request: Request) -> Response:
        return await actions.post(site, request)

    async def home(request: Request) -> Response:  # noqa: ARG001 the framework passes it
        return RedirectResponse("/runs", 307)

    routes = [
        Route("/", home),
        Route("/runs", page(pages.runs)),
        Route("/runs/", page(pages.runs)),
        Route("/events", runs_events),
        Route("/open", page(pages.go_to)),
        Route("/runs/{rest:path}", run, methods=["GET"]),
        Route("/runs/{rest:path}", post, methods=["POST"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    return Guard(Starlette(routes=routes), port)


def listen(port: int | None, preferred: int) -> socket.socket:
    """Return a listening socket of the loopback interface: on this port, else on the preferred or any free one."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, preferred if port is None else port))
    except OSError as error:
        if port is not None:
            made.close()
            raise InspectorError(f"the port {port} cannot be used: {error.strerror}. Pass another --port") from error
        made.bind((HOST, 0))
    made.listen(128)
    return made


def serve(site: Site, listening: socket.socket, until: int | None = None) -> None:
    """Serve until Ctrl-C, SIGTERM, or the end of what the file descriptor `until` reads."""
    app = make_app(site, listening.getsockname()[1])
    # An open event stream would keep the server from stopping without a limit.
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=1, server_header=False, date_header=False,
        lifespan="off", ws="none",
    )  # fmt: skip
    server = uvicorn.Server(config)

    def wait_for_end(descriptor: int) -> None:
        while os.read(descriptor, 4_096):  # not sys.stdin, whose lock a daemon thread would hold at exit
            pass
        server.should_exit = True

    if until is not None:
        threading.Thread(target=wait_for_end, args=(until,), daemon=True).start()
    server.run(sockets=[listening])
