"""SnapStart's hooks, as Lambda's runtime calls them."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

import increment_counter
from runstore.aws_lambda import startup
from runstore.dynamodb import defaults
from tests.backends import Backend

FUNCTIONS = Path(__file__).parents[2] / "functions"
RUNTIME = """\
registered = []
def register_before_snapshot(function): registered.append(function.__name__)
def register_after_restore(function): registered.append(function.__name__)
"""
PROBE = "import sys, {}; hooks = sys.modules.get('snapshot_restore_py'); print(hooks and hooks.registered)"


@pytest.mark.parametrize("function", ["get_value", "order_workflow"])
@pytest.mark.parametrize(
    ("initialization", "registered"),
    [("snap-start", "['before_snapshot', 'after_restore']"), ("on-demand", "None")],
)
def test_hooks_are_registered_where_a_snapshot_is_taken(
    tmp_path: Path, initialization: str, registered: str, function: str
) -> None:
    """With SnapStart every handler registers both hooks; without it the runtime's module is not even imported."""
    (tmp_path / "snapshot_restore_py.py").write_text(RUNTIME)
    path = os.pathsep.join([str(tmp_path), str(FUNCTIONS)])
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(function)],
        env={**os.environ, "PYTHONPATH": path, "AWS_LAMBDA_INITIALIZATION_TYPE": initialization},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().splitlines()[-1] == registered


def test_copies_of_a_snapshot_go_ways_of_their_own(
    dynamodb_local_backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restore random pauses differ from those of another copy, and the functions work on new connections."""
    own = dynamodb_local_backend.client()
    monkeypatch.setattr(defaults.process, "transport", defaults.transport_of(own))
    monkeypatch.setenv("RUNSTORE_TABLE", dynamodb_local_backend.make_table())
    event = {"runId": "snapshot", "key": "n"}
    startup.before_snapshot()
    assert increment_counter.handler(event, None)["value"] == 1
    pauses = []
    for _ in range(2):
        random.seed(1)  # what every copy of one snapshot has
        startup.after_restore()
        pauses.append(random.random())
    assert pauses[0] != pauses[1]
    assert increment_counter.handler(event, None)["value"] == 2
