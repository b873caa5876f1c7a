"""The guides are true: their code runs, and their tables are what the functions, the store and the settings have."""

import importlib
import inspect
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import runstore
from runstore import Settings
from runstore.testing.replacement import RunStores
from tests.repository.pages import ROOT, fenced, read, run, state

MACHINES, PYTHON, TUTORIAL = "docs/state-machines.md", "docs/python.md", "docs/tutorial.md"
RETRY: list[Any] = json.loads((ROOT / "infra/statemachines/order_fanout.asl.json").read_text("utf-8"))["States"][
    "StoreCustomer"
]["Retry"]


def test_the_retry_to_copy_is_the_example_s() -> None:
    """What users copy is what the example state machine has, and the page explains each name."""
    assert state(MACHINES, 2) == {"Retry": RETRY}
    explained = re.findall(r"^\| (`.+?) \|", read(MACHINES).partition("## Retry")[2], flags=re.MULTILINE)
    named = [name for row in explained for name in re.findall(r"`([\w.]+)`", row)]
    assert named == RETRY[0]["ErrorEquals"]


def test_the_map_passes_the_root_s_run_id_down() -> None:
    """The run id is taken in the root and handed to the branches, which may be executions of their own."""
    for page, name in ((MACHINES, "LineItems"), (TUTORIAL, "LineItems")):
        fan_out = state(page)[name]
        assert fan_out["ItemSelector"]["runId.$"] == "$$.Execution.Id"
        assert "$$.Execution" not in json.dumps(fan_out["ItemProcessor"])


def test_the_table_of_functions_names_the_fields_that_they_take() -> None:
    """Every row's event is what the function itself says that it accepts, and no operation is left out."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| `", read(MACHINES), flags=re.MULTILINE)
    entry_points = {
        path.stem for path in (ROOT / "functions").glob("*.py") if "runstore.aws_lambda" in path.read_text()
    }
    assert {name for name, _ in rows} == entry_points
    for name, event in rows:
        if name == "retire_run":
            continue
        with pytest.raises(runstore.InvalidRequestError) as failure:
            importlib.import_module(name).handler({"nothing": 1}, None)
        for fields in re.findall(r"\{.*?\}", event):
            assert fields in str(failure.value)


def _arguments(signature: inspect.Signature) -> str:
    own = [each.replace(annotation=each.empty) for each in list(signature.parameters.values())[1:]]
    return str(signature.replace(parameters=own, return_annotation=signature.empty))[1:-1]


def test_the_table_of_methods_is_the_store_s() -> None:
    """Every method is there with its arguments, and no other."""
    cells = re.findall(r"^\| (`\w+\(.*?\)`.*?) \|", read(PYTHON), flags=re.MULTILINE)
    written = dict(re.findall(r"`(\w+)\((.*?)\)`", " ".join(cells)))
    signatures = {name: inspect.signature(getattr(runstore.RunStore, name)) for name in written}
    assert written == {name: _arguments(signature) for name, signature in signatures.items()}
    public = {name for name, each in vars(runstore.RunStore).items() if not name.startswith("_") and callable(each)}
    assert public - written.keys() <= {"find"}


def test_the_table_of_variables_is_the_settings_() -> None:
    """Each variable is there with its default and its bounds."""
    for field in ("ttl_days", "max_value_bytes", "failed_retention_days"):
        with pytest.raises(runstore.ConfigurationError) as failure:
            replace(Settings("t"), **{field: -1})  # type: ignore[arg-type]  # any field
        (variable,) = re.findall(r"RUNSTORE_\w+", str(failure.value))
        least, most = re.findall(r"(\d[\d,]*) to (\d[\d,]*)", str(failure.value))[0]
        (row,) = re.findall(rf"^\| `{variable}` \| (.*) \|$", read(PYTHON), flags=re.MULTILINE)
        assert row.startswith(f"{getattr(Settings('t'), field):,} | ")
        assert f"{least} to {most}" in row
    with pytest.raises(runstore.ConfigurationError, match="RUNSTORE_TABLE"):
        Settings.from_environment(environment={})
    assert "| `RUNSTORE_TABLE` | none |" in read(PYTHON)


def test_the_operations_of_one_state_are_applied(run_stores: RunStores) -> None:
    """The printed payload is one that apply_operations takes, and its repetition counts nothing twice."""
    given = state(MACHINES, 1)["RecordItem"]["Parameters"]["Payload"]
    assert set(given) == {"runId.$", "token.$", "operations"}
    operations = json.loads(json.dumps(given["operations"]).replace('"id.$": "$.item.id"', '"id": 7'))
    event = {"runId": "run-1", "token": "RecordItem#7", "operations": operations}
    for _ in range(2):
        results = importlib.import_module("apply_operations").handler(event, None)["results"]
        assert results == [{"key": "results", "length": 1}, {"key": "processedCount", "value": 1}]
    assert run_stores("run-1").snapshot() == {"results": [{"id": 7, "status": "done"}], "processedCount": 1}


def test_every_variable_of_the_package_is_in_the_table() -> None:
    """The table of the Python guide has each variable that the store reads."""
    sources = [path.read_text("utf-8") for path in (ROOT / "functions/runstore").rglob("*.py")]
    variables = {name for text in sources for name in re.findall(r'"(RUNSTORE_[A-Z_]+)"', text)}
    listed = set(re.findall(r"^\| `(RUNSTORE_\w+)` \|", read(PYTHON), flags=re.MULTILINE))
    assert {"RUNSTORE_TABLE", "RUNSTORE_TRANSPORT"} <= listed
    assert variables - listed <= {"RUNSTORE_STATE_MACHINE_ARN"}


def test_the_step_of_the_python_guide_passes_its_own_test(run_stores: RunStores) -> None:
    """The function, the handling of an error and the test run as they are printed."""
    names = run(PYTHON, 0, 1, 2)
    names["test_a_retried_branch_counts_once"](run_stores)
    store = run_stores("run-2")
    assert names["note"]("run-2", "late", "t") == 1
    store.set("warnings", "not a list")
    assert names["note"]("run-2", "late", "t") == 1
    assert store.snapshot() == {"warnings": "not a list", "moreWarnings": ["late"]}


def test_the_store_in_memory_of_the_python_guide() -> None:
    """The last block runs by itself."""
    assert run(PYTHON, 3)["store"].get("results") == ["a"]


def test_the_files_of_the_tutorial_pass_in_a_folder_of_their_own(tmp_path: Path) -> None:
    """A reader who makes the two files and runs pytest sees its tests pass, with the plugin of the package."""
    step, tests = fenced(TUTORIAL, "python")
    (tmp_path / "step.py").write_text(step)
    (tmp_path / "test_step.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "runstore.testing.pytest_plugin", "-p", "no:randomly"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_order_of_the_tutorial_is_one_that_the_demo_takes() -> None:
    """The order that a reader writes with echo has what the example workflow reads."""
    (order,) = re.findall(r"^echo '(.*)' > my-order.json$", read(TUTORIAL), flags=re.MULTILINE)
    assert json.loads(order) == {"customer": {"id": "C-1"}, "line_items": [{"id": 1}, {"id": 2}]}
