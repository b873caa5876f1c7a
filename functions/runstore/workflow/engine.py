"""What the state machine's tasks do: begin an execution, run a step, deal with a failure, call the hook, complete.

Each answer replaces the state of the execution or branch that asked. Everything that must survive a retry, a redrive or
a straggler is in the run's records, written conditionally; the state only says where a branch is.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore.model.values import encode
from runstore.workflow import machine
from runstore.workflow.api import Limits, Schedule, StepApi, StepLogger
from runstore.workflow.attempt import Failure, complete_hook, error_hook, run_step
from runstore.workflow.definition import COMPLETE_HOOK, ERROR_HOOK, START, Definition, StepOptions
from runstore.workflow.durations import YEAR
from runstore.workflow.errors import InvalidActionError, RunEndedError, StepFailure
from runstore.workflow.events import Event, child_failure, execution_input
from runstore.workflow.records import Outcome, Records, Run
from runstore.workflow.stepstore import StepStore

if TYPE_CHECKING:
    from typing import Any

    from runstore.settings import Settings
    from runstore.store import RunStore
    from runstore.workflow.base import Workflow
    from runstore.workflow.machine import State

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Engine:
    """The tasks of one run of one workflow class."""

    workflow: "type[Workflow]"
    store: "RunStore"
    records: Records
    settings: "Settings"
    logger: StepLogger
    now: Callable[[], float] = time.time

    @property
    def definition(self) -> Definition:
        """What the class declares."""
        return self.workflow.__runstore_workflow__

    # ------------------------------------------------------------------ Begin

    def begin(self, event: Event) -> "State":
        """Return the branches of an execution: of a run's root, of one that goes on, or of a fan-out."""
        run: State = {"id": event.run_id, "epoch": event.own_epoch, "version": machine.VERSION}
        if event.child is None:
            kind, items = "root", [self._start(event)]
        elif "chain" in event.child:
            kind, items = "branches", [machine.with_budget(event.child["chain"], 1, calls=event.child["calls"])]
        else:
            kind, items = self._fan(event.child["fan"], event.epoch)
        if kind != "tree":
            items = [{"do": "wait", "then": "end", "step": step, "epoch": event.epoch} for step in items]
        return {"run": run, "kind": kind, "items": items, "result": {"next": machine.END}, "output": {"value": None}}

    def _start(self, event: Event) -> "State":
        data, headers = execution_input(event.input)
        began = machine.epoch_seconds(event.started)
        text, size = encode(data, "data", machine.MAX_STATE)
        self.records.begin_run(
            encode(headers, "headers", machine.MAX_HEADERS)[0],
            began + min(YEAR, self.settings.ttl_days * _DAY),
            event.epoch,
        )
        nonce = "input"
        payload: State = {"data": data} if machine.fits_state(text, size) else {"ref": nonce}
        if "ref" in payload:
            self.records.put_payload("1", nonce, text)
        step = machine.new_step("1", START, machine.timestamp(began), self.definition.steps[START].timeout, payload)
        return machine.with_budget(step, 1)

    def _fan(self, fan: "State", epoch: int) -> "tuple[str, list[State]]":
        first, last = fan["from"], fan["to"]
        if last - first > machine.WIDTH:
            parts = machine.parts(first, last)
            return "tree", [machine.call({"fan": fan | {"from": a, "to": b}}, epoch) for a, b in parts]
        if fan["count"] > machine.WIDTH:
            entries = self.records.entries(fan["of"], fan["nonce"], first)
        else:
            outcome = self.records.outcome(fan["of"])
            entries = outcome.entries if outcome else []
        if len(entries) != last - first:
            raise RunEndedError("what this execution was started for is gone: the run is over")
        steps = (
            self._new_step(machine.branch_id(fan["of"], first + i), entry, fan["nonce"])
            for i, entry in enumerate(entries)
        )
        return "branches", [machine.with_budget(step, last - first) for step in steps]

    def _new_step(self, step_id: str, entry: "list[Any]", nonce: str) -> "State":
        action, due, *payload = entry
        options = self.definition.steps.get(action, StepOptions())  # a step that is gone is told of when it is due
        carried: State = {"data": payload[0]} if payload else {"ref": nonce}
        return machine.new_step(step_id, action, machine.timestamp(due), options.timeout, carried)

    # ------------------------------------------------------------------ Step

    def step(self, event: Event) -> "State":
        """Run a step, unless it has an outcome already, and return what its branch does next."""
        step, epoch = event.next["step"], event.epoch
        run, outcome = self.records.run_and_outcome(step["id"])
        ended = self._enter(run, epoch)
        if ended is not None or run is None:
            return event.answer({"do": "fail", "then": "end", "step": step, "epoch": epoch, "error": ended})
        spent = machine.spent(step, waited=event.next["do"] == "wait", retries=event.retries)
        if outcome is None:
            schedule = Schedule(self.definition, Limits(self.settings.max_value_bytes, run.until), self.now)
            failure = self._attempt(step, run, schedule)
            if failure is not None:
                return event.answer(self._failed_attempt(spent, failure, epoch))
            outcome = self._record(step["id"], schedule)
        return event.answer(self._after(spent, outcome, epoch))

    def _enter(self, run: Run | None, epoch: int) -> "State | None":
        """Return why a step of this epoch must not run any more; None if it may."""
        if run is None:
            return _ended("the run is over: its state has been deleted")
        if epoch > run.epoch and epoch > run.ended:
            # Another step may have begun the epoch meanwhile, and even failed in it: what it has written counts.
            return None if self.records.begin_epoch(epoch) else self._enter(self.records.run(), epoch)
        if epoch < run.epoch or epoch <= run.ended:
            return _ended("the run's execution has been stopped, or has been redriven since")
        if run.failure is not None:
            return {"name": run.failure.name, "message": run.failure.message}
        return None

    def _attempt(self, step: "State", run: Run, schedule: Schedule) -> Failure | None:
        if step["action"] not in self.definition.steps:
            message = f"{self.definition.name} has no step {step['action']!r} any more: it was deployed anew meanwhile"
            return Failure(InvalidActionError.__name__, message, permanent=True)
        data = self.records.payload(step["id"], step["ref"]) if "ref" in step else step["data"]
        store = StepStore(self.store, step["id"])
        api = StepApi(store, schedule, step_id=step["id"], attempt=step["attempt"], logger=self.logger)
        return run_step(self.workflow, step["action"], data, run.headers, api)

    def _failed_attempt(self, step: "State", failure: Failure, epoch: int) -> "State":
        options = self.definition.steps.get(step["action"])
        if options is not None and step["attempt"] < options.attempts and not failure.permanent:
            return self._again(step, options.wait_after(step["attempt"]), epoch)
        error = {"name": failure.name, "message": failure.message}
        return {"do": "fail", "then": "end", "step": step, "epoch": epoch, "error": error}

    def _again(self, step: "State", pause: float, epoch: int) -> "State":
        now = self.now()
        step = step | {"attempt": step["attempt"] + 1, "at": machine.timestamp(now + pause)}
        return machine.go_on(step, now, epoch)

    def _record(self, step_id: str, schedule: Schedule) -> Outcome:
        count = len(schedule.steps)
        if count == 1:
            ids = [machine.following_id(step_id)]
        else:
            ids = [machine.branch_id(step_id, index) for index in range(count)]
        return self.records.record_outcome(step_id, schedule.steps, ids)

    def _after(self, step: "State", outcome: Outcome, epoch: int) -> "State":
        if outcome.count == 0:
            return machine.END
        if outcome.count == 1:
            following = self._new_step(machine.following_id(step["id"]), outcome.entries[0], outcome.nonce)
            budget = {name: step[name] for name in ("events", "calls", "back")}
            return machine.go_on(following | budget, self.now(), epoch)
        fan = {"of": step["id"], "nonce": outcome.nonce, "count": outcome.count, "from": 0, "to": outcome.count}
        return machine.call({"fan": fan}, epoch)

    # ------------------------------------------------------------------ Failed

    def failed(self, event: Event) -> "State | Failure | StepFailure":
        """Return the failure that the task must raise, or what the branch does next.

        A redrive re-enters this task with the state of the failure, whose epoch tells. The step that has failed is then
        given back in its first attempt, a child is started anew, and what is complete there is not run again.
        """
        branch, epoch = event.next, event.epoch
        run = self.records.run()
        if run is not None and run.failure is not None and run.epoch >= epoch:
            if run.epoch == epoch:
                self._error_hook(run.failure)
            return run.failure
        if branch.get("epoch", 0) < epoch:
            return event.answer(self._given_back(branch, epoch, event.retries))
        step = branch.get("step") or {"id": "", "action": "", "attempt": 0}
        failure = _reported(branch) or child_failure(event.error)
        options = self.definition.steps.get(step["action"])
        may_go_on = "error" not in branch and not event.not_started
        if may_go_on and options is not None and step["attempt"] < options.attempts:
            spent = machine.spent(step, waited=branch["do"] == "wait", retries=event.retries, failed=True)
            return event.answer(self._again(spent, options.wait_after(step["attempt"]), epoch))
        if run is not None and run.epoch <= epoch and run.ended < epoch:
            attempts = step["attempt"] - event.not_started
            told = StepFailure(failure.name, failure.message, step["action"], step["id"], attempts)
            recorded = self.records.fail_run(told, epoch)
            self._error_hook(recorded)
            return recorded
        return failure

    def _given_back(self, branch: "State", epoch: int, retries: int) -> "State":
        if "child" in branch:
            return machine.call(branch["child"], epoch)
        step = machine.spent(branch["step"], waited=branch["do"] == "wait", retries=retries, failed=True)
        return machine.go_on(step | {"attempt": 1}, self.now(), epoch)

    def _error_hook(self, failure: StepFailure) -> None:
        if self.records.begin_hook(ERROR_HOOK)[0]:
            error_hook(self.workflow, failure, StepStore(self.store, ERROR_HOOK), self.logger)

    # ------------------------------------------------------------------ Hook and Complete

    def hook(self) -> "State":
        """Run the completion hook, if it has not been begun before, and return its output."""
        first, output = self.records.begin_hook(COMPLETE_HOOK)
        if not first:
            if output is None:
                self.logger.error("%s was begun before and did not end: it is not begun again", COMPLETE_HOOK)
            return {"output": None if output is None else json.loads(output)}
        text, _ = complete_hook(self.workflow, StepStore(self.store, COMPLETE_HOOK), self.logger)
        self.records.end_hook(COMPLETE_HOOK, text)
        return {"output": json.loads(text)}


def _reported(branch: "State") -> Failure | None:
    """Return the failure that a step's own task has reported; None for what Step Functions caught."""
    error = branch.get("error")
    return None if error is None else Failure(error["name"], error["message"])


def _ended(message: str) -> "State":
    return {"name": RunEndedError.__name__, "message": message}
