"""Least privilege, measured: what each function asks of DynamoDB is what the template allows it, no more, no less."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

import apply_operations
import complete_run
import delete_key
import get_value
import get_values
import increment_counter
import push_item
import retire_run
import send_event
import set_value
from runstore import RunStore, Settings
from runstore.dynamodb import defaults
from runstore.store import table_of
from runstore.workflow.proofs import event_token
from runstore.workflow.records import Records
from runstore.workflow.run_record import Run
from runstore.workflow.waits import WaitRecords
from tests.backends import Backend
from tests.deployment.definition import Definition

RUN = "arn:aws:states:eu-central-1:123456789012:execution:m:least-privilege"
HANDLERS: dict[str, Callable[..., Any]] = {
    "GetValue": get_value.handler,
    "GetValues": get_values.handler,
    "SetValue": set_value.handler,
    "PushItem": push_item.handler,
    "IncrementCounter": increment_counter.handler,
    "DeleteKey": delete_key.handler,
    "ApplyOperations": apply_operations.handler,
    "SendEvent": send_event.handler,
    "CompleteRun": complete_run.handler,
    "RetireRun": retire_run.handler,
}
# IAM knows no transactions: each write of one needs the permission of its own action.
TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}
DAY = 86_400


class Recorder:
    """Calls the handlers, and notes the DynamoDB actions that their requests need."""

    def __init__(self, backend: Backend, patch: pytest.MonkeyPatch) -> None:
        self.table_name = backend.make_table()
        self._patch = patch
        self._client = backend.client()
        self._function = ""
        self.actions: dict[str, set[str]] = {name: set() for name in HANDLERS}
        self.tables: set[str] = set()
        self.requests: list[dict[str, Any]] = []
        self._client.meta.events.register("provide-client-params.dynamodb.*", self._note)
        patch.setenv("RUNSTORE_TABLE", self.table_name)
        patch.setattr(defaults.process, "transport", defaults.transport_of(self._client))

    def _note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if not self._function:
            return
        self.requests.append(params)
        needed = {model.name}
        requests = [params]
        if model.name == "TransactWriteItems":
            needed = {TRANSACTED[kind] for write in params["TransactItems"] for kind in write}
            requests = [request for write in params["TransactItems"] for request in write.values()]
        self.actions[self._function] |= {f"dynamodb:{name}" for name in needed}
        for request in requests:
            self.tables |= {request["TableName"]} if "TableName" in request else set(request["RequestItems"])

    def call(self, function: str, **event: Any) -> Any:
        """Invoke a function on the run."""
        self._function = function
        try:
            return HANDLERS[function]({"runId": RUN, **event})
        finally:
            self._function = ""

    def retire(self, status: str, retention: str, redrives: int = 0) -> None:
        """Tell retire_run of a status, under this RUNSTORE_FAILED_RETENTION_DAYS."""
        now = int(time.time() * 1_000) + DAY * 1_000
        detail = {"executionArn": RUN, "status": status, "redriveCount": redrives, "stopDate": now, "redriveDate": now}
        self._patch.setenv("RUNSTORE_FAILED_RETENTION_DAYS", retention)
        self._function = "RetireRun"
        try:
            HANDLERS["RetireRun"](
                {
                    "source": "aws.states",
                    "account": "123456789012",
                    "region": "eu-central-1",
                    "detail-type": "Step Functions Execution Status Change",
                    "detail": detail,
                }
            )
        finally:
            self._function = ""

    def send_event(self) -> list[str]:
        """Send an event to a wait of the run, and again; return which calls of Step Functions that took."""
        table, calls = table_of(self.store), []
        run = Run(None, time.time() + DAY, 0, "", "secret", None, -1, clearing=False)
        Records(table).begin_run(run, "{}")
        WaitRecords(table, "1", "decide").add_waiter("task", time.time() + DAY)

        class StepFunctions:
            def send_task_success(self, **_: Any) -> None:
                calls.append("states:SendTaskSuccess")

        self._patch.setattr("runstore.workflow.sending.step_functions", StepFunctions)
        self._function = "SendEvent"
        try:
            for _ in range(2):
                HANDLERS["SendEvent"]({"token": event_token("secret", RUN, "1", "decide"), "body": {"approved": True}})
        finally:
            self._function = ""
        return calls

    def forget(self) -> None:
        """Start the functions as in a new process: they have cached no tails."""
        self._patch.setattr(defaults.process, "transport", defaults.transport_of(self._client))

    @property
    def store(self) -> RunStore:
        """The same run, from beside: its requests are not noted."""
        return RunStore(RUN, client=self._client, settings=Settings(self.table_name))

    def expire(self, key: str) -> None:
        """Let the item of a key be over."""
        self._client.update_item(
            TableName=self.table_name,
            Key={"run_id": {"S": RUN}, "key": {"S": key}},
            UpdateExpression="SET expires_at = :past",
            ExpressionAttributeValues={":past": {"N": "1"}},
        )


@pytest.fixture
def recorder(dynamodb_local_backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """The handlers on a table of DynamoDB Local."""
    return Recorder(dynamodb_local_backend, monkeypatch)


BIG = "x" * 2_000


def exercise(recorder: Recorder) -> None:
    """Go every way that the functions have: open, closed and expired heads, tokens, resets, every end of a run."""
    for name, add in (("PushItem", {"item": "small"}), ("IncrementCounter", {"delta": 1})):
        key = f"of-{name}"
        recorder.call(name, key=key, **add)
        recorder.call("GetValue", key=key)
        recorder.expire(key)
        recorder.call(name, key=key, **add)  # an open head that has expired
        for number in range(60):
            recorder.call(name, key=key, **add, token=f"token-{number}")
        recorder.forget()
        recorder.call(name, key=key, **add, token="token-59")  # cold, known
        recorder.forget()
        recorder.call(name, key=key, **add, token="token-60")  # cold, new
        recorder.forget()
        recorder.call(name, key=key, **add)  # cold, without a token
        recorder.call("GetValue", key=key)
        recorder.expire(key)
        recorder.forget()
        recorder.call(name, key=key, **add)  # a closed head that has expired: its chain is sealed
    for number in range(30):
        recorder.call("PushItem", key="long", item={"text": BIG, "n": number})
    recorder.call("PushItem", key="long", items=[BIG] * 20, token="many")
    recorder.call("GetValue", key="long", start=20, limit=3)
    recorder.call("SetValue", key="long", value=[BIG] * 20)  # a closed head, by a long list
    recorder.call("SetValue", key="long", value="short")  # a closed head, by a value
    recorder.call("SetValue", key="long", value=1)
    recorder.call("SetValue", key="first", value=1, ifAbsent=True)
    recorder.call("SetValue", key="first", value=2, ifAbsent=True)
    recorder.call("GetValues")
    recorder.call("PushItem", key="other", items=[BIG] * 20)
    recorder.call("PushItem", key="other", item=1)
    recorder.call("DeleteKey", key="other")  # a closed head
    recorder.call("DeleteKey", key="long")  # an open head
    for number, operations in enumerate(
        (
            [{"do": "push", "key": "list", "item": BIG}] * 40,
            [{"do": "increment", "key": "n"}] * 60,
            [{"do": "get", "key": "list"}, {"do": "get", "key": "n"}],
            [{"do": "set", "key": "list", "value": [BIG] * 20}, {"do": "set", "key": "n", "value": 1}],
            [{"do": "push", "key": "list", "item": 1}, {"do": "increment", "key": "n"}],
            [{"do": "delete", "key": "list"}, {"do": "delete", "key": "n"}],
        )
    ):
        recorder.forget()
        recorder.call("ApplyOperations", operations=operations, token=f"apply-{number}")
    recorder.send_event()
    for status, retention, redrives in (
        ("FAILED", "30", 0),
        ("RUNNING", "30", 1),
        ("TIMED_OUT", "30", 1),
        ("RUNNING", "30", 2),
        ("ABORTED", "0", 2),
        ("SUCCEEDED", "30", 3),
    ):
        recorder.store.push("left", BIG)
        recorder.store.set("value", 1)
        recorder.retire(status, retention, redrives)
    recorder.store.set("value", 1)
    recorder.call("CompleteRun")


def test_an_operation_is_permitted_whatever_calls_it() -> None:
    """apply_operations may do what the five functions may whose operations it does."""
    roles = Definition("stack", {}).of("AWS::IAM::Role")
    allowed = {name: set(_table_actions(roles[f"{name}Role"])) for name in HANDLERS}
    five = ("GetValue", "SetValue", "PushItem", "IncrementCounter", "DeleteKey")
    assert allowed["ApplyOperations"] == set().union(*(allowed[name] for name in five))


def test_send_event_may_wake_a_branch_and_do_nothing_else(recorder: Recorder) -> None:
    """Of Step Functions it calls what its role allows, on state machines of its own account and region."""
    statements = Definition("stack", {}).resources["SendEventRole"]["Policies"][0]["PolicyDocument"]["Statement"][2:]
    assert [each["Action"] for each in statements] == sorted(set(recorder.send_event()))
    assert [each["Resource"] for each in statements] == ["arn:aws:states:us-east-1:000000000000:stateMachine:*"]


def _table_actions(role: dict[str, Any]) -> list[str]:
    actions: list[str] = role["Policies"][0]["PolicyDocument"]["Statement"][0]["Action"]
    return actions


def test_each_function_may_do_what_it_does_and_nothing_else(recorder: Recorder) -> None:
    """For every function, and for a step that does all they do, the requests' actions are exactly the policy's."""
    exercise(recorder)
    roles = Definition("stack", {}).of("AWS::IAM::Role")
    allowed = {name: roles[f"{name}Role"]["Policies"][0]["PolicyDocument"]["Statement"][0] for name in HANDLERS}
    assert recorder.actions == {name: set(statement["Action"]) for name, statement in allowed.items()}
    assert recorder.tables == {recorder.table_name}
    assert {statement["Resource"] for statement in allowed.values()} == {"<Table.Arn>"}
    # What docs/deployment.md gives to a step that uses every method of the package.
    step = Definition("stack", {}).resources["OrderWorkflowFunctionRole"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert set().union(*recorder.actions.values()) == set(step[0]["Action"])


# What AWS cannot scope, with its reason; the X-Ray and log delivery actions have no resource type in IAM.
UNSCOPED = {
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"),
    *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery"),
    *("logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"),
}


def test_wildcards_stand_only_where_aws_knows_nothing_narrower() -> None:
    """No action has a wildcard; a resource is one only for listed actions, a machine's executions, and task tokens."""
    key = "arn:aws:kms:us-east-1:000000000000:key/1"
    everything = {"Tracing": "Active", "StateMachineLogLevel": "ALL", "KmsKeyArn": key, "SnapStartRelease": "1"}
    definition = Definition("stack", everything)
    documents = [each["PolicyDocument"] for each in definition.of("AWS::IAM::ManagedPolicy").values()]
    documents += [
        policy["PolicyDocument"] for role in definition.of("AWS::IAM::Role").values() for policy in role["Policies"]
    ]
    found: set[str] = set()
    for statement in (each for document in documents for each in document["Statement"]):
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        assert "*" not in json.dumps(actions)
        if statement["Resource"] == "*":
            found |= set(actions)
        elif "*" in json.dumps(statement["Resource"]):
            executions = {"states:DescribeExecution", "states:StopExecution"}
            scope = "-workflow:*" if set(actions) == executions else ":states:us-east-1:000000000000:stateMachine:*"
            assert statement["Resource"].endswith(scope), statement
            assert set(actions) in (executions, {"states:SendTaskSuccess"})
    assert found == UNSCOPED
