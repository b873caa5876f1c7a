"""apply: what is wrong with an operation is refused before the first one is sent."""

from typing import Any

import pytest

from runstore import (
    InvalidKeyError,
    InvalidRequestError,
    InvalidTokenError,
    InvalidValueError,
    ValueTooLargeError,
)
from tests.contract.implementations import Implementation

PUSH: dict[str, Any] = {"do": "push", "key": "list", "item": 1}
BAD: dict[str, tuple[Any, type[Exception], int | None, str]] = {
    "no list": ({"do": "get"}, InvalidRequestError, None, "operations must be a list; got a dict"),
    "text": ("get", InvalidRequestError, None, "operations must be a list; got a str"),
    "none": ([], InvalidRequestError, None, "operations must be a list of 1 to 100; got 0"),
    "101": ([PUSH] * 101, InvalidRequestError, None, "operations must be a list of 1 to 100; got 101"),
    "no object": ([PUSH, "push"], InvalidRequestError, 1, r"^operations\[1\]: .* must be an object; got a str"),
    "no do": ([PUSH, {"key": "k"}], InvalidRequestError, 1, r"^operations\[1\]: do must be one of get, .*; got null"),
    "an unknown do": ([PUSH, {"do": "pop", "key": "k"}], InvalidRequestError, 1, "got 'pop'"),
    "a wrong do": ([PUSH, {"do": ["get"], "key": "k"}], InvalidRequestError, 1, "got a list"),
    "no key": ([PUSH, {"do": "get"}], InvalidRequestError, 1, r"must be \{do: get, key, limit\?, start\?\}; got"),
    "no value": ([PUSH, {"do": "set", "key": "k"}], InvalidRequestError, 1, "got the fields do, key"),
    "item and items": ([PUSH, PUSH | {"items": [1]}], InvalidRequestError, 1, "got the fields do, key, item, items"),
    "a field of another": ([PUSH, {"do": "get", "key": "k", "delta": 1}], InvalidRequestError, 1, "field 'delta'"),
    "a token of its own": ([PUSH, PUSH | {"token": "u"}], InvalidRequestError, 1, "unknown field 'token'"),
    "a run id": ([PUSH, PUSH | {"runId": "u"}], InvalidRequestError, 1, "unknown field 'runId'"),
    "null": ([PUSH, {"do": "get", "key": "k", "start": None}], InvalidRequestError, 1, "start is null"),
    "a bad key": ([PUSH, {"do": "get", "key": ""}], InvalidKeyError, 1, "key must be a string .*; got an empty string"),
    "a bad start": ([PUSH, {"do": "get", "key": "k", "start": -1}], InvalidRequestError, 1, "start must be"),
    "a bad delta": ([PUSH, {"do": "increment", "key": "k", "delta": "1"}], InvalidValueError, 1, "delta must be"),
    "a bad item": ([PUSH, PUSH | {"item": {1}}], InvalidValueError, 1, "item must be"),
    "bad items": ([PUSH, {"do": "push", "key": "k", "items": "ab"}], InvalidRequestError, 1, "items must be a list"),
    "a large value": ([PUSH, {"do": "set", "key": "k", "value": "x" * 70_000}], ValueTooLargeError, 1, "value must"),
    "a bad ifAbsent": ([PUSH, {"do": "set", "key": "k", "value": 1, "ifAbsent": 1}], InvalidRequestError, 1, "ifAbs"),
    "a set of what it pushes to": ([PUSH, {"do": "set", "key": "list", "value": 1}], InvalidRequestError, 1, "not set"),
    "a delete of what it pushes to": ([{"do": "delete", "key": "list"}, PUSH], InvalidRequestError, 0, "not delete"),
}  # fmt: skip


@pytest.mark.parametrize(("operations", "error", "index", "said"), BAD.values(), ids=BAD.keys())
def test_a_bad_operation(  # noqa: PLR0913, PLR0917 what is wrong and what comes of it
    implementation: Implementation,
    run_id: str,
    operations: Any,
    error: type[InvalidRequestError],
    index: int | None,
    said: str,
) -> None:
    """It is refused with its index before anything is sent."""
    with pytest.raises(error, match=said) as caught:
        implementation.store(run_id).apply(operations, token="t")
    assert type(caught.value) is error
    assert (caught.value.index, caught.value.operation) == (index, "apply")
    assert implementation.items(run_id) == []


@pytest.mark.parametrize(
    ("token", "got"), [(None, "null"), ("", "an empty string"), (7, "int"), ("x" * 257, "257 bytes")]
)
def test_a_bad_token(implementation: Implementation, run_id: str, token: Any, got: str) -> None:
    """An addition needs a token; nothing is written without one."""
    for addition in (PUSH, {"do": "increment", "key": "n"}):
        with pytest.raises(InvalidTokenError, match=f"token must be .*; got {got}") as caught:
            implementation.store(run_id).apply([{"do": "set", "key": "k", "value": 1}, addition], token=token)
        assert caught.value.index == (1 if token is None else None)
    assert implementation.items(run_id) == []
