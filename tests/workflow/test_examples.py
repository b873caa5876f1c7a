"""The example workflows, each tested as a user would test it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from approval_workflow import ApprovalWorkflow
from import_workflow import ImportWorkflow
from runstore.testing import run_workflow
from tests.workflow.driver import BEGAN, Machine

if TYPE_CHECKING:
    import pytest

EXPENSE = {"expense": {"id": "e-1", "amount": 120}}
ROWS = [{"id": number, "price": 5 - number} for number in range(8)]  # the last two are wrong


def test_an_approved_expense_is_paid() -> None:
    """The event answers the question, and the workflow goes on with it."""
    result = run_workflow(ApprovalWorkflow, EXPENSE, events={"decide": {"approved": True, "by": "ann"}})
    assert result.status == "SUCCEEDED"
    assert result.output == {"decision": {"expense": "e-1", "approved": True, "by": "ann"}, "paid": 120}


def test_a_refused_expense_is_not_paid() -> None:
    """The other answer."""
    result = run_workflow(ApprovalWorkflow, EXPENSE, events={"decide": {"approved": False, "by": "ann"}})
    assert result.state.get("paid") is None


def test_nobody_answers() -> None:
    """Without an event the workflow waits for three days, and then goes on by itself."""
    result = run_workflow(ApprovalWorkflow, EXPENSE)
    assert (result.output["decision"]["by"], result.seconds) == ("timeout", 3 * 86_400)  # type: ignore[index,call-overload]


def test_failed_rows_are_collected_and_stop_nothing() -> None:
    """Every row is imported or noted before the report runs."""
    result = run_workflow(ImportWorkflow, {"rows": ROWS, "chunkSize": 3}, order="random")
    assert result.status == "SUCCEEDED"
    assert result.output["imported"] == 6  # type: ignore[index,call-overload]
    assert {row["id"] for row in result.output["failed"]} == {6, 7}  # type: ignore[index,call-overload,union-attr]


def test_the_examples_run_in_the_state_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in simulated time, with real task tokens."""
    machine = Machine(ImportWorkflow, monkeypatch)
    execution = machine.run({"rows": ROWS, "chunkSize": 3})
    assert (execution.output["rows"], execution.output["imported"]) == (8, 6)
    machine = Machine(ApprovalWorkflow, monkeypatch)
    execution = machine.service.start({"data": EXPENSE})
    machine.loop.run(until=BEGAN + 86_400)
    token = machine.state(execution)["request"]["token"]
    assert machine.send(token, {"approved": True, "by": "ben"})["accepted"] is True
    machine.loop.run()
    assert execution.output["paid"] == 120
