"""The environment variables of a function's process: those that Lambda sets, and the function's own. No others."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def function_environment(
    config: Mapping[str, Any], credentials: Mapping[str, str], endpoint: str, bundle: Path, layers: Path
) -> dict[str, str]:
    """Return the variables of a new process of a function.

    Args:
        config: The function's configuration, as GetFunctionConfiguration returns it.
        credentials: Those of its role: the variables that hold them.
        endpoint: Where the local stack listens. On Lambda no endpoint is set.
        bundle: The folder of its code.
        layers: The folder of its layers.
    """
    own: dict[str, str] = config.get("Environment", {}).get("Variables", {})
    name, version = config["FunctionName"], config.get("Version", "$LATEST")
    region = config["FunctionArn"].split(":")[3]
    logging_config = config.get("LoggingConfig") or {}
    snapshot = (config.get("SnapStart") or {}).get("OptimizationStatus") == "On"
    # A function may set these itself.
    defaults = {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "LANG": "en_US.UTF-8",
        "PATH": f"/var/lang/bin:{os.environ['PATH']}:{layers}/bin",
        "TZ": ":UTC",
    }
    if not {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"} & own.keys():
        defaults["AWS_ENDPOINT_URL_DYNAMODB"] = endpoint
    defaults["AWS_ENDPOINT_URL"] = endpoint
    # Lambda reserves these.
    reserved = {
        "_HANDLER": config["Handler"],
        "AWS_DEFAULT_REGION": region,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start" if snapshot else "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": logging_config.get("LogGroup") or f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{uuid.uuid4().hex}",
        # Programs look at it to know that they run on Lambda. Only runtimes and extensions call it: nothing answers.
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "AWS_REGION": region,
        "LAMBDA_TASK_ROOT": str(bundle),
        **credentials,
    }
    return defaults | own | reserved
