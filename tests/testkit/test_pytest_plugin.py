"""The fixture `run_stores`: memory in the place of the table, wherever the tested code makes a store."""

import importlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import runstore
from runstore import (
    InvalidRunIdError,
    ResultTooLargeError,
    RunStore,
    ValueTooLargeError,
)  # before the fixture replaces it
from runstore.testing.replacement import RunStores

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


class Audited(RunStore):
    """A store of a user's own, with something added."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, table_name="a-table")
        self.pushed = 0

    def push(self, key: str, item: Any, *, token: str | None = None) -> int:
        """Count the pushes."""
        self.pushed += 1
        return super().push(key, item, token=token)


def test_a_store_that_code_makes_is_in_memory(run_stores: RunStores) -> None:
    """Whatever name it is imported under, and whatever options it is made with."""
    client: Any = object()
    makers: list[Callable[[str], Any]] = [
        RunStore,
        runstore.RunStore,
        lambda run_id: RunStore(run_id, table_name="other", client=client),
        run_stores,
    ]
    for number, make in enumerate(makers, 1):
        assert make("run-1").push("list", number) == number
    assert isinstance(RunStore("run-1"), RunStore)
    assert run_stores("run-2").get("list") is None
    assert run_stores.run_ids == ["run-1"]


def test_a_subclass_keeps_what_it_adds(run_stores: RunStores) -> None:
    """Its own methods run, on the store in memory."""
    store = Audited("run-1")
    assert store.push("list", "a") == 1
    assert store.pushed == 1
    assert run_stores("run-1").get("list") == ["a"]


EVENTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "push_item": ({"key": "list", "item": 1, "token": "t"}, {"key": "list", "length": 1}),
    "increment_counter": ({"key": "n"}, {"key": "n", "value": 1}),
    "set_value": ({"key": "n", "value": 7, "ifAbsent": True}, {"key": "n", "value": 1}),
    "get_value": ({"key": "list"}, {"key": "list", "value": [1], "found": True}),
    "get_values": ({"prefix": "l"}, {"values": {"list": [1]}}),
    "apply_operations": (
        {"operations": [{"do": "get", "key": "n"}]},
        {"results": [{"key": "n", "value": 1, "found": True}]},
    ),
    "delete_key": ({"key": "n"}, {"key": "n"}),
    "complete_run": ({}, {"runId": "run-1", "deleted": 1}),
}


def test_the_functions_use_it(run_stores: RunStores) -> None:
    """The deployed functions' own handlers work on it too, with their checks."""
    for name, (event, result) in EVENTS.items():
        assert importlib.import_module(name).handler({"runId": "run-1", **event}, None) == result
    assert run_stores("run-1").snapshot() == {}
    run_stores("run-1").set("large", ["x" * 1_000] * 60)
    for _ in range(5):
        run_stores("run-1").push("long", "x" * 60_000)
    with pytest.raises(ResultTooLargeError):
        importlib.import_module("get_value").handler({"runId": "run-1", "key": "long"}, None)


def test_it_checks_what_the_store_checks(run_stores: RunStores, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run ids are refused, and the settings of the environment hold."""
    with pytest.raises(InvalidRunIdError):
        RunStore("")
    with pytest.raises(TypeError, match="tabel_name"):
        RunStore("run-1", tabel_name="runs")  # type: ignore[call-arg]
    monkeypatch.setenv("RUNSTORE_RUN_ID_PREFIXES", "run-")
    for make in (RunStore, run_stores):
        with pytest.raises(InvalidRunIdError, match="must begin with 'run-'"):
            make("other-1")
    monkeypatch.setenv("RUNSTORE_MAX_VALUE_BYTES", "10")
    for store in (RunStore("run-1"), run_stores("run-1")):
        with pytest.raises(ValueTooLargeError):
            store.set("key", "x" * 20)


def test_each_test_begins_with_nothing_first(run_stores: RunStores) -> None:
    """One of two tests that would meet each other's state."""
    assert run_stores("shared").increment("n") == 1


def test_each_test_begins_with_nothing_second(run_stores: RunStores) -> None:
    """The other one."""
    assert run_stores("shared").increment("n") == 1


def test_the_real_store_comes_back() -> None:
    """After a test that used the fixture, a store reaches for a table again, a subclass's too."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        RunStores(monkeypatch)
        assert RunStore("run-1").keys() == []
    assert type(RunStore("run-1", table_name="t")) is RunStore
    assert type(Audited("run-1")) is Audited


def test_the_package_announces_the_plugin() -> None:
    """The entry point names the copy that the wheel has; the tests of the wheel look for it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert list(project["entry-points"]["pytest11"].values()) == ["runstore_pytest_plugin"]


def test_loading_the_plugin_costs_next_to_nothing() -> None:
    """At its start pytest imports the plugin alone, nothing of runstore and no AWS SDK."""
    plugin = ROOT / "functions/runstore/testing/pytest_plugin.py"
    code = f"import sys, json, pytest, runpy; before = set(sys.modules); runpy.run_path({str(plugin)!r}); "
    code += "print(json.dumps(sorted(set(sys.modules) - before)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not [name for name in json.loads(done.stdout) if name.startswith(("runstore", "boto", "aws_lambda"))]


def test_the_test_helpers_do_not_need_pytest() -> None:
    """Without pytest, the in-memory store and run_workflow work all the same."""
    code = "import sys; sys.modules['pytest'] = None; from runstore.testing import InMemoryRunStore, run_workflow; "
    code += "print(InMemoryRunStore('run').push('list', 1))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
