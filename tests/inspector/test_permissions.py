"""What the command and the page ask of AWS: the permissions that docs/debugging.md lists, and no others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.client
import pytest
from starlette.requests import Request

from runstore import RunStore
from runstore_inspector.connection import Connection, Target
from runstore_inspector.page import pages
from runstore_inspector.page.site import Site
from tests.inspector.pages import run_path

if TYPE_CHECKING:
    from infra.local import LocalStack
    from tests.inspector.conftest import Cli

DOCS = Path(__file__).parents[2] / "docs" / "debugging.md"
PREFIXES = {"dynamodb": "dynamodb", "stepfunctions": "states", "cloudformation": "cloudformation"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The actions that have been asked of AWS since the test began."""
    actions: set[str] = set()
    send = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001 every request passes it

    def note(client: Any, operation: str, parameters: Any) -> Any:
        actions.add(f"{PREFIXES[client.meta.service_model.service_name]}:{operation}")
        return send(client, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", note)
    return actions


def documented() -> set[str]:
    """Return the actions of the policy in the docs."""
    (policy,) = re.findall(r"```json\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    return {action for statement in json.loads(policy)["Statement"] for action in statement["Action"]}


def test_reading_needs_the_documented_permissions_alone(
    stack: LocalStack, stack_cli: Cli, asked: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every reading command and page together ask for what the docs list, and all that they list is used."""
    client = stack.client("dynamodb")
    order = {"customer": {"id": 1}, "line_items": [{"id": "a"}], "delaySeconds": 60}
    run_id = stack.start_execution("OrderFanout", order)
    store = RunStore(run_id, table_name=stack.table_name, client=client)
    store.push_many("list", ["x" * 100] * 200)
    asked.clear()
    stack_cli.document("runs", "--stack", stack.name)
    stack_cli.document("runs")
    stack_cli.document("show", run_id)
    stack_cli.document("show", run_id, "list")
    stack_cli.document("get", run_id, "list")
    stack_cli.failure("show", "nowhere")
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)
    site = Site(Connection(Target(stack.table_name)))
    for path in ("/runs", run_path(run_id), run_path(run_id, "/key?key=list"), run_path(run_id, "/value?key=list")):
        page = pages.runs if path == "/runs" else pages.run
        assert page(site, request(path)).status_code == 200
    stack.client("stepfunctions").stop_execution(executionArn=run_id)
    assert asked - documented() - {"states:StopExecution"} == set()
    assert documented() - asked - {"dynamodb:BatchGetItem"} == set()


def request(path: str) -> Request:
    """Return a request for a page."""
    raw, _, query = path.partition("?")
    scope = {"type": "http", "method": "GET", "path": raw, "raw_path": raw.encode(), "query_string": query.encode()}
    return Request(scope | {"headers": [(b"host", b"127.0.0.1")], "server": ("127.0.0.1", 80), "scheme": "http"})


@pytest.mark.parametrize("action", ["dynamodb:Query", "states:ListExecutions"])
def test_a_missing_permission_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    """The one line says which permission to add, and for what."""
    service, operation = action.split(":")
    send = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001 as above

    def refuse(client: Any, name: str, parameters: Any) -> Any:
        if (PREFIXES[client.meta.service_model.service_name], name) == (service, operation):
            said = f"User: arn:aws:iam::1:user/u is not authorized to perform: {action} on resource: arn:it because"
            raise client.exceptions.from_code("AccessDeniedException")(
                {"Error": {"Code": "AccessDeniedException", "Message": said}}, name
            )
        return send(client, name, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", refuse)
    machine = "arn:aws:states:eu-central-1:1:stateMachine:m"
    code, line = cli.failure(*(("show", "r") if service == "dynamodb" else ("runs", "--machine", machine)))
    assert (code, line.partition(": add")[0]) == (3, f"runstore: the permission {action} on arn:it is missing")
