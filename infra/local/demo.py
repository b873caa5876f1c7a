"""The main job in one command: the example workflow on a local stack, from an order to an empty table (`make demo`)."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra.local.cost import PRICES_OF, TRANSITION_PRICE, WRITE_PRICE, Usage
from infra.local.examples import EXAMPLES
from infra.local.orders import DEFAULT_ORDER, OrderError, make_order, read_order
from infra.local.process import EXIT_INTERRUPTED, EXIT_USAGE, exit_on_signals
from infra.local.project import ROOT, LocalStackError
from infra.local.stack import Execution, LocalStack
from runstore import RunStore
from runstore_inspector.problems import InspectorError
from runstore_inspector.starting import StartedPage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.local.examples import Line

POLL_SECONDS: Final = 0.25


class Report:
    """What the demo prints: a label, then what there is to say."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def line(self, label: str, text: str) -> None:
        """Print one line."""
        self.console.print(f"[bold]{label:<13}[/bold]", end="", highlight=False)
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def gap(self) -> None:
        """Print an empty line."""
        self.console.print()


def main(arguments: list[str] | None = None) -> int:
    """Run the demo and return its exit code: 0 done, 1 the workflow or the stack failed, 2 the order is at fault."""
    options = parse(arguments)
    exit_on_signals()
    try:
        if options.items is not None:
            order, source = make_order(options.items), "made up"
        else:
            order, source = read_order(options.order), shown_path(options.order)
        return run(Report(Console()), options, order, source)
    except OrderError as error:
        print(f"demo: {error}", file=sys.stderr)
        return EXIT_USAGE
    except LocalStackError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return EXIT_INTERRUPTED


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.demo", description=__doc__)
    given = parser.add_mutually_exclusive_group()
    given.add_argument("--order", type=Path, default=DEFAULT_ORDER, metavar="FILE", help="an order as JSON")
    given.add_argument("--items", type=int, metavar="N", help="make an order with so many line items instead")
    parser.add_argument(
        "--workflow",
        type=state_machine,
        choices=list(EXAMPLES),
        default="OrderFanout",
        help="another of the example state machines; a name such as order_workflow is accepted too",
    )
    parser.add_argument("--keep", action="store_true", help="leave the stack and the inspector up until Enter")
    return parser.parse_args(arguments)


def state_machine(name: str) -> str:
    """Return the state machine's name in the template for it, or for the name of its file in functions/."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def run(report: Report, options: argparse.Namespace, order: dict[str, Any], source: str) -> int:
    """Deploy, run the workflow over the order, and show what became of it."""
    began = time.monotonic()
    name, example = options.workflow, EXAMPLES[options.workflow]
    with LocalStack.start() as stack, contextlib.ExitStack() as until_the_end:
        if f"{name}Arn" not in stack.outputs:
            raise LocalStackError(f"WORKFLOW must be one of the template's state machines; got {name}")
        report.line("local stack", f"template.yaml on {stack.endpoint} in {time.monotonic() - began:.1f} s")
        report.line("", describe_resources(stack))
        for warning in stack.warnings():
            report.line("warning", warning)
        report.line("input", example.given(order, source))
        report.line("workflow", name)
        arn = stack.start_execution(name, example.document(order))
        if options.keep:
            page = until_the_end.enter_context(inspector_page(stack))
            report.line("inspector", f"{page.url}runs/{quote(arn, safe='')}")
        report.gap()
        began = time.monotonic()
        if example.event:
            report.line("event", example.event(stack, arn))
        execution = follow(report.console, stack, arn, example.branches(order)) if example.branches else stack.wait(arn)
        delay = example.delay(order)
        took = f"{time.monotonic() - began:.1f} s" + (f", {delay} s of it every branch's delay" if delay else "")
        code = show_end(report, stack, execution, example.result(execution.output or {}, order), took)
        if options.keep:
            wait_for_enter(report)
        return code


def show_end(report: Report, stack: LocalStack, execution: Execution, lines: Iterable[Line], took: str) -> int:
    """Print what the run came to, and return the exit code."""
    if execution.status != "SUCCEEDED":
        report.line("failed", f"{execution.status}: {execution.error}: {execution.cause}")
        return 1
    report.gap()
    for label, text in lines:
        report.line(label, text)
    report.gap()
    report.line("took", took)
    show_cost(report, Usage.of(stack.requests()))
    left = len(stack.items(execution.arn))
    report.line("left behind", f"{left} items of the run in the table")
    return 1 if left else 0


def inspector_page(stack: LocalStack) -> StartedPage:
    """Start the page that shows runs in the browser."""
    try:
        return StartedPage(environment={**stack.environment(), **stack.names()})
    except InspectorError as error:
        raise LocalStackError(str(error)) from error


def wait_for_enter(report: Report) -> None:
    """Keep the stack and the page up until Enter is pressed, or standard input ends."""
    report.gap()
    report.line("", "The stack and the inspector stay up. Press Enter to stop them.")
    sys.stdin.readline()


def describe_resources(stack: LocalStack) -> str:
    """Return what was deployed, counted, nested stacks included."""
    cloudformation = stack.client("cloudformation")
    stacks = [each["StackName"] for each in cloudformation.describe_stacks()["Stacks"]]
    pager = cloudformation.get_paginator("list_stack_resources")
    pages = [page for name in stacks for page in pager.paginate(StackName=name)]
    kinds = [resource["ResourceType"] for page in pages for resource in page["StackResourceSummaries"]]
    counted = {
        "table": kinds.count("AWS::DynamoDB::Table"),
        "functions": kinds.count("AWS::Lambda::Function"),
        "layer": kinds.count("AWS::Lambda::LayerVersion"),
        "state machines": kinds.count("AWS::StepFunctions::StateMachine"),
        "event rule": kinds.count("AWS::Events::Rule"),
    }
    return ", ".join(f"{number} {kind}" for kind, number in counted.items())


def follow(console: Console, stack: LocalStack, execution_arn: str, branches: int) -> Execution:
    """Draw the progress over the branches, as the run's own counter tells it, until the execution has ended."""
    store = RunStore(execution_arn, table_name=stack.table_name, client=stack.client("dynamodb"))
    bar = BarColumn(bar_width=40)
    columns = (TextColumn("[bold]branches    [/bold]"), bar, MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("branches", total=branches)
        done = 0
        while not (execution := stack.describe(execution_arn)).has_ended:
            counted = store.get("processedCount")
            done = counted if isinstance(counted, int) else done  # absent at first, and once the run is complete
            progress.update(task, completed=done)
            time.sleep(POLL_SECONDS)
        if execution.status == "SUCCEEDED":
            progress.update(task, completed=execution.output["processedCount"])
    return execution


def show_cost(report: Report, usage: Usage) -> None:
    """Print what the functions asked of DynamoDB, and its price on AWS."""
    operations = ", ".join(f"{number} {operation}" for operation, number in sorted(usage.operations.items()))
    report.line("DynamoDB", f"{usage.requests} requests: {operations}")
    units = f"{usage.write_units:g} write and {usage.read_units:g} read units"
    report.line("", f"{units}, as counted here: about {usage.dollars:.6f} USD on AWS ({PRICES_OF})")
    price = f"{TRANSITION_PRICE:g} USD a million that an execution enters"
    report.line("states", f"not in that price: {price}, each as much as {TRANSITION_PRICE / WRITE_PRICE:g} write units")


def shown_path(path: Path) -> str:
    """Return a path as short as it can be said."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
