"""Exactly once through the whole stack: processes are killed before and after any request, and the tasks retried."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local import Execution, LocalStack
from runstore import RunStore
from tests.e2e.deploying import bundle, machine, sample_workflow
from tests.e2e.killable import AFTER, BEFORE, KILLS
from tests.proofs import record

FASTER = 0.1
KILLABLE = {"ApplyOperations": "apply_operations", "CompleteRun": "complete_run"}
FRESH_TOKEN = "States.Format('{}#{}', $.index, $$.State.RetryCount)"  # another one in each attempt


@pytest.fixture(scope="module")
def package() -> bytes:
    """The functions' bundle, with those that die."""
    return bundle("killable", "sample_workflow")


@pytest.fixture(scope="module")
def kills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which each killed process has left a file that says when it died."""
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(scope="module")
def killable(package: bytes, kills: Path) -> Iterator[LocalStack]:
    """A stack whose functions that write are killed; its clock is fast, so that retries come soon."""
    with LocalStack.start(wait_scale=FASTER) as stack:
        functions = stack.client("lambda")
        for name, handler in KILLABLE.items():
            function = stack.outputs[f"{name}FunctionArn"]
            own = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
            functions.update_function_code(FunctionName=function, ZipFile=package)
            functions.update_function_configuration(
                FunctionName=function,
                Handler=f"killable.{handler}",
                Environment={"Variables": own | {KILLS: str(kills)}},
            )
        yield stack


def fan_out(stack: LocalStack, *, token: str | None = None) -> str:
    """Return the order example's definition, with up to 1,000 results in its output, and perhaps another token."""
    own = stack.client("stepfunctions").describe_state_machine(stateMachineArn=stack.outputs["OrderFanoutArn"])
    definition = json.loads(own["definition"])
    states = definition["States"]
    states["ReadResults"]["Parameters"]["Payload"]["limit"] = 1_000
    for state in states["LineItems"]["ItemProcessor"]["States"].values():
        if state["Type"] == "Task" and token is not None:
            state["Parameters"]["Payload"]["token.$"] = token
    return json.dumps(definition)


def order(branches: int, name: str, delay: int = 0) -> dict[str, Any]:
    """Return an order of so many line items."""
    items = [{"id": f"{name} {number}"} for number in range(branches)]
    return {"customer": {"id": name}, "line_items": items, "delaySeconds": delay}


def failures(stack: LocalStack, execution: Execution) -> Counter[str]:
    """Return the errors of an execution's failed attempts."""
    pages = stack.client("stepfunctions").get_paginator("get_execution_history")
    events = (event for page in pages.paginate(executionArn=execution.arn) for event in page["events"])
    return Counter(event["taskFailedEventDetails"]["error"] for event in events if event["type"] == "TaskFailed")


@pytest.mark.parametrize("branches", [30, pytest.param(150, marks=pytest.mark.prove)])
def test_branches_whose_processes_are_killed_count_once(killable: LocalStack, kills: Path, branches: int) -> None:
    """Results and counter of a fan-out are exact, whatever a killed process had already written; nothing is left."""
    before = len(list(kills.iterdir()))
    with machine(killable, "fan-out", fan_out(killable)) as deployed:
        execution = deployed.run(order(branches, f"{branches}"))
        failed = failures(killable, execution)
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.output["processedCount"] == branches
    assert sorted(result["id"] for result in execution.output["results"]) == sorted(
        item["id"] for item in order(branches, f"{branches}")["line_items"]
    )
    assert killable.items(execution.arn) == []
    killed = len(list(kills.iterdir())) - before
    assert failed == {"Runtime.ExitError": killed}
    assert killed > branches / 4
    assert {kill.read_text() for kill in kills.iterdir()} == {BEFORE, AFTER}
    record(branches_of_executions=branches, killed_function_processes=killed)


@pytest.mark.prove
def test_1000_branches_lose_nothing(stack: LocalStack) -> None:
    """A thousand branches push and count at the same time: all are there, in one execution, and nothing is left."""
    with machine(stack, "fan-out", fan_out(stack)) as deployed:
        execution = deployed.run(order(1_000, "thousand"))
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.output["processedCount"] == 1_000
    assert len({result["id"] for result in execution.output["results"]}) == 1_000
    assert len(execution.output["results"]) == 1_000
    assert stack.items(execution.arn) == []
    record(branches_of_executions=1_000)


@pytest.mark.prove
def test_with_fresh_tokens_the_same_deaths_count_twice(killable: LocalStack) -> None:
    """The negative control: processes do die after they have written, so that a retry under another token repeats."""
    with machine(killable, "fresh-tokens", fan_out(killable, token=FRESH_TOKEN)) as deployed:
        execution = deployed.run(order(30, "control"))
    assert execution.status == "SUCCEEDED", execution.cause
    assert len(execution.output["results"]) > 30
    assert len({result["id"] for result in execution.output["results"]}) == 30


def test_a_completion_that_is_killed_half_way_leaves_nothing(killable: LocalStack) -> None:
    """The completion state's process dies three times among its deletions; its retries delete the rest."""
    arn = killable.start_execution("OrderFanout", order(1, "completion", delay=int(5 / FASTER)))
    store = RunStore(arn, table_name=killable.table_name, client=killable.client("dynamodb"))
    for number in range(400):
        store.set(f"key {number}", number)
    execution = killable.wait(arn)
    assert execution.status == "SUCCEEDED", execution.cause
    assert failures(killable, execution)["Runtime.ExitError"] >= 3
    assert killable.items(arn) == []


def test_steps_whose_processes_are_killed_count_once(killable: LocalStack, package: bytes, kills: Path) -> None:
    """Every task of a workflow class is killed and tried again: its leaves count once, and the run completes."""
    before = len(list(kills.iterdir()))
    with sample_workflow(killable, "killable.sample_workflow", package, {KILLS: str(kills)}) as sample:
        execution = sample.run({"data": {"widths": [5, 5], "leaf": "count"}})
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.output["leaves"] == 25
    assert killable.items(execution.arn) == []
    killed = len(list(kills.iterdir())) - before
    assert killed > 10
    record(killed_function_processes=killed)
