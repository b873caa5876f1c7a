"""Runs as Step Functions knows them: the stack's state machines, their executions, and a run by its name."""

from __future__ import annotations

import difflib
import heapq
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runstore import clock
from runstore.model.identifiers import check_run_id
from runstore_inspector import reading
from runstore_inspector.problems import AWS_FAILURES, InspectorError, NotFoundError, UsageError, explain, one_line
from runstore_inspector.stacks import with_nested

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runstore_inspector.connection import Connection
    from runstore_inspector.stacks import Stack

STATUSES = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE")
CHILD_PREFIX = "runstore-child-"  # executions that the workflow engine starts itself: parts of a run, no runs
MAX_SEARCHED = 2_000  # executions of a machine that are searched by a part of their name
_NEAR, _NEAR_AMONG = 5, 300
_FIRST_PAGE, _PAGE = 100, 1_000
_UNKNOWN = {"ExecutionDoesNotExist", "InvalidArn", "StateMachineDoesNotExist", "ValidationException"}
_NOT_LISTED = {"StateMachineTypeNotSupported"}  # Express executions
_GONE = {"StateMachineDoesNotExist"}


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution: `started` and `stopped` in epoch seconds."""

    arn: str
    name: str
    machine_arn: str
    status: str
    started: float
    stopped: float | None = None
    error: str | None = None
    cause: str | None = None
    redrives: int = 0

    @property
    def machine(self) -> str:
        """The state machine's name."""
        return self.machine_arn.rpartition(":")[2]

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.status == "RUNNING"

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return (clock.now() if self.stopped is None else self.stopped) - self.started


@dataclass(frozen=True, slots=True)
class Machines:
    """The state machines whose executions are listed, and where they were found, in words."""

    arns: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run that was asked for: its id, its execution if there is one, and why that could not be looked up."""

    id: str
    execution: Execution | None = None
    unasked: str | None = None

    @property
    def name(self) -> str:
        """Its short name: the execution's, else the id."""
        return self.execution.name if self.execution else name_of(self.id)


def name_of(run_id: str) -> str:
    """Return the execution's name in an ARN; of any other run id, the id."""
    return run_id.split(":", 7)[7] if is_execution_arn(run_id) else run_id


def is_execution_arn(run_id: str) -> bool:
    """Return whether a run id is the ARN of a Standard execution."""
    parts = run_id.split(":", 7)
    return len(parts) == 8 and parts[0] == "arn" and parts[2] == "states" and parts[5] == "execution"  # noqa: PLR2004


def machine_of(execution_arn: str) -> str:
    """Return the ARN of an execution's state machine."""
    *first, kind, machine, _ = execution_arn.split(":", 7)
    return ":".join((*first, kind.replace("execution", "stateMachine"), machine))


# ---------------------------------------------------------------------------------------------- machines


def machines(connection: Connection, named: Iterable[str] = ()) -> Machines:
    """Return the machines named, else those of the table's stack, else the account's Standard ones."""
    if arns := tuple(named):
        if wrong := [arn for arn in arns if ":stateMachine:" not in arn]:
            raise UsageError(f"--machine must be the ARN of a state machine; got {one_line(wrong[0])}")
        return Machines(arns, "named")
    if connection.stack is not None:
        return Machines(_of_stacks(connection.stacks()), f"of the stack {connection.stack}")
    try:
        arns = _of_stacks(_stacks_of_table(connection))
    except AWS_FAILURES:  # the table belongs to no stack, or CloudFormation may not be asked
        arns = ()
    if arns:
        return Machines(arns, "of the table's stack")
    pages = connection.stepfunctions.get_paginator("list_state_machines").paginate()
    found = (machine for page in pages for machine in page["stateMachines"] if machine.get("type") != "EXPRESS")
    return Machines(tuple(machine["stateMachineArn"] for machine in islice(found, _PAGE)), "of this account and region")


def _of_stacks(stacks: Iterable[Stack]) -> tuple[str, ...]:
    """Return the state machines of stacks, and those that the stacks were told of."""
    found = [(stack.machines, stack.parameters.get("StateMachineArns", "").split(",")) for stack in stacks]
    return tuple([arn for own, _ in found for arn in own] + [arn for _, told in found for arn in told if arn])


def _stacks_of_table(connection: Connection) -> Iterator[Stack]:
    """Yield the stack that the table belongs to, and those nested in it."""
    table = connection.table.rpartition("/")[2]
    first, *_ = connection.cloudformation.describe_stack_resources(PhysicalResourceId=table)["StackResources"]
    return with_nested(connection.cloudformation, first.get("StackId") or first["StackName"])


# ---------------------------------------------------------------------------------------------- executions


def newest(
    connection: Connection, found: Machines, *, status: str | None = None, name: str = "", before: float | None = None
) -> Iterator[Execution]:
    """Yield the runs of the machines, the newest first: those with a status, with a part of a name, older ones.

    Children that the workflow engine has started are left out. A name is searched in the newest 2,000 executions of a
    machine.
    """
    passed_over = _NOT_LISTED | _GONE if len(found.arns) > 1 else _NOT_LISTED
    iterators = [_of_machine(connection, arn, status, passed_over) for arn in found.arns]
    if name:
        iterators = [islice(each, MAX_SEARCHED) for each in iterators]
    with ThreadPoolExecutor(8, "runstore-machines") as workers:  # the first page of each at the same time
        firsts = list(workers.map(lambda each: next(each, None), iterators))
    merged = heapq.merge(
        *(_after(first, rest) for first, rest in zip(firsts, iterators, strict=True)), key=lambda run: -run.started
    )
    wanted = name.casefold()
    for run in merged:
        if run.name.startswith(CHILD_PREFIX) or (before is not None and run.started >= before):
            continue
        if not wanted or wanted in run.name.casefold() or wanted in run.arn.casefold():
            yield run


def _after(first: Execution | None, rest: Iterator[Execution]) -> Iterator[Execution]:
    if first is not None:
        yield first
        yield from rest


def _of_machine(connection: Connection, arn: str, status: str | None, passed_over: set[str]) -> Iterator[Execution]:
    request: dict[str, Any] = {"stateMachineArn": arn, "maxResults": _FIRST_PAGE}
    if status:
        request["statusFilter"] = status
    while True:
        try:
            answer: Any = connection.stepfunctions.list_executions(**request)
        except ClientError as error:
            if error.response["Error"].get("Code") in passed_over:
                return
            raise
        for each in answer["executions"]:
            yield _execution(each)
        if not answer.get("nextToken"):
            return
        request |= {"nextToken": answer["nextToken"], "maxResults": _PAGE}


def describe(connection: Connection, arn: str) -> Execution | None:
    """Return an execution; None when there is none of that ARN."""
    try:
        return _execution(connection.stepfunctions.describe_execution(executionArn=arn))
    except ClientError as error:
        if error.response["Error"].get("Code") in _UNKNOWN:
            return None
        raise


def _execution(wire: Any) -> Execution:
    return Execution(
        wire["executionArn"],
        wire.get("name") or name_of(wire["executionArn"]),
        wire["stateMachineArn"],
        wire["status"],
        _seconds(wire["startDate"]) or 0.0,
        _seconds(wire.get("stopDate")),
        wire.get("error"),
        wire.get("cause"),
        wire.get("redriveCount") or 0,
    )


def _seconds(moment: datetime | float | None) -> float | None:
    return moment.astimezone(UTC).timestamp() if isinstance(moment, datetime) else moment


# ---------------------------------------------------------------------------------------------- one run


def find(connection: Connection, run: str, *, named: Iterable[str] = ()) -> Run:
    """Return the run with this ARN, id or execution name.

    Where Step Functions may not be asked, the table alone decides.

    Raises:
        NotFoundError: The run is neither in the table nor in Step Functions; the message names near ones.
        UsageError: Several executions have the name.
    """
    found = look_up(connection, run, named=named)
    if found is not None:
        return found
    raise _unknown(connection, run, named)


def look_up(connection: Connection, run: str, *, named: Iterable[str] = ()) -> Run | None:
    """Return what `find` returns, None for an unknown run."""
    in_table = reading.holds_anything(connection, check_run_id(run))
    if is_execution_arn(run):
        execution, why = _ask(lambda: describe(connection, run))
        return Run(run, execution, why) if in_table or execution else None
    if in_table:
        return Run(run)
    candidates, why = _ask(lambda: _named(connection, run, named))
    if not candidates:
        return None
    if len(candidates) > 1:
        arns = ", ".join(each.arn for each in candidates)
        raise UsageError(f"{len(candidates)} executions have the name {run}: pass the ARN of one: {arns}")
    return Run(candidates[0].arn, candidates[0], why)


def _named(connection: Connection, name: str, named: Iterable[str]) -> list[Execution]:
    arns = machines(connection, named).arns
    with ThreadPoolExecutor(8, "runstore-names") as workers:
        found = workers.map(
            lambda arn: describe(connection, f"{arn.replace(':stateMachine:', ':execution:', 1)}:{name}"), arns
        )
        return [each for each in found if each is not None]


def _ask(question: Any) -> tuple[Any, str | None]:
    """Return Step Functions' answer; where it may not be asked or does not answer, None and why."""
    try:
        return question(), None
    except (*AWS_FAILURES, InspectorError) as error:
        return None, str(explain(error))


def _unknown(connection: Connection, run: str, named: Iterable[str]) -> NotFoundError:
    shown = one_line(run)
    what = f"no run {shown}: the table {connection.table} holds nothing of it"
    names, why = _ask(lambda: near(connection, run, named))
    if why is not None:
        return NotFoundError(f"{what}, and Step Functions could not be asked ({why})")
    what += ", and no execution has that name"
    return NotFoundError(what if names else f"{what}. List runs with: runstore runs", names)


def near(connection: Connection, run: str, named: Iterable[str] = ()) -> list[str]:
    """Return names of runs that look like `run`, the nearest first."""
    wanted = name_of(run).casefold()
    names = [each.name for each in islice(newest(connection, machines(connection, named)), _NEAR_AMONG)]
    by_fold = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(wanted, by_fold, _NEAR, 0.6)
    inside = [fold for fold in by_fold if wanted and (wanted in fold or fold in wanted) and fold not in close]
    return [by_fold[fold] for fold in (*close, *inside)][:_NEAR]


def console_link(execution_arn: str) -> str:
    """Return the address of an execution in the AWS console."""
    region = execution_arn.split(":")[3]
    host = f"{region}.console.aws.amazon.com"
    if region.startswith("cn-"):
        host = f"{region}.console.amazonaws.cn"
    elif region.startswith("us-gov-"):
        host = "console.amazonaws-us-gov.com"
    return f"https://{host}/states/home?region={region}#/v2/executions/details/{execution_arn}"
