"""What the state machine's tasks do: begin an execution, run a step, wait for an event, deal with a failure.

Each answer replaces the state of the execution or branch that asked. Everything that must survive a retry, a redrive or
a straggler is in the run's records, written conditionally; the state only says where a branch is.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runstore.workflow import machine, proofs
from runstore.workflow.api import StepApi, StepLogger
from runstore.workflow.attempt import WorkflowClass, run_step
from runstore.workflow.branches import Branches
from runstore.workflow.errors import (
    EventTimeoutError,
    InvalidActionError,
    RunEndedError,
    StepFailure,
    WaitEndedError,
)
from runstore.workflow.failures import Failure, caught_failure
from runstore.workflow.hooks import Hooks
from runstore.workflow.inputs import step_data
from runstore.workflow.metrics import Counts, count_failure
from runstore.workflow.records import Attempt, Outcome
from runstore.workflow.schedule import Limits, Schedule
from runstore.workflow.stepstore import StepStore
from runstore.workflow.waits import WaitRecords

if TYPE_CHECKING:
    from collections.abc import Callable

    from runstore.dynamodb.table import Table
    from runstore.settings import Settings
    from runstore.store import RunStore
    from runstore.workflow.definition import Definition
    from runstore.workflow.events import Event
    from runstore.workflow.machine import State
    from runstore.workflow.records import Records
    from runstore.workflow.run_record import Run

_MAX_REMEMBERED = 200  # characters of an earlier attempt's error, which the state carries
_SLACK = 5.0  # seconds between the deadline that a state waits for and the one of the record


@dataclass(frozen=True, slots=True)
class Engine:
    """The tasks of one run of one workflow class."""

    workflow: type[WorkflowClass]
    store: RunStore
    table: Table
    records: Records
    settings: Settings
    logger: StepLogger
    now: Callable[[], float] = time.time
    time_left: Callable[[], float] | None = None
    counts: Counts = field(default_factory=Counts)
    branches: Branches = field(init=False)
    hooks: Hooks = field(init=False)

    def __post_init__(self) -> None:
        """Share what the tasks have in common."""
        object.__setattr__(self, "branches", Branches(self.definition, self.records, self.settings, self.now))
        shared = (self.workflow, self.store, self.records, self.logger, self.counts, self.now, self.time_left)
        object.__setattr__(self, "hooks", Hooks(*shared))

    @property
    def definition(self) -> Definition:
        """What the class declares."""
        return self.workflow.__runstore_workflow__

    # ------------------------------------------------------------------ Begin

    def begin(self, event: Event) -> State:
        """Return the branches of an execution."""
        if event.child is None:
            self.counts["Runs"] += 1
        return self.branches.begin(event, self.table)

    # ------------------------------------------------------------------ Step

    def step(self, event: Event) -> State:
        """Run a step, unless it has an outcome already, and return what its branch does next."""
        step, generation, did = event.next["step"], event.generation, event.next["do"]
        run, outcome = self.records.run_and_outcome(step["id"])
        refusal = self._refusal(run, generation)
        if refusal is not None or run is None:
            name, message = (refusal.name, refusal.message) if refusal else ("", "")
            return event.answer(machine.fail(step, name, message, generation))
        step = machine.deduct_events(step, did, retries=event.retries)
        if outcome is not None:
            return event.answer(self.branches.after(step, outcome, run, generation))
        if delay := step.pop("delay", 0):  # a join counts it from the end of the last branch
            step["at"] = machine.timestamp(math.ceil(self.now() + delay))
            return event.answer(self.branches.go_on(step, run, generation))
        if "wait" in step:
            step, following = self._resume(step, event, run)
            if following is not None:
                return event.answer(following)
        return event.answer(self._run(step, run, generation))

    def _refusal(self, run: Run | None, generation: int) -> Failure | StepFailure | None:
        """Return why a step of this generation must not run any more; None if it may."""
        if run is None:
            return _ended("the run is over: its state has been deleted")
        if generation > run.generation and generation > run.ended:
            # Another step may have begun the generation meanwhile, and even failed in it: what it has written counts.
            return None if self.records.begin_generation(generation) else self._refusal(self.records.run(), generation)
        if generation < run.generation or generation <= run.ended:
            return _ended("the run's execution has been stopped, or has been redriven since")
        return run.failure

    def _run(self, step: State, run: Run, generation: int) -> State:
        """Run one attempt of a step and return what its branch does next."""
        began = step.get("began") or self.now()
        earlier = Failure(*step["error"]) if "error" in step else None
        attempt = Attempt(step["action"], step["attempt"], began, earlier)
        limits = Limits(self.settings.max_value_bytes, run.deadline)
        schedule = Schedule(
            self.definition,
            limits,
            self.now,
            lambda wait: proofs.event_token(run.secret, self.store.run_id, step["id"], wait),
        )
        if step["action"] not in self.definition.steps:
            message = f"{self.definition.name} has no step {step['action']!r} any more; another version was deployed"
            failure: Failure | None = Failure(InvalidActionError.__name__, message, permanent=True)
        else:
            store = StepStore(self.store, step["id"])
            api = StepApi(store, schedule, step_id=step["id"], attempt=step["attempt"], logger=self.logger)
            self.counts["Attempts"] += 1
            failure = run_step(
                self.workflow, step["action"], step_data(self.table, self.records, step["input"]), run.headers, api
            )
        if failure is not None:
            return self._failed_attempt(step | {"began": began}, failure, run, generation)
        ids = machine.scheduled_ids(step["id"], len(schedule.branches), joined=schedule.joined is not None)
        ids.append(machine.following_id(step["id"]))
        self.counts["Steps"] += 1
        outcome = self.records.record_success(step["id"], attempt, self.now(), schedule, ids)
        return self.branches.after(step, outcome, run, generation)

    # ------------------------------------------------------------------ failures

    def _failed_attempt(self, step: State, failure: Failure, run: Run, generation: int, *, attempts: int = -1) -> State:
        """Return another attempt, or what follows the last one. `attempts`: how many there were, if not this one's."""
        count_failure(self.counts, failure)
        options = self.definition.steps.get(step["action"])
        number = step["attempt"] if attempts < 0 else attempts
        attempt = Attempt(step["action"], number, step.get("began") or self.now(), failure)
        if options is not None and step["attempt"] < options.attempts and not failure.permanent and attempts < 0:
            pause = options.wait_after(step["attempt"])
            due = math.ceil(self.now() + pause) if pause else self.now()
            self.records.record_attempt(step["id"], attempt, self.now(), due)
            error = [failure.name, failure.message[:_MAX_REMEMBERED]]
            again = {
                "attempt": step["attempt"] + 1,
                "at": machine.timestamp(due),
                "began": attempt.began,
                "error": error,
            }
            return self.branches.go_on(step | again, run, generation)
        self.counts["StepFailures"] += 1
        if options is not None and options.on_failure is not None:
            outcome: Outcome | None = self.records.record_failure(step["id"], attempt, self.now(), options.on_failure)
        else:
            outcome = self.records.outcome(step["id"])  # another attempt may have ended well meanwhile
        if outcome is not None:
            return self.branches.after(step, outcome, run, generation)
        report = StepFailure(failure.name, failure.message, step["action"], step["id"], number)
        recorded = self.records.fail_run(report, generation)
        return machine.fail(step, recorded.name, recorded.message, generation)

    def failed(self, event: Event) -> State | Failure | StepFailure:
        """Return the failure that the task must raise, or what the branch does next.

        A redrive re-enters this task with the state of the failure, whose generation tells. The step that has failed is
        then given back in its first attempt, a child is started anew, and what is complete there is not run again.
        """
        branch, generation = event.next, event.generation
        step = branch.get("step") or None
        run, outcome = self.records.run_and_outcome(step["id"]) if step else (self.records.run(), None)
        if run is not None and run.failure is not None and run.generation >= generation:
            return self._fail(run.failure) if run.generation == generation else run.failure
        if branch.get("generation", 0) < generation:
            return event.answer(self._given_back(branch, event))
        reported = branch.get("error")  # by the step's own task, and not recorded: the run has ended otherwise
        failure = Failure(reported["name"], reported["message"]) if reported else caught_failure(event.error)
        if reported or run is None or run.generation > generation or run.ended >= generation:
            return failure
        if step is None:
            report = StepFailure(failure.name, failure.message, "", _started_step(branch["child"]), 0)
            return self._fail(self.records.fail_run(report, generation))
        step = machine.deduct_events(step, branch["do"], retries=event.retries, failed=True)
        if outcome is not None:  # its end was recorded, and only the answer was lost
            return event.answer(self.branches.after(step, outcome, run, generation))
        return self._caught(step, failure, event, run)

    def _caught(self, step: State, failure: Failure, event: Event, run: Run) -> State | StepFailure:
        """Deal with an attempt whose end Step Functions noticed."""
        attempts = step["attempt"] - 1 if event.not_started else -1
        following = self._failed_attempt(step, failure, run, event.generation, attempts=attempts)
        if following["do"] != "fail":
            return event.answer(following)
        failed = self.records.run()
        report = StepFailure(failure.name, failure.message, step["action"], step["id"], step["attempt"])
        return self._fail((failed and failed.failure) or report)

    def _fail(self, failure: StepFailure) -> StepFailure:
        self.hooks.failed(failure)
        return failure

    def _given_back(self, branch: State, event: Event) -> State:
        if branch.get("child"):
            return machine.start_child(branch["child"], event.generation)
        step = machine.deduct_events(branch["step"], branch["do"], retries=event.retries, failed=True)
        for name in ("began", "error"):
            step.pop(name, None)
        return machine.continue_branch(step | {"attempt": 1}, self.now(), event.generation)

    # ------------------------------------------------------------------ waits for events

    def listen(self, event: Event) -> State:
        """Register the task token of a state that waits; raise WaitEndedError when there is nothing to wait for."""
        wait, deadline = event.next["step"]["wait"], event.next["step"]["wait"]["deadline"]
        waits = self._waits(wait)
        waits.add_waiter(event.task_token, deadline)
        left = deadline - self.now()
        if left <= 0 or wait["seconds"] > left + _SLACK:  # a redrive, or a late start: the deadline stays
            raise WaitEndedError("the wait is over, or shorter than this state's")
        if waits.event() is not None or self._refusal(self.records.run(), event.generation) is not None:
            raise WaitEndedError("the event has come already, or the run has ended")
        return {}

    def _resume(self, step: State, event: Event, run: Run) -> tuple[State, State | None]:
        """Return a step with the event that it waited for, or what its branch does instead. The record decides."""
        wait, generation = step["wait"], event.generation
        waits = self._waits(wait)
        ended = waits.event()
        if ended is None and self.now() >= wait["deadline"]:
            ended = waits.time_out(self.now())
        if ended is None:
            if event.next["do"] == "listen" and event.listen_failed:
                return step, self._failed_attempt(step, caught_failure(event.error), run, generation)
            return step, self.branches.go_on(step, run, generation)
        step = machine.resumed(step)
        if not ended.timed_out:
            return step, None
        if wait["on_timeout"] is None:
            failure = Failure(EventTimeoutError.__name__, "no event came before the timeout", permanent=True)
            return step, self._failed_attempt(step, failure, run, generation, attempts=0)
        step["action"] = wait["on_timeout"]
        step["timeout"] = self.branches.options(step["action"]).timeout
        return step, self.branches.go_on(step, run, generation)

    def _waits(self, wait: State) -> WaitRecords:
        return WaitRecords(self.table, wait["of"], wait["name"])

    # ------------------------------------------------------------------ Hook

    def hook(self, _event: Event) -> State:
        """Run the completion hook, if no invocation has begun it before, and return its output."""
        return self.hooks.complete()


def _started_step(child: str) -> str:
    """Return the step that a child execution was started for, for a message."""
    started = json.loads(child.partition(".")[2])
    return str(started["fan"]["of"] if "fan" in started else started["chain"]["id"])


def _ended(message: str) -> Failure:
    return Failure(RunEndedError.__name__, message)
