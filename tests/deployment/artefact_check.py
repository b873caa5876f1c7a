"""Run by test_artefacts in an environment that holds an artefact alone: `python artefact_check.py ENDPOINT TABLE`.

Imports every handler that is there and carries out one operation; prints what it found as JSON.
"""

import importlib
import json
import os
import sys
from pathlib import Path

endpoint, table, root, *handlers = sys.argv[1:]
os.environ.update(
    AWS_ENDPOINT_URL=endpoint,
    AWS_DEFAULT_REGION="eu-central-1",
    AWS_ACCESS_KEY_ID="local",
    AWS_SECRET_ACCESS_KEY="local",
    RUNSTORE_TABLE=table,
)

import runstore  # noqa: E402 reads its settings from the environment

if not Path(runstore.__file__).is_relative_to(root):
    sys.exit(f"runstore was imported from {runstore.__file__}, not from the artefact in {root}")
if handlers:
    modules = {name: importlib.import_module(name) for name in handlers}
    event = {"runId": "artefact", "key": "n", "delta": 2}
    result = modules["increment_counter"].handler(event, None)["value"]
else:
    store = runstore.RunStore("artefact")
    result = store.increment("n", 2)
sys.stdout.write("\n" + json.dumps({"version": runstore.__version__, "result": result}) + "\n")
