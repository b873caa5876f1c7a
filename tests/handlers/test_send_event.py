"""send_event: the token names the run, and nothing but an unaltered one is accepted."""

import json
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from infra import schemas
from runstore import InvalidRequestError
from runstore.store import table_of
from runstore.workflow.errors import InvalidEventTokenError
from runstore.workflow.proofs import event_token
from runstore.workflow.records import Records
from runstore.workflow.run_record import Run
from runstore.workflow.waits import WaitRecords
from tests.handlers.conftest import RUN, Call, Output, Table

ROOT = Path(__file__).parents[2]
DAY = 86_400


@pytest.fixture
def token(table: Table) -> str:
    """The token of a wait of a run."""
    run = Run(None, time.time() + DAY, 0, "", "secret", None, -1, clearing=False)
    Records(table_of(table.store())).begin_run(run, "{}")
    return event_token("secret", RUN, "1", "decide")


def test_the_first_event_counts(table: Table, call: Call, token: str) -> None:
    """A second one is told so; the record holds the first."""
    assert call("send_event", token=token, body={"approved": True}) == {"runId": RUN, "accepted": True}
    assert call("send_event", token=token) == {"runId": RUN, "accepted": False}
    event = WaitRecords(table_of(table.store()), "1", "decide").event()
    assert event is not None
    assert event.body == {"approved": True}


def test_the_schemas_are_true(call: Call, token: str) -> None:
    """They accept what the function accepts and returns, and refuse what it refuses for its form."""
    event, result = (Draft202012Validator(schemas.schemas()[f"send_event.{part}"]) for part in ("event", "result"))
    event.validate(json.loads((ROOT / "tests" / "events" / "send_event.json").read_text("utf-8")))
    event.validate({"token": token, "body": None})
    result.validate(call("send_event", token=token, body=None))
    for wrong in ({}, {"token": None}, {"token": token, "runId": RUN}, {"token": token, "Body": 1}):
        assert not event.is_valid(wrong)
        with pytest.raises(InvalidRequestError):
            call("send_event", wrong)


def test_an_altered_token_is_refused(table: Table, call: Call, output: Output, token: str) -> None:
    """Nothing is written, and neither token nor body is logged."""
    before = table.items()
    altered = token[:-1] + ("A" if token[-1] != "A" else "B")
    with pytest.raises(InvalidEventTokenError, match="this one was cut or altered"):
        call("send_event", token=altered, body="s3cr3t")
    assert table.items() == before
    printed = output.text()
    assert altered not in printed
    assert "s3cr3t" not in printed
