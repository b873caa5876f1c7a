"""The stored format of the engine's records. Runs outlive a deployment: a change here needs a new version of the state.

A field can be added if older packages ignore it. Whatever else changes what is expected here needs a new
`machine.VERSION`, and code that reads the runs of the version before.
"""

# ruff: noqa: ARG002 a step has these arguments, whether it uses them or not

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from runstore.workflow import PermanentError, StepApi, StepFailure, Workflow, step
from runstore.workflow.machine import VERSION
from tests.workflow.driver import BEGAN, Machine

if TYPE_CHECKING:
    import pytest

    from runstore.workflow import HookApi

GOLDEN = Path(__file__).with_name("golden_records.json")


class Golden(Workflow):
    """Leaves a record of every kind."""

    tokens: ClassVar[list[str]] = []

    def start(self, data: Any, headers: Any, api: StepApi) -> None:
        """Schedule, join, wait, with payloads small and large."""
        api.schedule_next_step(5, "wide", {"n": 1})
        api.schedule_next_step(0, "stumble", "x" * 513)
        api.schedule_next_step(0, "break_down")
        self.tokens.append(api.wait_for_event("wide", {"n": 2}, "1 hour", on_timeout="rescue"))
        self.tokens.append(api.wait_for_event("wide", {"n": 3}, 60, on_timeout="rescue"))
        api.join("wide", {"n": 4}, delay="1 min")

    def wide(self, data: Any, headers: Any, api: StepApi) -> None:
        """Fan out beyond what one record holds."""
        if data == {"n": 1}:
            api.schedule_steps("rescue", [None] * 41, delay="1 day")

    @step(attempts=2, backoff="1 hour")
    def stumble(self, data: Any, headers: Any, api: StepApi) -> None:
        """Fail."""
        raise LookupError("stumbled")

    @step(on_failure="rescue")
    def break_down(self, data: Any, headers: Any, api: StepApi) -> None:
        """Fail for good."""
        raise PermanentError("broken")

    def rescue(self, data: Any, headers: Any, api: StepApi) -> None:
        """Do nothing."""

    def on_workflow_error(self, error: StepFailure, api: HookApi) -> None:
        """Do nothing."""


def test_the_stored_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of record has these keys and attributes, and a state has this version."""
    monkeypatch.setattr(secrets, "token_urlsafe", lambda size: "r" * size)
    monkeypatch.setattr(Golden, "tokens", [])
    machine = Machine(Golden, monkeypatch)
    machine.service.new_task_token = lambda: "dGFzaw=="  # type: ignore[method-assign]
    execution = machine.service.start({"data": [1], "headers": {"from": "test"}})
    machine.loop.run(until=BEGAN + 10)
    machine.send(Golden.tokens[0], {"yes": True})
    machine.loop.run()
    assert execution.status == "FAILED"
    items = {key: dict(item) for key, item in sorted(machine.database.partitions[execution.arn].items())}
    for item in items.values():
        del item["run_id"], item["key"]
    found: dict[str, Any] = {"version": VERSION, "records": items}
    # To write it anew: GOLDEN.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
    expected = json.loads(GOLDEN.read_text("utf-8"))
    assert found["records"].keys() == expected["records"].keys()
    for key, item in expected["records"].items():
        assert items[key] == item, repr(key)
    assert found["version"] == expected["version"]
    kinds = {key.split("\x1d")[1] for key in items}
    assert kinds == {"run", "step", "attempt", "fan", "data", "hook", "wait"}
