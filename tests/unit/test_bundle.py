"""What the functions import must be in the bundle or in Lambda's Python runtime."""

import json
import re
import subprocess
import sys
from pathlib import Path

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"
# boto3 and what it needs are part of Lambda's Python runtime; nothing else of ours is.
RUNTIME = {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six"}
IMPORT_ALL = """
import importlib, json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(folder))
for path in folder.glob("*.py"):
    importlib.import_module(path.stem)
import boto3
boto3.client("dynamodb", region_name="eu-central-1")
found = {}
for name, module in list(sys.modules.items()):
    origin = getattr(module, "__file__", None)
    if origin and "site-packages" in pathlib.Path(origin).parts:
        found[name.partition(".")[0]] = origin
print(json.dumps(sorted(found)))
"""


def test_the_functions_import_nothing_that_lambda_lacks() -> None:
    """Each module that the entry points load is our own, Lambda's, or named in functions/requirements.txt."""
    command = [sys.executable, "-I", "-c", IMPORT_ALL, str(FUNCTIONS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    listed = re.findall(r"^([\w-]+)==", (FUNCTIONS / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    bundled = {name.replace("-", "_").lower() for name in listed}
    assert "aws_lambda_powertools" in bundled
    assert set(json.loads(done.stdout)) <= RUNTIME | bundled
