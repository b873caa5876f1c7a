"""The stack under test: on AWS, deployed and removed here or already there; or the local stack."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from samtranslator.yaml_helper import yaml_parse

from infra.local import LocalStack
from infra.local.interpreters import OWN_RUNTIME
from infra.local.server import ACCOUNT, REGION, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT: Final = Path(__file__).parents[2]
SAM: Final = ROOT / ".venv-sam" / "bin" / "sam"
SAMPLES: Final = Path(__file__).parent / "samples.yaml"
ENDPOINT: Final = "AWS_ENDPOINT_URL"  # set for an emulator other than the local stack
PREFIX: Final = "runstore-test-"  # of every name that is made here, so that nothing else is ever removed


class DeploymentError(Exception):
    """A stack could not be deployed; the message is what `sam` said."""


class AwsStack(LocalStack):
    """A stack in an account, with the local stack's methods: those of boto3's default session reach it."""

    def __init__(self, region: str | None) -> None:
        self._session = boto3.Session(region_name=region)
        self._clients = {}
        self.outputs = {}

    @property
    def endpoint(self) -> str:
        """No endpoint: the region's own."""
        return ""

    def environment(self) -> dict[str, str]:
        """Return the environment variables that hand these credentials to another process."""
        credentials = self._session.get_credentials()
        if credentials is None or self._session.region_name is None:
            raise DeploymentError("test-aws needs credentials and a region, as the AWS CLI takes them")
        frozen = credentials.get_frozen_credentials()
        found = {
            "AWS_ACCESS_KEY_ID": frozen.access_key,
            "AWS_SECRET_ACCESS_KEY": frozen.secret_key,
            "AWS_SESSION_TOKEN": frozen.token,
            "AWS_DEFAULT_REGION": self._session.region_name,
            ENDPOINT: os.environ.get(ENDPOINT),
        }
        return {name: value for name, value in found.items() if value}

    def client(self, service: str) -> Any:
        """Return a boto3 client, made once per service."""
        if service not in self._clients:
            config = Config(read_timeout=900, retries={"mode": "standard", "total_max_attempts": 5})
            self._clients[service] = self._session.client(service, config=config)  # type: ignore[call-overload]  # any
        return self._clients[service]

    def stop(self) -> None:
        """Do nothing: a stack of AWS does not end with this process."""


class Deployment:
    """The store and the samples beside it, deployed for the claims, and everything to remove afterwards."""

    def __init__(self, stack: LocalStack, name: str, *, is_local: bool, store_name: str | None = None) -> None:
        self.stack, self.name, self.is_local = stack, name, is_local
        self.store_name = store_name or name
        self.samples: dict[str, str] = {}
        self._changed: set[str] = set()  # parameters that a claim has set
        self._undo: list[tuple[str, Callable[[], object]]] = []

    @property
    def is_emulated(self) -> bool:
        """Whether an emulator stands for AWS: the local stack, or another one."""
        return self.is_local or ENDPOINT in os.environ

    @property
    def arn_of_sample(self) -> str:
        """The ARN that the sample workflow's state machine has or will have."""
        account = ACCOUNT if self.is_local else self.stack.client("sts").get_caller_identity()["Account"]
        region = REGION if self.is_local else self.stack.client("sts").meta.region_name
        return f"arn:aws:states:{region}:{account}:stateMachine:{self.name}-sample"

    def parameters(self, **more: str) -> dict[str, str]:
        """Return the parameters of the store: what costs, or what a claim needs, is on."""
        return {
            "StateMachineArns": self.arn_of_sample,
            "LogRetentionDays": "1",
            "Tracing": "Active",
            "Alarms": "true" if self.is_local or not self.is_emulated else "false",  # ministack refuses some of them
            "MetricsNamespace": self.name,
            "PythonRuntime": OWN_RUNTIME,  # `sam build` needs the interpreter of the runtime, and this one is there
            **more,
        }

    def deploy_store(self, **more: str) -> None:
        """Deploy template.yaml, or update it: parameters that are not given go back to their defaults."""
        self.undo_later("the store's stack", lambda: self.remove_stack(self.name))
        template = ROOT / "template.yaml"
        declared = yaml_parse(template.read_text("utf-8"))["Parameters"]
        defaults = {name: str(declared[name]["Default"]) for name in self._changed}  # `sam deploy` keeps the last value
        self._changed |= more.keys()
        self.stack.outputs = self._sam(template, self.name, {**defaults, **self.parameters(**more)})

    def deploy_samples(self) -> None:
        """Deploy what the claims need beside the store."""
        outputs = self.stack.outputs
        given = {name: outputs[name] for name in ("TableName", "TableArn", "TtlDays", "LayerArn")}
        runtime = {"PythonRuntime": OWN_RUNTIME}
        self.undo_later("the samples' stack", lambda: self.remove_stack(f"{self.name}-samples"))
        self.samples = self._sam(SAMPLES, f"{self.name}-samples", {"Prefix": self.name, **given, **runtime})

    def undo_later(self, what: str, undo: Callable[[], object]) -> None:
        """Remember how to remove something, once."""
        if what not in [known for known, _ in self._undo]:
            self._undo.append((what, undo))

    def remove(self) -> list[str]:
        """Remove everything that was made, the last first; return what could not be removed, and why."""
        left = []
        for what, undo in reversed(self._undo):
            try:
                undo()
            except (ClientError, subprocess.CalledProcessError, DeploymentError) as error:
                left.append(f"{what}: {error}")
        self._undo.clear()
        return left

    def remove_stack(self, name: str) -> None:
        """Delete a stack, the versions of its layer and the logs of its functions, and wait for the end."""
        self._check_name(name)
        formation, functions, logs = (self.stack.client(each) for each in ("cloudformation", "lambda", "logs"))
        try:
            resources = formation.describe_stack_resources(StackName=name)["StackResources"]
        except ClientError as error:
            if "does not exist" in str(error):
                return  # interrupted before it was made
            raise
        layers = [
            each["PhysicalResourceId"] for each in resources if each["ResourceType"] == "AWS::Lambda::LayerVersion"
        ]
        formation.delete_stack(StackName=name)
        formation.get_waiter("stack_delete_complete").wait(
            StackName=name, WaiterConfig={"Delay": 5, "MaxAttempts": 240}
        )
        for arn in layers:
            layer, _, version = arn.rpartition(":")
            functions.delete_layer_version(LayerName=layer, VersionNumber=int(version))
        for group in logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{self.name}")["logGroups"]:
            logs.delete_log_group(logGroupName=group["logGroupName"])

    def _check_name(self, name: str) -> None:
        if not name.startswith(PREFIX):
            raise DeploymentError(f"only what begins with {PREFIX} is removed; got {name}")

    def _sam(self, template: Path, name: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """Build and deploy a template with SAM, as a user does; return the stack's outputs."""
        self._check_name(name)
        bucket = f"{self.name}-packages"
        storage = self.stack.client("s3")
        if bucket not in [each["Name"] for each in storage.list_buckets()["Buckets"]]:
            region = storage.meta.region_name
            place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            storage.create_bucket(Bucket=bucket, **place)
            self._undo.insert(0, ("the bucket of packages", lambda: self._remove_bucket(bucket)))
        built = ROOT / ".cache" / "test-aws" / name
        overrides = [f"{key}={value}" if value else f'{key}=""' for key, value in parameters.items()]
        self._run("build", "--template", str(template), "--build-dir", str(built), "--cached",
                  "--cache-dir", f"{built}-cache", "--parameter-overrides", *overrides)  # fmt: skip
        self._run("deploy", "--template", str(built / "template.yaml"), "--stack-name", name, "--s3-bucket", bucket,
                  "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-confirm-changeset",
                  "--no-fail-on-empty-changeset", "--no-progressbar", "--parameter-overrides", *overrides)  # fmt: skip
        return self.outputs_of(name)

    def outputs_of(self, name: str) -> dict[str, str]:
        """Return the outputs of a stack."""
        (stack,) = self.stack.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def _remove_bucket(self, bucket: str) -> None:
        storage = self.stack.client("s3")
        for page in storage.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for each in page.get("Contents", []):
                storage.delete_object(Bucket=bucket, Key=each["Key"])
        storage.delete_bucket(Bucket=bucket)

    def _run(self, *arguments: str) -> None:
        kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # `sam build` looks for the runtime's interpreter
        environment = kept | self.stack.environment() | {"PATH": path, "SAM_CLI_TELEMETRY": "0"}
        done = subprocess.run(
            [str(SAM), *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise DeploymentError(f"sam {arguments[0]} failed:\n{done.stdout[-2_000:]}\n{done.stderr[-2_000:]}")


def local_deployment(name: str) -> Deployment:
    """Start an empty local stack, to which everything is deployed as it is to AWS."""
    return Deployment(LocalStack(Server(), {}), name, is_local=True)


def adopt(store_name: str, name: str, region: str | None) -> Deployment:
    """Take a store that is there already, which is neither changed nor removed, and name the samples beside it."""
    deployment = Deployment(AwsStack(region), name, is_local=False, store_name=store_name)
    deployment.stack.outputs = deployment.outputs_of(store_name)
    return deployment
