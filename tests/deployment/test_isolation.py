"""RunIdPrefixes: what the functions refuse, and what IAM refuses them, evaluated for each request that they make.

This evaluates the one statement that has the condition dynamodb:LeadingKeys, on requests recorded on DynamoDB Local;
test_guardrails.py sees the local stack deny requests by it.
"""

from __future__ import annotations

import fnmatch
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from runstore import InvalidRunIdError, RunStore, Settings
from tests.deployment.definition import Definition
from tests.deployment.test_privileges import HANDLERS, RUN, Recorder, exercise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.backends import Backend

MACHINE = RUN.rpartition(":")[0]
PREFIXES = (f"{MACHINE}:", "batch/")


def leading_keys(request: Any) -> Iterator[str]:
    """Yield what IAM calls dynamodb:LeadingKeys: the partition keys of all items that a request is about."""
    if isinstance(request, list):
        for each in request:
            yield from leading_keys(each)
    elif isinstance(request, dict):
        if "run_id" in request and isinstance(request["run_id"], dict):
            yield request["run_id"]["S"]
        elif "KeyConditionExpression" in request:
            yield request["ExpressionAttributeValues"][":run_id"]["S"]
        else:
            for each in request.values():
                yield from leading_keys(each)


def denies(statement: dict[str, Any], keys: set[str]) -> bool:
    """Return whether the statement denies a request with these leading keys, as IAM evaluates it."""
    ((operator, condition),) = statement["Condition"].items()
    assert (statement["Effect"], statement["Action"], operator) == ("Deny", "dynamodb:*", "ForAnyValue:StringNotLike")
    patterns = condition["dynamodb:LeadingKeys"]
    return any(not any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns) for key in keys)


def statement(parameters: dict[str, str]) -> list[dict[str, Any]]:
    """Return the statements about leading keys in the policy that all roles share."""
    policies = Definition("stack", parameters).of("AWS::IAM::ManagedPolicy")
    statements = policies.get("SharedPermissions", {"PolicyDocument": {"Statement": []}})["PolicyDocument"]["Statement"]
    return [each for each in statements if "dynamodb:LeadingKeys" in str(each)]


def test_iam_holds_every_request_to_the_prefixes(
    dynamodb_local_backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request names the run that it is about: allowed under the run's prefix, denied under another one."""
    recorder = Recorder(dynamodb_local_backend, monkeypatch)
    exercise(recorder)
    assert len(recorder.requests) > 300
    (own,) = statement({"RunIdPrefixes": ",".join(PREFIXES)})
    (other,) = statement({"RunIdPrefixes": f"{MACHINE}2:,batch/"})
    assert own["Resource"] == "<Table.Arn>"
    for request in recorder.requests:
        keys = set(leading_keys(request))
        assert keys == {RUN}
        assert not denies(own, keys)
        assert denies(other, keys)
    assert denies(own, {RUN, "another"}), "one foreign item in a batch is enough"


def test_every_role_has_the_statement() -> None:
    """The functions of the store and those of the examples share the policy that holds it."""
    definition = Definition("stack", {"RunIdPrefixes": ",".join(PREFIXES)})
    roles = definition.of("AWS::IAM::Role")
    for function in definition.of("AWS::Lambda::Function").values():
        assert roles[function["Role"].strip("<>").removesuffix(".Arn")]["ManagedPolicyArns"] == ["<SharedPermissions>"]
    assert statement({}) == []


@pytest.mark.parametrize("function", HANDLERS)
def test_a_function_refuses_a_run_of_another_prefix(
    dynamodb_local_backend: Backend, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """InvalidRunIdError, before any request."""
    recorder = Recorder(dynamodb_local_backend, monkeypatch)
    environment = Definition("stack", {"RunIdPrefixes": f"{MACHINE}2:,batch/"}).resources[function]["Environment"]
    monkeypatch.setenv("RUNSTORE_RUN_ID_PREFIXES", environment["Variables"]["RUNSTORE_RUN_ID_PREFIXES"])
    calls: dict[str, Callable[[], Any]] = {
        "SetValue": partial(recorder.call, function, key="key", value=1),
        "PushItem": partial(recorder.call, function, key="key", item=1),
        "GetValues": partial(recorder.call, function),
        "ApplyOperations": partial(recorder.call, function, operations=[{"do": "get", "key": "key"}]),
        "CompleteRun": partial(recorder.call, function),
        "RetireRun": partial(recorder.retire, "FAILED", "30"),
        "SendEvent": recorder.send_event,
    }
    invoke = calls.get(function) or partial(recorder.call, function, key="key")
    with pytest.raises(InvalidRunIdError, match=r"runId must begin with 'arn:.*' or 'batch/', as RUNSTORE_RUN_ID"):
        invoke()
    assert recorder.requests == []


def test_the_package_refuses_them_too(dynamodb_local_backend: Backend) -> None:
    """A step with the same setting cannot open the store of another run by mistake."""
    settings = Settings(dynamodb_local_backend.make_table(), run_id_prefixes=PREFIXES)
    client = dynamodb_local_backend.client()
    RunStore(RUN, client=client, settings=settings).set("key", 1)
    RunStore("batch/7", client=client, settings=settings).set("key", 1)
    for run in (RUN.replace(":m:", ":m2:"), "batch", "x" + RUN):
        with pytest.raises(InvalidRunIdError):
            RunStore(run, client=client, settings=settings)
