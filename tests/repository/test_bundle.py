"""What the functions import must be in the bundle or in Lambda's Python runtime."""

import json
import re
import subprocess
import sys
from pathlib import Path

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"
# boto3 is part of Lambda's Python runtime, so what it loads is there before our modules are.
IMPORT_ALL = """
import importlib, json, pathlib, sys
import boto3
boto3.client("dynamodb", region_name="eu-central-1")
runtime = set(sys.modules)
folder = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(folder))
for path in folder.glob("*.py"):
    importlib.import_module(path.stem)
added = {name: getattr(sys.modules[name], "__file__", None) for name in set(sys.modules) - runtime}
installed = {name for name, file in added.items() if file and "site-packages" in pathlib.Path(file).parts}
print(json.dumps(sorted({name.partition(".")[0] for name in installed})))
"""


def test_the_functions_import_nothing_that_lambda_lacks() -> None:
    """Each module that the entry points load is our own, Lambda's, or named in functions/requirements.txt."""
    command = [sys.executable, "-I", "-c", IMPORT_ALL, str(FUNCTIONS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    listed = re.findall(r"^([\w-]+)==", (FUNCTIONS / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    bundled = {name.replace("-", "_").lower() for name in listed}
    assert "aws_lambda_powertools" in json.loads(done.stdout)
    assert set(json.loads(done.stdout)) <= bundled
