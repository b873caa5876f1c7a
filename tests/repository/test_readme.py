"""The README is true: its snippets run, and what it says about names, limits and files is what the code has."""

import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

import runstore
from runstore import Settings
from runstore.aws_lambda import entry_point as handler
from runstore.dynamodb.defaults import transport_of
from runstore.model import identifiers as names
from runstore.model import items, values
from tests.backends import Backend

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def fenced(language: str) -> list[str]:
    """Return the README's code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def _stack(moto_backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNSTORE_TABLE", moto_backend.make_table())
    monkeypatch.setattr("runstore.dynamodb.defaults.process.transport", transport_of(moto_backend.client()))


@pytest.mark.usefixtures("_stack")
def test_the_step_of_the_readme_counts_once_however_often_it_is_retried() -> None:
    """The Python example does what its comments say."""
    namespace: dict[str, Any] = {}
    exec(compile(fenced("python")[0], "README.md", "exec"), namespace)  # noqa: S102 the README's own code
    store = runstore.RunStore("run-1")
    store.set("customerId", "C-1")
    event = {"runId": "run-1", "token": "CountItem#0", "item": {"id": 7}}

    assert namespace["lambda_handler"](event, None) == {"done": 1, "customer": "C-1"}
    assert namespace["lambda_handler"](event, None) == {"done": 1, "customer": "C-1"}
    assert store.snapshot() == {
        "customerId": "C-1",
        "processedCount": 1,
        "results": [{"id": 7, "status": "done"}],
    }


def test_the_workflow_of_the_readme_passes_its_own_test() -> None:
    """The workflow class and its unit test run as they are printed."""
    namespace: dict[str, Any] = {"__name__": "readme"}
    for block in fenced("python")[1:]:
        exec(compile(block, "README.md", "exec"), namespace)  # noqa: S102 the README's own code
    namespace["test_every_item_is_processed_once"]()


def test_the_state_of_the_readme_is_one_that_the_example_has() -> None:
    """The JSON example calls a function with fields it takes, and retries what the example state machine retries."""
    state = json.loads(f"{{{fenced('json')[0]}}}")["LineItems"]["ItemProcessor"]["States"]["CountItem"]
    machine = json.loads((ROOT / "infra/statemachines/order_fanout.asl.json").read_text(encoding="utf-8"))

    assert set(state["Parameters"]["Payload"]) == {"runId.$", "key", "token.$"}
    assert state["Parameters"]["FunctionName"] == "${IncrementCounterArn}"
    assert state["Retry"] == machine["States"]["StoreCustomer"]["Retry"]


def test_the_run_of_the_readme_is_the_root_s() -> None:
    """The run id is taken in the root and handed to the branches, which may be executions of their own."""
    fan_out = json.loads(f"{{{fenced('json')[0]}}}")["LineItems"]
    assert fan_out["ItemSelector"]["runId.$"] == "$$.Execution.Id"
    assert "$$.Execution" not in json.dumps(fan_out["ItemProcessor"])


def _arguments(signature: inspect.Signature) -> str:
    own = [each.replace(annotation=each.empty) for each in list(signature.parameters.values())[1:]]
    return str(signature.replace(parameters=own, return_annotation=signature.empty))[1:-1]


def test_the_table_of_methods_is_the_store_s() -> None:
    """Every method stands there with its arguments, and no other."""
    cells = re.findall(r"^\| (`\w+\(.*?\)`.*?) \|", README, flags=re.MULTILINE)
    rows = re.findall(r"`(\w+)\((.*?)\)`", " ".join(cells))
    told = dict(rows)
    methods = {name: inspect.signature(getattr(runstore.RunStore, name)) for name in told}
    assert told == {name: _arguments(signature) for name, signature in methods.items()}
    public = {name for name, each in vars(runstore.RunStore).items() if not name.startswith("_") and callable(each)}
    assert public - told.keys() <= {"find"}


def test_the_table_of_variables_is_the_settings_() -> None:
    """Each variable stands there with its default and its bounds."""
    for field in ("ttl_days", "max_value_bytes", "failed_retention_days"):
        with pytest.raises(runstore.ConfigurationError) as failure:
            Settings("t", **{field: -1})
        variable, bounds = re.findall(r"(\w+) must be a whole number from (.*); got -1", str(failure.value))[0]
        (row,) = re.findall(rf"^\| `{variable}` \| (.*) \|$", README, flags=re.MULTILINE)
        assert row.startswith(f"{getattr(Settings('t'), field):,} | ")
        assert bounds in row
    with pytest.raises(runstore.ConfigurationError) as failure:
        Settings.from_environment(environment={})
    assert f"| `{str(failure.value).split()[3]}` | none |" in README


def test_the_table_of_functions_names_the_fields_that_they_take() -> None:
    """Every row's event is what the function itself says that it takes."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| `", README, flags=re.MULTILINE)
    assert [name for name, _ in rows] == [
        "get_value",
        "set_value",
        "push_item",
        "increment_counter",
        "delete_key",
        "complete_run",
        "retire_run",
    ]
    for name, event in rows[:-1]:
        with pytest.raises(runstore.InvalidRequestError) as failure:
            importlib.import_module(name).handler({"nothing": 1}, None)
        for fields in re.findall(r"\{.*?\}", event):
            assert fields in str(failure.value)


@pytest.mark.parametrize(
    ("row", "number"),
    [
        ("key", names.MAX_KEY_BYTES),
        ("run id; token", names.MAX_RUN_ID_BYTES),
        ("run id; token", names.MAX_TOKEN_BYTES),
        ("value or element", Settings("t").max_value_bytes),
        ("value or element", 350_000),
        ("value or element", values.MAX_DEPTH),
        ("result of `get_value`", handler.STATE_BYTES),
        ("age", Settings("t").ttl_days),
    ],
)
def test_the_limits_of_the_readme_are_the_code_s(row: str, number: int) -> None:
    """Each number in the table of limits is the constant that the code holds to."""
    line = re.search(rf"^\| {re.escape(row)} \|.*$", README, flags=re.MULTILINE)
    assert line is not None
    assert f"{number:,}" in line[0]


def test_every_file_and_target_that_the_readme_names_exists() -> None:
    """Links lead somewhere, and each make command is a target."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link
    targets = re.findall(r"(?:`|^)make ([a-z-]+)", README, flags=re.MULTILINE)
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_a_segment_s_reach_is_what_the_docstrings_say() -> None:
    """About 700 bytes of elements fit a head under an execution's ARN before a second item begins."""
    arn = "arn:aws:states:eu-central-1:123456789012:execution:order-fanout:7c941e1b-7a56-08ae-1111-222222222222"
    assert 600 < items.capacity(arn, "results", items.element_weight(50), 1_024) < 800
