"""Functions of the tests' own, with a role that may do everything."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from typing import TYPE_CHECKING, Any

from infra.local.interpreters import OWN_RUNTIME
from tests.e2e.machines import make_role

if TYPE_CHECKING:
    from infra.local import LocalStack


def archive(**files: str) -> bytes:
    """Return a zip archive; `a__b` is the file b.py in the folder a."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, text in files.items():
            target.writestr(f"{name.replace('__', '/')}.py", text)
    return buffer.getvalue()


class Lambdas:
    """Functions of a test's own."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.client = stack.client("lambda")
        self.role = make_role(stack)

    def create(self, code: bytes | str, **settings: Any) -> str:
        """Create a function and return its name."""
        name = f"test-{uuid.uuid4().hex[:8]}"
        package = archive(app=code) if isinstance(code, str) else code
        defaults: dict[str, Any] = {"Runtime": OWN_RUNTIME, "Handler": "app.handler", "Timeout": 30}
        self.client.create_function(
            FunctionName=name, Role=self.role, Code={"ZipFile": package}, **(defaults | settings)
        )
        return name

    def invoke(self, name: str, event: Any = None) -> Any:
        """Invoke a function and return its result, or its error's document."""
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        return json.loads(answer["Payload"].read())

    def run(self, code: bytes | str, event: Any = None, **settings: Any) -> Any:
        """Create a function and invoke it once."""
        return self.invoke(self.create(code, **settings), event)

    def layer(self, package: bytes) -> str:
        """Publish a layer and return the ARN of its version."""
        published = self.client.publish_layer_version(
            LayerName=f"layer-{uuid.uuid4().hex[:8]}", Content={"ZipFile": package}
        )
        return str(published["LayerVersionArn"])
