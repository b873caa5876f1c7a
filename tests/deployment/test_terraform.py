"""The Terraform module: the same stack as the SAM template, deployed for real to the local stack."""

import json
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest

from infra import package
from infra.local.server import ACCESS_KEY, Server
from runstore import RunStore
from tests.deployment import guardrails, sam_parts, terraform
from tests.deployment.definition import ACCOUNT, REGION, Definition
from tests.deployment.guardrails import BOUNDARY, KEY, TOPIC
from tests.deployment.pythons import MissingToolError
from tests.deployment.terraform_parts import Module, with_tokens

pytestmark = pytest.mark.terraform

NAME = "parity"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:mine"
RUN_SECONDS = 120

PREFIXES = [f"arn:aws:states:{REGION}:{ACCOUNT}:execution:orders-", "batch-"]
GUARDRAILS: tuple[dict[str, str], dict[str, Any]] = (
    {
        "MaxReadUnits": "3000",
        "MaxWriteUnits": "1000",
        "RetirementRulePrefix": "mine-",
        "RunIdPrefixes": ",".join(PREFIXES),
        "PermissionsBoundaryArn": BOUNDARY,
        "SubnetIds": "subnet-0a1b,subnet-2c3d",
        "SecurityGroupIds": "sg-0a1b",
        "LogKmsKeyArn": KEY,
        "QueueKmsKeyArn": KEY,
        "RetireRunConcurrency": "5",
    },
    {
        "max_read_units": 3000,
        "max_write_units": 1000,
        "retirement_rule_prefix": "mine-",
        "run_id_prefixes": PREFIXES,
        "permissions_boundary_arn": BOUNDARY,
        "subnet_ids": ["subnet-0a1b", "subnet-2c3d"],
        "security_group_ids": ["sg-0a1b"],
        "log_kms_key_arn": KEY,
        "queue_kms_key_arn": KEY,
        "retire_run_concurrency": 5,
        "tags": {"team": "orders"},
    },
)

VARIANTS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "as it comes": ({}, {}),
    "everything on": (
        {
            "MaxValueBytes": "1000",
            "TtlDays": "400",
            "FailedRetentionDays": "0",
            "PointInTimeRecovery": "true",
            "DeletionProtection": "true",
            "KmsKeyArn": KEY,
            "DynamoDBEndpointUrl": "https://dynamodb-fips.us-east-1.amazonaws.com",
            "StateMachineArns": MACHINE,
            "PythonRuntime": "python3.12",
            "Architecture": "x86_64",
            "MemorySize": "512",
            "CompletionMemorySize": "2048",
            "LogRetentionDays": "7",
            "LogLevel": "DEBUG",
            "StateMachineLogLevel": "ERROR",
            "Tracing": "Active",
            "ServiceName": "mine",
            "MetricsNamespace": "Mine",
            "Alarms": "true",
            "AlarmTopicArn": TOPIC,
            "Dashboard": "true",
            **GUARDRAILS[0],
        },
        {
            "max_value_bytes": 1000,
            "ttl_days": 400,
            "failed_retention_days": 0,
            "point_in_time_recovery": True,
            "deletion_protection": True,
            "kms_key_arn": KEY,
            "dynamodb_endpoint_url": "https://dynamodb-fips.us-east-1.amazonaws.com",
            "state_machine_arns": [MACHINE],
            "python_runtime": "python3.12",
            "architecture": "x86_64",
            "memory_size": 512,
            "completion_memory_size": 2048,
            "log_retention_days": 7,
            "log_level": "DEBUG",
            "state_machine_log_level": "ERROR",
            "tracing": "Active",
            "service_name": "mine",
            "metrics_namespace": "Mine",
            "alarms": True,
            "alarm_topic_arn": TOPIC,
            "dashboard": True,
            **GUARDRAILS[1],
        },
    ),
    "own machines alone": (
        {"ExampleStateMachines": "false", "StateMachineArns": MACHINE},
        {"example_state_machines": False, "state_machine_arns": [MACHINE]},
    ),
    "nothing watched": ({"ExampleStateMachines": "false"}, {"example_state_machines": False}),
    "snap start": ({"SnapStartRelease": "1"}, {"snap_start": True}),
}
# ARNs that do not exist before the module is applied, and what names them.
UNKNOWN = {"snap start": frozenset({"roles", "state machines"}), "everything on": frozenset({"state machines"})}


class Deployed(NamedTuple):
    """The module as it comes, deployed to ministack."""

    module: terraform.Terraform
    endpoint: str

    def client(self, service: str) -> Any:
        """Return a boto3 client of the ministack."""
        return client_of(self.endpoint)(service)


def client_of(endpoint: str) -> Callable[[str], Any]:
    """Return what makes boto3 clients of a ministack."""
    session = boto3.Session(ACCESS_KEY, ACCESS_KEY, region_name=REGION)
    return partial(session.client, endpoint_url=endpoint)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what `make build` makes."""
    folder = tmp_path_factory.mktemp("dist")
    package.main(folder)
    return folder


def archives_in(folder: Path) -> tuple[Path, Path]:
    """Return the archives that the module deploys."""
    return folder / "functions.zip", folder / "layer.zip"


@pytest.fixture(scope="module")
def deployed(archives: Path) -> Iterator[Deployed]:
    """The module, applied once to a ministack of its own."""
    server = Server(wait_scale=0)
    try:
        with terraform.deployed_to(server.endpoint, *archives_in(archives)) as module:
            module.apply(name=NAME)
            yield Deployed(module, server.endpoint)
    except MissingToolError as missing:
        pytest.skip(str(missing))
    finally:
        server.stop()


def test_a_second_plan_changes_nothing(deployed: Deployed) -> None:
    """What was deployed is what the module says: no drift."""
    assert deployed.module.changes(name=NAME) is None


@pytest.mark.parametrize("variant", VARIANTS)
def test_terraform_deploys_what_sam_deploys(deployed: Deployed, variant: str) -> None:
    """Resource by resource: settings, environment, permissions, definitions, alarms are those of the template."""
    parameters, variables = VARIANTS[variant]
    theirs = with_tokens(sam_parts.parts(Definition(NAME, parameters)), NAME)
    resources = deployed.module.resources(name=NAME, **variables)
    ours = json.loads(json.dumps(Module(resources, NAME).parts(UNKNOWN.get(variant, frozenset()))))
    assert ours.keys() == theirs.keys()
    for part in ours.keys() - UNKNOWN.get(variant, frozenset()):
        assert ours[part] == theirs[part], part


def test_the_example_workflow_runs_on_what_terraform_deployed(deployed: Deployed) -> None:
    """An order is fanned out, collected and counted, read back, and nothing is left."""
    outputs = deployed.module.outputs()
    steps = deployed.client("stepfunctions")
    order = {"customer": {"id": "C-1"}, "line_items": [{"id": number} for number in range(5)], "delaySeconds": 0}
    started = steps.start_execution(
        stateMachineArn=outputs["state_machine_arns"]["order_fanout"], input=json.dumps(order)
    )["executionArn"]
    deadline = time.monotonic() + RUN_SECONDS
    while (run := steps.describe_execution(executionArn=started))["status"] == "RUNNING":
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.2)  # between two looks at a run
    assert run["status"] == "SUCCEEDED", run
    output = json.loads(run["output"])
    assert (output["customerId"], output["processedCount"], len(output["results"])) == ("C-1", 5, 5)
    store = RunStore(started, table_name=outputs["table_name"], client=deployed.client("dynamodb"))
    assert store.snapshot() == {}


WRONG: dict[str, tuple[Any, str]] = {
    "max_value_bytes": (350_001, "max_value_bytes must be a whole number from 1 to 350,000"),
    "ttl_days": (0, "ttl_days must be a whole number from 1 to 3,660"),
    "state_machine_arns": ([f"{MACHINE}:live"], "without wildcards, version or alias"),
    "dynamodb_endpoint_url": ("http://dynamodb.example", "or an http URL of this machine"),
    "run_id_prefixes": (["orders-*"], "without wildcards"),
    "subnet_ids": (["10.0.0.0/24"], "subnet_ids must be ids of subnets"),
    "retire_run_concurrency": (0, "null or a whole number of at least 1"),
    "kms_key_arn": ("alias/mine", "kms_key_arn must be null or the ARN of a KMS key"),
    "log_retention_days": (2, "log_retention_days must be one of the periods"),
}


def test_wrong_variables_are_refused(deployed: Deployed) -> None:
    """A plan says which variables are wrong and what they take, before anything is deployed."""
    variables = {variable: value for variable, (value, _) in WRONG.items()}
    refusal = deployed.module.refusal(name=NAME, **variables)
    assert [reason for _, reason in WRONG.values() if reason not in refusal] == []


def test_snap_start_is_refused_for_a_python_without_it(deployed: Deployed) -> None:
    """What no single variable shows is refused as well."""
    refusal = deployed.module.refusal(name=NAME, snap_start=True, python_runtime="python3.11")
    assert "snap_start needs python_runtime python3.12 or later" in refusal


def test_subnets_without_security_groups_are_refused(deployed: Deployed) -> None:
    """Lambda would refuse them only after much else had been deployed."""
    refusal = deployed.module.refusal(name=NAME, subnet_ids=["subnet-1"])
    assert "security_group_ids and subnet_ids need each other" in refusal


def test_the_module_s_own_tests_pass(deployed: Deployed, tmp_path: Path) -> None:
    """`terraform test`, in the module's folder."""
    del deployed  # skips where there is no provider
    shutil.copytree(terraform.ROOT / "infra", tmp_path / "infra", ignore=shutil.ignore_patterns(".terraform*"))
    workflow = Path("functions", "runstore", "workflow")
    shutil.copytree(terraform.ROOT / workflow, tmp_path / workflow)
    assert "0 failed" in terraform.run_in(tmp_path / "infra" / "terraform", "test")


@pytest.mark.parametrize("example", ["minimal", "complete"])
def test_an_example_is_valid(deployed: Deployed, tmp_path: Path, example: str) -> None:
    """Its configuration fits the module."""
    del deployed
    shutil.copytree(terraform.ROOT / "infra", tmp_path / "infra", ignore=shutil.ignore_patterns(".terraform*"))
    folder = tmp_path / "infra" / "terraform" / "examples" / example
    (tmp_path / "dist").mkdir()
    for archive in ("functions.zip", "layer.zip"):
        (tmp_path / "dist" / archive).touch()
    assert "The configuration is valid" in terraform.run_in(folder, "validate")


def test_a_released_module_can_be_sourced_by_an_absolute_path(
    deployed: Deployed, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It needs nothing that lies beside it: neither archives nor state machines."""
    del deployed
    folder, root = tmp_path_factory.mktemp("released"), tmp_path_factory.mktemp("root")
    package.main(folder)
    with zipfile.ZipFile(folder / "terraform-module.zip") as archive:
        archive.extractall(folder / "module")
    configuration = {"module": {"runstore": {"source": str(folder / "module")}}}
    (root / "main.tf.json").write_text(json.dumps(configuration), "utf-8")
    assert "The configuration is valid" in terraform.run_in(root, "validate")


def test_the_guardrails_are_deployed(archives: Path) -> None:
    """All of them, with alarms and dashboard, to a stack of its own: as the template deploys them."""
    server = Server()
    own = {"kms_key_arn": KEY, "alarms": True, "alarm_topic_arn": TOPIC, "dashboard": True}
    rules = {"retirement_rule_prefix": "orders-"}  # as in test_guardrails.py, which deploys the template
    try:
        client = client_of(server.endpoint)
        guardrails.make_boundary(client("iam"))
        with terraform.deployed_to(server.endpoint, *archives_in(archives)) as module:
            module.apply(name="guarded", **GUARDRAILS[1] | own | rules)
            outputs = module.outputs()
        found = guardrails.deployed(
            client,
            table_name=outputs["table_name"],
            retire_run=outputs["function_arns"]["retire_run"],
            queue_url=outputs["dead_letter_queue_url"],
        )
    except MissingToolError as missing:
        pytest.skip(str(missing))
    finally:
        server.stop()
    assert found == guardrails.EXPECTED
