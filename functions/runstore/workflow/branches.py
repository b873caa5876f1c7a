"""Where branches begin and how they continue: executions and their fan-outs, and what follows a step's outcome."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore.model.values import encode
from runstore.workflow import leftovers, machine, proofs
from runstore.workflow.definition import START, StepOptions
from runstore.workflow.durations import YEAR
from runstore.workflow.errors import RunEndedError
from runstore.workflow.events import execution_input
from runstore.workflow.run_record import Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runstore.dynamodb.table import Table
    from runstore.settings import Settings
    from runstore.workflow.definition import Definition
    from runstore.workflow.events import Event
    from runstore.workflow.machine import State
    from runstore.workflow.records import Outcome, Records

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Branches:
    """Begins the executions of a run, and continues their branches."""

    definition: Definition
    records: Records
    settings: Settings
    now: Callable[[], float]

    def options(self, action: str) -> StepOptions:
        """Return how a step is run; one that no longer exists has the defaults, and fails when it is due."""
        return self.definition.steps.get(action, StepOptions())

    # ------------------------------------------------------------------ Begin

    def begin(self, event: Event, table: Table) -> State:
        """Return the branches of an execution: of a run's root, of one that continues, or of a fan-out."""
        after = machine.END
        if event.child is None:
            kind, items = "root", [self._start(event, table)]
        else:
            run = self.records.run()
            if run is None:
                raise _gone()
            child = proofs.open_child(run.secret, event.run_id, event.child)
            if "chain" in child:
                kind, items = "chain", [machine.with_budget(child["chain"], 1, calls=child["calls"])]
            else:
                kind, items = self._fan(child["fan"], run, event)
                after = child["after"] or after
        if kind == "waits":
            items = [machine.continue_branch(step, self.now(), event.generation) for step in items]
        elif kind != "tree":
            items = [machine.first(step, event.generation) for step in items]
        return {
            "run": {"id": event.run_id, "generation": event.own_generation, "version": machine.VERSION},
            "kind": kind,
            "items": items,
            "result": {"next": machine.END},
            "after": after,
            "output": {"value": None},
        }

    def _start(self, event: Event, table: Table) -> State:
        data, headers = execution_input(event.input)
        began = machine.epoch_seconds(event.started)
        text, size = encode(data, "data", machine.MAX_STATE)
        header_text = encode(headers, "headers", machine.MAX_HEADERS)[0]
        deadline = began + min(YEAR, self.settings.ttl_days * _DAY)
        run = Run(headers, deadline, event.generation, event.started, proofs.new_secret(), None, -1, clearing=False)
        if next(table.query(projection="#key", page=1), None) is None:
            found = self.records.begin_run(run, header_text)
        else:
            found = leftovers.claim(table, run, header_text)
        if found.started != run.started:
            leftovers.claim(table, run, header_text)
        nonce = "input"
        given: State = {"data": text} if size <= machine.DATA_IN_STATE else {"ref": nonce, "of": "1"}
        if "ref" in given:
            self.records.put_payload("1", nonce, text)
        at = machine.timestamp(began)
        return machine.with_budget(machine.new_step("1", START, at, self.options(START).timeout, given), 1)

    def _fan(self, fan: State, run: Run, event: Event) -> tuple[str, list[State]]:
        first, last = fan["from"], fan["to"]
        if last - first > machine.WIDTH:
            ranges = machine.parts(first, last)
            children = ({"fan": fan | {"from": start, "to": stop}, "after": None} for start, stop in ranges)
            sealed = (proofs.seal_child(run.secret, event.run_id, child) for child in children)
            return "tree", [machine.start_child(text, event.generation) for text in sealed]
        if fan["count"] > machine.WIDTH:
            entries = self.records.entries(fan["of"], fan["nonce"], first)
        else:
            outcome = self.records.outcome(fan["of"])
            entries = outcome.entries if outcome else []
        if len(entries) != last - first:
            raise _gone()
        steps = (
            self._new_step(machine.branch_id(fan["of"], first + i), entry, fan["nonce"], fan["of"])
            for i, entry in enumerate(entries)
        )
        kind = "waits" if all("wait" in entry for entry in entries) else "branches"
        return kind, [machine.with_budget(step, last - first) for step in steps]

    def _new_step(self, step_id: str, entry: dict[str, Any], nonce: str, of: str) -> State:
        """Return a scheduled step; `of` is the step that scheduled it."""
        given: State = {"data": json.dumps(entry["data"])} if "data" in entry else {"ref": nonce, "of": step_id}
        at = machine.timestamp(entry.get("due", 0))
        step = machine.new_step(step_id, entry["action"], at, self.options(entry["action"]).timeout, given)
        if "wait" in entry:
            step["wait"] = entry["wait"] | {"of": of, "seconds": 1}
        return step

    # ------------------------------------------------------------------ what follows

    def go_on(self, step: State, run: Run, generation: int) -> State:
        """Return what a branch does about its next step: here while the budget lasts, else in another execution."""
        if not machine.exhausted(step):
            return machine.continue_branch(step, self.now(), generation)
        return self._hand_on(step, run, generation)

    def _hand_on(self, step: State, run: Run, generation: int) -> State:
        child = proofs.seal_child(run.secret, self.records.run_id, machine.chain_of(step))
        return machine.hand_on(step, child, generation)

    def after(self, step: State, outcome: Outcome, run: Run, generation: int) -> State:
        """Return what follows the outcome of a step."""
        budget = machine.budget_of(step)
        if outcome.failure is not None:
            return self.go_on(self._handler(step, outcome) | budget, run, generation)
        joined = None
        if outcome.join is not None:
            joined = self._new_step(machine.following_id(step["id"]), outcome.join, outcome.nonce, step["id"]) | budget
            joined["delay"] = outcome.join["delay"]
        if outcome.count == 0:
            return machine.END if joined is None else self.go_on(joined, run, generation)
        if outcome.count == 1 and joined is None:
            following = self._new_step(machine.following_id(step["id"]), outcome.entries[0], outcome.nonce, step["id"])
            return self.go_on(following | budget, run, generation)
        fan = {"of": step["id"], "nonce": outcome.nonce, "count": outcome.count, "from": 0, "to": outcome.count}
        after = None
        if joined is not None:
            joined = machine.deduct_call(joined)
            if machine.exhausted(joined):  # the join would have no place here: fan out and join elsewhere
                return self._hand_on(step, run, generation)
            after = machine.end_with(joined, generation)
        child = {"fan": fan, "after": after}
        return machine.start_child(proofs.seal_child(run.secret, self.records.run_id, child), generation)

    def _handler(self, step: State, outcome: Outcome) -> State:
        """Return the step that deals with a failure: its data are made of the outcome and the failed step's input."""
        failed = {"id": step["id"], "action": outcome.action}
        given = {"failed": failed, "input": machine.resumed(step)["input"] if "wait" in step else step["input"]}
        at = machine.timestamp(self.now())
        timeout = self.options(outcome.handler).timeout
        return machine.new_step(machine.following_id(step["id"]), outcome.handler, at, timeout, given)


def _gone() -> RunEndedError:
    return RunEndedError("what this execution was started for is gone: the run is over")
