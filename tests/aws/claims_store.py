"""Claims about the store's promises: the contract suite, over each transport and through the deployed functions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from tests.aws.claims import Claim, RefutedError
from tests.aws.cost import Usage
from tests.aws.stacks import ROOT

if TYPE_CHECKING:
    from tests.aws.stacks import Deployment

FUNCTIONS: Final = (
    "get_value",
    "get_values",
    "set_value",
    "push_item",
    "increment_counter",
    "delete_key",
    "apply_operations",
    "complete_run",
)
CONTRACT: Final = "tests/aws/functions_contract.py"
MANY: Final = Usage(writes=40_000, reads=40_000)


def _pytest(deployment: Deployment, transport: str, *arguments: str) -> str:
    """Run tests on the deployed store, and return pytest's last line."""
    stack = deployment.stack
    names = {name: "".join(word.capitalize() for word in name.split("_")) for name in FUNCTIONS}
    target: dict[str, Any] = {
        "table": stack.table_name if transport == "functions" else _contract_table(deployment),
        "transport": transport,
        "known_as": "ministack" if deployment.is_local else "aws",
        "environment": {"AWS_REGION": _region(deployment), **stack.environment()},
        "functions": {name: stack.outputs[f"{camel}FunctionArn"] for name, camel in names.items()},
    }
    environment = os.environ | {"CONTRACT_TARGET": json.dumps(target)}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    *_, last = [line for line in done.stdout.splitlines() if re.search(r"\d+ (passed|failed|error)", line)] or [
        "nothing ran"
    ]
    if done.returncode:
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        raise RefutedError(f"{last}: {'; '.join(failed[:5]) or done.stdout[-500:]}")
    return last.strip("= ")


def _contract_table(deployment: Deployment) -> str:
    """Make a table for the contract, once: like the store's, but it never deletes what the tests let expire."""
    name, client = f"{deployment.name}-contract", deployment.stack.client("dynamodb")
    if name not in client.list_tables()["TableNames"]:
        like = client.describe_table(TableName=deployment.stack.table_name)["Table"]
        client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=like["AttributeDefinitions"],
            KeySchema=like["KeySchema"],
        )
        deployment.undo_later("the contract's table", lambda: client.delete_table(TableName=name))
        client.get_waiter("table_exists").wait(TableName=name)
    return name


def _region(deployment: Deployment) -> str:
    region: str = deployment.stack.client("dynamodb").meta.region_name
    return region


def _contract_boto3(deployment: Deployment) -> str:
    return _pytest(deployment, "boto3", "-p", "tests.aws.contract_plugin", "tests/contract")


def _contract_direct(deployment: Deployment) -> str:
    return _pytest(deployment, "direct", "-p", "tests.aws.contract_plugin", "tests/contract")


def _through_functions(deployment: Deployment) -> str:
    return _contract_of_functions(deployment)


def _contract_of_functions(deployment: Deployment) -> str:
    known = ["--deselect", f"{CONTRACT}::TestCounters::test_a_counter_is_exact_to_38_digits"]
    said = _pytest(deployment, "functions", CONTRACT, *(known if deployment.is_local else []))
    return f"{said}; without the counter of 38 digits, which the emulator rounds" if deployment.is_local else said


def _through_functions_boto3(deployment: Deployment) -> str:
    """Tell every function to use boto3 for as long as the tests run."""
    functions = deployment.stack.client("lambda")
    changed: list[tuple[str, dict[str, str]]] = []
    try:
        for name in FUNCTIONS:
            camel = "".join(word.capitalize() for word in name.split("_"))
            arn = deployment.stack.outputs[f"{camel}FunctionArn"]
            variables = functions.get_function_configuration(FunctionName=arn)["Environment"]["Variables"]
            changed.append((arn, variables))
            set_environment(functions, arn, variables | {"RUNSTORE_TRANSPORT": "boto3"})
        return _contract_of_functions(deployment)
    finally:
        for arn, variables in changed:
            set_environment(functions, arn, variables)


def set_environment(functions: Any, arn: str, variables: dict[str, str]) -> None:
    """Give a function other environment variables, and wait until it has them."""
    functions.update_function_configuration(FunctionName=arn, Environment={"Variables": variables})
    functions.get_waiter("function_updated_v2").wait(FunctionName=arn)


CLAIMS: Final = [
    Claim(
        "contract-boto3",
        "The store keeps its contract on the table, through boto3",
        _contract_boto3,
        MANY,
    ),
    Claim(
        "contract-direct",
        "The store keeps its contract on the table, through the direct transport",
        _contract_direct,
        MANY,
    ),
    Claim(
        "functions-direct",
        "The functions keep the contract, with the transport that they choose in Lambda",
        _through_functions,
        Usage(invocations=5_000, writes=5_000, reads=5_000),
    ),
    Claim(
        "functions-boto3",
        "The functions keep the contract with RUNSTORE_TRANSPORT=boto3",
        _through_functions_boto3,
        Usage(invocations=5_000, writes=5_000, reads=5_000),
        adopted="the functions' settings would have to be changed",
    ),
]
