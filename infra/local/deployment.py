"""Deploying template.yaml to the local stack: what `sam build`, `sam package` and `sam deploy` do for AWS.

The template is deployed as it is in the repository; as with `sam package`, only its local paths become S3 locations.
A folder of code goes up with the packages that its requirements.txt names, as `sam build` would install them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from botocore.exceptions import ClientError
from samtranslator.yaml_helper import yaml_parse

from infra.local.packages import installed
from infra.local.project import LocalStackError
from infra.package import zipped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudformation.type_defs import StackTypeDef
    from types_boto3_s3 import S3Client

STACK: Final = "runstore"
BUCKET: Final = "packages"
DEPLOY_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.05
NO_CHANGE: Final = "No updates are to be performed"


class Packager:
    """Uploads what a template names by local path."""

    def __init__(self, s3: S3Client, root: Path) -> None:
        self._s3 = s3
        self._root = root
        self._uploaded: dict[Path, str] = {}
        s3.create_bucket(Bucket=BUCKET)

    def package(self, template_path: Path) -> str:
        """Upload the template as JSON, its local paths replaced by S3 locations, and return its URL.

        Raises:
            LocalStackError: The template is not YAML, or a path in it leads nowhere.
        """
        try:
            return self._template(template_path)
        except OSError as error:
            raise LocalStackError(f"{template_path} names {error.filename}: {error.strerror}") from error

    def _template(self, path: Path) -> str:
        """Upload a template and what it names, its nested stacks included; their paths start at their own folder."""
        try:
            template = yaml_parse(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise LocalStackError(f"{path} is not YAML: {error}") from error
        folder = path.parent
        functions = template.get("Globals", {}).get("Function", {})
        if "CodeUri" in functions:
            functions["CodeUri"] = self._folder(folder / functions["CodeUri"])
        for name, resource in template["Resources"].items():
            self._resource(name, resource, folder)
        self._includes(template["Resources"], folder)
        # By URL, as `sam deploy` does: a request holds a template of 51,200 bytes at the most.
        key = self._upload(f"{path.stem}.template", json.dumps(template).encode())
        return f"{self._s3.meta.endpoint_url}/{BUCKET}/{key}"

    def _resource(self, name: str, resource: dict[str, Any], folder: Path) -> None:
        properties = resource.get("Properties", {})
        if "CodeUri" in properties:
            properties["CodeUri"] = self._folder(folder / properties["CodeUri"])
        if isinstance(properties.get("Code"), str):
            properties["Code"] = _bucket_and_key(self._folder(folder / properties["Code"]), "S3Bucket", "S3Key")
        if "DefinitionUri" in properties:
            properties["DefinitionUri"] = self._file(folder / properties["DefinitionUri"])
        if isinstance(properties.get("DefinitionS3Location"), str):
            definition = self._file(folder / properties["DefinitionS3Location"])
            properties["DefinitionS3Location"] = _bucket_and_key(definition, "Bucket", "Key")
        if "ContentUri" in properties:
            properties["ContentUri"] = self._layer(name, folder / properties["ContentUri"], resource["Metadata"])
        if "TemplateURL" in properties:
            properties["TemplateURL"] = self._template(folder / properties["TemplateURL"])

    def _includes(self, node: Any, folder: Path) -> None:
        """Upload the snippets that AWS::Include names, anywhere below `node`."""
        if isinstance(node, list):
            for each in node:
                self._includes(each, folder)
        elif isinstance(node, dict):
            transform = node.get("Fn::Transform", {})
            if transform.get("Name") == "AWS::Include":
                transform["Parameters"]["Location"] = self._file(folder / transform["Parameters"]["Location"])
            for each in node.values():
                self._includes(each, folder)

    def _folder(self, path: Path) -> str:
        return self._once(path, lambda: bundled(path))

    def _file(self, path: Path) -> str:
        return self._once(path, path.read_bytes)

    def _layer(self, name: str, path: Path, metadata: Mapping[str, str]) -> str:
        """Build a layer of BuildMethod makefile, as `sam build` does."""
        makefile = (path / "Makefile").resolve()
        with tempfile.TemporaryDirectory() as artifacts:
            command = ["make", "--silent", "--makefile", str(makefile), f"build-{name}", f"ARTIFACTS_DIR={artifacts}"]
            working_directory = self._root / metadata["WorkingDirectory"]
            made = subprocess.run(command, cwd=working_directory, capture_output=True, text=True, check=False)
            if made.returncode:
                raise LocalStackError(f"the layer {name} cannot be built: {made.stderr.strip()}")
            return self._once(path, lambda: zipped(Path(artifacts)))

    def _once(self, path: Path, content: Callable[[], bytes]) -> str:
        absolute = path.resolve()
        if absolute not in self._uploaded:
            name = os.path.relpath(absolute, self._root.resolve()).replace(os.sep, "-")
            self._uploaded[absolute] = f"s3://{BUCKET}/{self._upload(name, content())}"
        return self._uploaded[absolute]

    def _upload(self, name: str, body: bytes) -> str:
        """Upload under a name that differs with the content, as SAM does: only so does an update take it."""
        key = f"{name}-{hashlib.sha256(body).hexdigest()[:16]}"
        self._s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return key


def _bucket_and_key(location: str, bucket: str, key: str) -> dict[str, str]:
    """Return an S3 location in the form of native CloudFormation."""
    return dict(zip((bucket, key), location.removeprefix("s3://").split("/", 1), strict=True))


def bundled(*folders: Path) -> bytes:
    """Return a function's bundle as a zip archive: the files of folders, and what their requirements.txt name.

    Raises:
        LocalStackError: A requirements.txt cannot be installed.
    """
    listed = [folder / "requirements.txt" for folder in folders]
    folders = (*[installed(requirements) for requirements in listed if requirements.exists()], *folders)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        files = {file.relative_to(each): file for each in folders for file in each.rglob("*") if file.is_file()}
        for name in sorted(files):
            if "__pycache__" not in name.parts:
                archive.writestr(zipfile.ZipInfo(str(name)), files[name].read_bytes())
    return buffer.getvalue()


def deploy(
    cloudformation: CloudFormationClient,
    template_url: str,
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
) -> dict[str, str]:
    """Create the stack, or update the one that is there, and return its outputs.

    Raises:
        LocalStackError: The template has no such parameter, or a resource could not be created or updated.
    """
    if parameters:
        known = {
            each["ParameterKey"] for each in cloudformation.get_template_summary(TemplateURL=template_url)["Parameters"]
        }
        unknown = ", ".join(sorted(parameters.keys() - known))
        if unknown:
            raise LocalStackError(f"PARAMETERS must name parameters of template.yaml; got {unknown}")
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    try:
        change = cloudformation.update_stack if _is_there(cloudformation) else cloudformation.create_stack
        change(
            StackName=STACK,
            TemplateURL=template_url,
            Parameters=given,  # type: ignore[arg-type]  # the stubs want their own TypedDict
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
    except ClientError as error:
        if NO_CHANGE not in str(error):
            raise LocalStackError(f"template.yaml cannot be deployed: {error}") from error
    stack = _settled(cloudformation)
    if stack["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        raise LocalStackError(f"template.yaml cannot be deployed: {stack['StackStatus']}{_failures(cloudformation)}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _is_there(cloudformation: CloudFormationClient) -> bool:
    return STACK in [stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]]


def _settled(cloudformation: CloudFormationClient) -> StackTypeDef:
    deadline = time.monotonic() + DEPLOY_SECONDS
    while True:
        (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        if not stack["StackStatus"].endswith("IN_PROGRESS") or time.monotonic() > deadline:
            return stack
        time.sleep(POLL_SECONDS)  # the client's own waiter asks once a second at the most


def _failures(cloudformation: CloudFormationClient) -> str:
    reasons = [
        f"\n  {event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        for event in cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        if event["ResourceStatus"].endswith("FAILED") and event.get("ResourceStatusReason")
    ]
    return "".join(reasons)
