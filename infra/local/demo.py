"""The main job in one command: the example workflow on a local stack, from an order to an empty table (`make demo`)."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra.local.cost import PRICES_OF, TRANSITION_PRICE, WRITE_PRICE, Usage
from infra.local.orders import DEFAULT_ORDER, OrderError, make_order, read_order
from infra.local.process import EXIT_INTERRUPTED, EXIT_USAGE, exit_on_signals
from infra.local.project import ROOT, LocalStackError
from infra.local.stack import Execution, LocalStack
from runstore import RunStore

# What starts each of the template's state machines that take an order.
WORKFLOWS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "OrderFanout": lambda order: order,
    "OrderWorkflow": lambda order: {"data": order, "headers": {}},
    "SendEmailWorkflow": lambda order: {"data": order, "headers": {}},
}
SHOWN_RESULTS: Final = 12
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
        return run(Report(Console()), options.workflow, order, source)
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
        "--workflow", choices=list(WORKFLOWS), default="OrderFanout", help="another of the example state machines"
    )
    return parser.parse_args(arguments)


def run(report: Report, workflow: str, order: dict[str, Any], source: str) -> int:
    """Deploy, run the workflow over the order, and show what became of it."""
    began = time.monotonic()
    with LocalStack.start() as stack:
        report.line("local stack", f"template.yaml on {stack.endpoint} in {time.monotonic() - began:.1f} s")
        report.line("", describe_resources(stack))
        mails = workflow == "SendEmailWorkflow"
        count = 0 if mails else len(order["line_items"])
        report.line("order", f"{source}: customer {order['customer']['id']}, {len(order['line_items'])} line items")
        report.line("workflow", workflow)
        report.gap()
        began = time.monotonic()
        arn = stack.start_execution(workflow, WORKFLOWS[workflow](order))
        execution = stack.wait(arn) if mails else follow(report.console, stack, arn, count)
        took = time.monotonic() - began
        if execution.status != "SUCCEEDED":
            report.line("failed", f"{execution.status}: {execution.error}: {execution.cause}")
            return 1
        report.gap()
        if mails:
            report.line("sent to", ", ".join(map(str, execution.output["sentTo"])))
        else:
            show_state(report, execution.output, count)
        report.gap()
        report.line("took", f"{took:.1f} s, {10 if mails else order['delaySeconds']} s of it every branch's delay")
        show_cost(report, Usage.of(stack.requests()))
        left = len(stack.items(execution.arn))
        report.line("left behind", f"{left} items of the run in the table")
        return 1 if left else 0


def describe_resources(stack: LocalStack) -> str:
    """Return what was deployed, counted."""
    pages = stack.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack.name)
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


def show_state(report: Report, state: dict[str, Any], branches: int) -> None:
    """Print the final state of the run: what the workflow read back before it completed."""
    report.line("customer", str(state["customerId"]))
    report.line("count", f"{state['processedCount']} of {branches} processed")
    for number, result in enumerate(state["results"][:SHOWN_RESULTS], 1):
        report.line("results" if number == 1 else "", f"{number:>2}  {json.dumps(result, ensure_ascii=False)}")
    more = len(state["results"]) - SHOWN_RESULTS
    if more > 0:
        report.line("", f"    and {more} more, in the order in which they were pushed")


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
