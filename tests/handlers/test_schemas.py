"""The JSON Schemas of events and results say what the functions accept and return."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from infra import schemas
from runstore import InvalidRequestError, KeyTypeMismatchError, RunStoreError
from tests.handlers.conftest import RUN, Call, Table

ROOT = Path(__file__).parents[2]
SCHEMAS = {name: Draft202012Validator(schema) for name, schema in schemas.schemas().items()}
EVENTS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((ROOT / "tests" / "events").glob("*.json"))}
OPERATIONS = sorted(EVENTS.keys() - {"retire_run", "send_event"})  # send_event: only a workflow makes its tokens

# For each field what it may hold and what it may not; a field that is missing here fails the test that asks for it.
GOOD: dict[str, list[Any]] = {
    "runId": [RUN, "r", "r" * 1_024],
    "key": ["list", "text", "new", "k" * 512],
    "value": [1, "a", None, {"a": [1]}, [1, 2]],
    "item": [1, None, [1]],
    "items": [[], [1, None], ["a"] * 3],
    "delta": [0, 1, -2.5],
    "token": ["t", "u" * 256],
    "start": [0, 1, 1_000],
    "limit": [0, 2],
    "prefix": ["", "li", "k" * 512],
    "ifAbsent": [True, False],
    "operations": [
        [{"do": "get", "key": "list"}],
        [{"do": "set", "key": "text", "value": None}, {"do": "delete", "key": "new"}],
        [{"do": "get", "key": "list", "start": 1}, {"do": "get", "key": "text"}],
    ],
    "body": [None, 1, {"a": 1}],
}
BAD: dict[str, list[Any]] = {
    "runId": [None, "", 5, "r" * 1_025, "a\tb"],
    "key": [None, "", ["k"], "k" * 513, "k\x1f"],
    "items": [None, "text", 5, {"a": 1}, True],
    "delta": [None, True, "1", [1]],
    "token": [None, "", 0, "t" * 257],
    "start": [None, -1, "0", True, 1.5],
    "limit": [None, -5, True, 1.5],
    "prefix": [None, 5, "k" * 513],
    "ifAbsent": [None, 1, "true"],
    "operations": [
        [],
        None,
        {},
        [{"key": "list"}],
        [{"do": "count", "key": "n"}],
        [{"do": "get", "key": "list", "token": "t"}],
        [{"do": "get", "key": "list", "runId": "r"}],
        [{"do": "set", "key": "text"}],
    ],
}


def forms(function: str) -> list[dict[str, Any]]:
    """Return the schemas of which an event of the function fits one."""
    schema = schemas.schemas()[f"{function}.event"]
    return list(schema.get("anyOf", [schema]))


def fields(function: str) -> list[str]:
    """Return every field that an event of the function can have."""
    return sorted({name for form in forms(function) for name in form["properties"]})


def required(function: str) -> set[str]:
    """Return the fields that every event of the function must have."""
    return set.intersection(*({*form["required"]} for form in forms(function)))


def accepts(name: str, value: Any) -> bool:
    """Return whether a schema accepts a value."""
    return bool(SCHEMAS[name].is_valid(value))


def test_each_function_has_schemas() -> None:
    """Every entry point but the examples has one for its event and one for its result, and both are valid schemas."""
    functions = {path.stem for path in (ROOT / "functions").glob("*.py") if not path.stem.endswith("_workflow")}
    assert SCHEMAS.keys() == {f"{name}.{part}" for name in functions for part in ("event", "result")}
    for schema in schemas.schemas().values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("function", sorted(EVENTS.keys() - {"send_event"}))
def test_the_sample_event_and_its_result(table: Table, call: Call, function: str) -> None:
    """The event that `sam local invoke` uses is one, and what the function returns is what the result's schema says."""
    del table
    SCHEMAS[f"{function}.event"].validate(EVENTS[function])
    SCHEMAS[f"{function}.result"].validate(call(function, EVENTS[function]))


@pytest.mark.parametrize("function", OPERATIONS)
def test_the_schema_accepts_what_the_function_accepts(table: Table, call: Call, function: str) -> None:
    """Of events with all kinds of fields, missing, wrong and unknown ones, both accept the same and results fit."""
    accepted = 0
    names = fields(function)
    assert {*names} <= GOOD.keys()
    assert {*names} - {"value", "item", "body"} <= BAD.keys()
    values = {name: st.sampled_from(GOOD[name]) | st.sampled_from(GOOD[name] + BAD.get(name, [])) for name in names}
    always = required(function)
    events = st.fixed_dictionaries(
        {name: value for name, value in values.items() if name in always},
        optional={name: value for name, value in values.items() if name not in always} | {"tokens": st.just("x")},
    )

    @settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(event=events, drop=st.sampled_from([None] * 8 + names))
    def compare(event: dict[str, Any], drop: str | None) -> None:
        nonlocal accepted
        event = {name: value for name, value in event.items() if name != drop}
        for run_id in GOOD["runId"]:
            table.store(run_id).complete()
        table.store().push("list", 1, token="before")
        table.store().set("text", "a")
        result, refusal = None, None
        try:
            result = call(function, event)
        except (InvalidRequestError, KeyTypeMismatchError) as error:
            refusal = error
        if refusal is None:
            accepted += 1
            SCHEMAS[f"{function}.result"].validate(result)
        # No schema knows what a key holds.
        if not isinstance(refusal, KeyTypeMismatchError):
            assert accepts(f"{function}.event", event) == (refusal is None), (event, refusal)

    compare()
    assert accepted > 5


@pytest.mark.parametrize(
    "change",
    [
        {"source": "mine"},
        {"account": 7},
        {"detail-type": "Another"},
        {"detail": None},
        {"detail": {"status": "FAILED"}},
        {"detail": {"executionArn": RUN}},
        {"detail": {"executionArn": RUN, "status": "FAILED", "redriveCount": -1}},
        {"detail": {"executionArn": 7, "status": "FAILED"}},
    ],
    ids=str,
)
def test_an_event_that_is_no_status_change(table: Table, call: Call, change: dict[str, Any]) -> None:
    """Both refuse an event that says nothing about an execution."""
    del table
    event = EVENTS["retire_run"] | change
    assert not accepts("retire_run.event", event)
    with pytest.raises(RunStoreError):
        call("retire_run", event)


def test_an_unknown_field_of_a_function_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever adds a field to a function has to say what it holds, and what the function returns."""
    (tmp_path / "new_one.py").write_text('"""New: {runId} -> {x}."""\ndef f(s, x): ...\nhandler = entry_point(f)\n')
    monkeypatch.setattr(schemas, "FUNCTIONS", tmp_path)
    monkeypatch.setattr(schemas, "_limits", lambda: {f"MAX_{name}_BYTES": 9 for name in ("KEY", "RUN_ID", "TOKEN")})
    with pytest.raises(ValueError, match="must say what x of new_one is"):
        schemas.schemas()
    (tmp_path / "new_one.py").write_text('"""New."""\ndef f(s): ...\nhandler = entry_point(f)\n')
    with pytest.raises(ValueError, match="docstring of new_one must name its result"):
        schemas.schemas()
