"""Claims about how AWS itself behaves: permissions, times, names of errors, units, logs, metrics, keys, snapshots."""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from infra.local.interpreters import OWN_RUNTIME
from runstore import RunStore
from tests.aws.claims import CannotSettleError, Claim
from tests.aws.claims_workflows import expect, run_sample
from tests.aws.cost import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.aws.stacks import Deployment

METRIC_MINUTES: Final = 12


def later(look: Callable[[], Any], minutes: float = METRIC_MINUTES) -> Any:
    """Return what `look` finds as soon as it is true; CloudWatch and X-Ray take minutes."""
    deadline = time.monotonic() + minutes * 60
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(10)
    return found


def _error_names(deployment: Deployment) -> str:
    """Run a function into each kind of end, and look at the name that a Retry would have to match."""
    known = {
        "killed": {"Runtime.ExitError"},
        "memory": {"Runtime.OutOfMemory", "Runtime.ExitError"},
        "time": {"Sandbox.Timedout", "States.Timeout", "Lambda.Unknown"},
        "raised": {"ValueError"},
    }
    ends = ("killed", "time", "raised") if deployment.is_local else tuple(known)  # the emulator has no limit of memory
    client = deployment.stack.client("stepfunctions")
    seen = {}
    for end in ends:
        started = client.start_execution(
            stateMachineArn=deployment.samples["FaultyArn"], input=json.dumps({"end": end})
        )
        seen[end] = deployment.stack.wait(started["executionArn"]).error
    expect(all(seen[end] in known[end] for end in ends), seen)
    return ", ".join(f"{end}: {name}" for end, name in seen.items())


def _wait(deployment: Deployment) -> str:
    """Wait for a moment with 900 milliseconds, three times: if milliseconds are cut off, each wait ends before it."""
    client = deployment.stack.client("stepfunctions")
    early = []
    for _ in range(3):
        at = datetime.now(UTC).replace(microsecond=900_000) + timedelta(seconds=3)
        text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        started = client.start_execution(stateMachineArn=deployment.samples["WaitArn"], input=json.dumps({"at": text}))
        deployment.stack.wait(started["executionArn"])
        events = client.get_execution_history(executionArn=started["executionArn"])["events"]
        (ended,) = [event["timestamp"] for event in events if event["type"] == "WaitStateExited"]
        early.append((at - ended).total_seconds())
    expect(min(early) > 0 and max(early) < 1, f"ended {early} seconds before the timestamp")
    return f"waits ended {min(early):.2f} to {max(early):.2f} seconds before a timestamp with 900 milliseconds"


def _no_values(deployment: Deployment) -> str:
    """Store a value that nothing else has, read and push it, provoke an error with it, and look for it in the logs."""
    secret, stack = f"secret-{uuid.uuid4().hex}", deployment.stack
    run_id = f"logs-{uuid.uuid4().hex}"
    stack.invoke("set_value", {"runId": run_id, "key": "k", "value": secret})
    stack.invoke("get_value", {"runId": run_id, "key": "k"})
    stack.invoke("push_item", {"runId": run_id, "key": "list", "item": secret})
    if deployment.is_local:
        logged = stack.function_log.read_text("utf-8")
    else:
        logged = later(lambda: _logged(deployment, run_id))
    expect(run_id in logged, "the invocations have not been logged")
    expect(secret not in logged, "a value is in the logs")
    return "the run id was logged, its values were not"


def _logged(deployment: Deployment, text: str) -> str:
    logs = deployment.stack.client("logs")
    groups = [f"/aws/lambda/{deployment.store_name}-{name}" for name in ("get-value", "set-value", "push-item")]
    found = [
        event["message"]
        for group in groups
        for event in logs.filter_log_events(logGroupName=group, limit=1_000)["events"]
    ]
    joined = "\n".join(found)
    return joined if joined.count(text) >= len(groups) else ""


def _failed_condition(deployment: Deployment) -> str:
    """Fail a condition on a 9.5 KB item a hundred times, and read from CloudWatch what that consumed."""
    stack, client = deployment.stack, deployment.stack.client("dynamodb")
    name = f"{deployment.name}-units"
    client.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    deployment.undo_later("the table of units", lambda: client.delete_table(TableName=name))
    client.get_waiter("table_exists").wait(TableName=name)
    client.put_item(TableName=name, Item={"id": {"S": "a"}, "text": {"S": "x" * 9_500}})
    for _ in range(100):
        try:
            client.update_item(
                TableName=name,
                Key={"id": {"S": "a"}},
                UpdateExpression="SET #n = :n",
                ConditionExpression="attribute_not_exists(id)",
                ExpressionAttributeNames={"#n": "n"},
                ExpressionAttributeValues={":n": {"N": "1"}},
            )
        except client.exceptions.ConditionalCheckFailedException:
            continue

    def consumed() -> float:
        points = stack.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/DynamoDB",
            MetricName="ConsumedWriteCapacityUnits",
            Dimensions=[{"Name": "TableName", "Value": name}],
            StartTime=datetime.now(UTC) - timedelta(hours=1),
            EndTime=datetime.now(UTC),
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(point["Sum"] for point in points))

    units = later(lambda: consumed() if consumed() > 100 else 0)
    expect(
        900 <= units <= 1_100,
        f"{units} write units for 100 failed conditions on an item of 9.5 KB, and 10 for the item",
    )
    return f"{units:.0f} write units: a failed condition costs the size of the item that it met"


def _metrics(deployment: Deployment) -> str:
    """Look for the metrics that the functions log."""
    deployment.stack.invoke("increment_counter", {"runId": f"metrics-{uuid.uuid4().hex}", "key": "n"})
    watch = deployment.stack.client("cloudwatch")
    names = later(lambda: {each["MetricName"] for each in watch.list_metrics(Namespace=deployment.name)["Metrics"]})
    expect("Requests" in names, names)
    return f"CloudWatch made metrics of the log lines: {', '.join(sorted(names))}"


def _alarm(deployment: Deployment) -> str:
    """Count a defect as a function would, and wait for its alarm."""
    if deployment.parameters()["Alarms"] == "false":
        raise CannotSettleError("this emulator takes no alarm on several metrics, so the stack has none")
    watch = deployment.stack.client("cloudwatch")
    name = _resource(deployment, _resource(deployment, deployment.store_name, "OperationsAlarms"), "DefectsAlarm")
    (alarm,) = watch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    expect(alarm["StateValue"] != "ALARM", "the alarm is in ALARM before there is a defect")
    datum = {"MetricName": alarm["MetricName"], "Dimensions": alarm["Dimensions"], "Value": 1, "Unit": "Count"}
    watch.put_metric_data(Namespace=alarm["Namespace"], MetricData=[datum])
    state = later(lambda: watch.describe_alarms(AlarmNames=[name], StateValue="ALARM")["MetricAlarms"])
    expect(state, f"after {METRIC_MINUTES} minutes the alarm is not in ALARM")
    return "one defect put its alarm into ALARM"


def _resource(deployment: Deployment, stack_name: str, logical_id: str) -> str:
    """Return the physical id of a stack's resource."""
    formation = deployment.stack.client("cloudformation")
    found = formation.describe_stack_resource(StackName=stack_name, LogicalResourceId=logical_id)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def _traces(deployment: Deployment) -> str:
    """Run the sample workflow, and look for the functions in X-Ray."""
    run_sample(deployment, kind="join", width=1)
    deployment.stack.invoke("increment_counter", {"runId": f"traces-{uuid.uuid4().hex}", "key": "n"})
    tracing = deployment.stack.client("xray")

    def found() -> list[Any]:
        now = datetime.now(UTC)
        summaries: list[Any] = tracing.get_trace_summaries(
            StartTime=now - timedelta(minutes=20),
            EndTime=now,
            FilterExpression=f'service("{_function_name(deployment, "IncrementCounter")}")',
        )["TraceSummaries"]
        return summaries

    traces = later(found)
    expect(traces, "X-Ray has no trace of the function")
    return f"X-Ray has {len(traces)} trace(s) of increment_counter"


def _function_name(deployment: Deployment, resource: str) -> str:
    arn = deployment.stack.outputs[f"{resource}FunctionArn"]
    return arn.split(":")[6]


def _key(deployment: Deployment) -> str:
    """Give the table a new customer managed key, use every operation, and take the key away again."""
    keys, stack = deployment.stack.client("kms"), deployment.stack
    made = keys.create_key(Description=f"{deployment.name}: make test-aws")["KeyMetadata"]
    deployment.undo_later("the key", lambda: keys.schedule_key_deletion(KeyId=made["KeyId"], PendingWindowInDays=7))
    deployment.deploy_store(KmsKeyArn=made["Arn"])
    description = stack.client("dynamodb").describe_table(TableName=stack.table_name)["Table"]["SSEDescription"]
    expect(description["KMSMasterKeyArn"] == made["Arn"], description)
    run_id = f"key-{uuid.uuid4().hex}"
    stack.invoke("set_value", {"runId": run_id, "key": "k", "value": 1})
    stack.invoke("push_item", {"runId": run_id, "key": "list", "item": 1})
    count = stack.invoke("increment_counter", {"runId": run_id, "key": "n"})
    expect(count["value"] == 1, count)
    deleted = stack.invoke("complete_run", {"runId": run_id})
    expect(deleted["deleted"] == 3, deleted)
    deployment.deploy_store()
    return "the functions read and wrote a table with a customer managed key"


def _snapstart(deployment: Deployment) -> str:
    """Measure cold starts without and with SnapStart, from the lines that Lambda adds to the log."""
    if OWN_RUNTIME == "python3.11":
        raise CannotSettleError("SnapStart needs Python 3.12 or later: make test-aws PYTHON=python3.13 VENV=.venv-3.13")
    before = _cold_start(deployment, "Init Duration")
    deployment.deploy_store(SnapStartRelease="test")
    after = _cold_start(deployment, "Restore Duration")
    run = f"snap-{uuid.uuid4().hex}"
    results = {deployment.stack.invoke("increment_counter", {"runId": run, "key": "n"})["value"] for _ in range(5)}
    expect(results == {1, 2, 3, 4, 5}, results)
    deployment.deploy_store()
    expect(after < before, f"a start took {before:.0f} ms, and a restore {after:.0f} ms")
    return f"a start took {before:.0f} ms, and a restore {after:.0f} ms"


def _cold_start(deployment: Deployment, line: str) -> float:
    """Return the duration in milliseconds that Lambda reports for a function's first invocation."""
    functions, arn = deployment.stack.client("lambda"), deployment.stack.outputs["IncrementCounterFunctionArn"]
    if line == "Init Duration":  # a changed setting makes the next invocation a cold start
        functions.update_function_configuration(FunctionName=arn, Description=f"cold {uuid.uuid4().hex[:8]}")
        functions.get_waiter("function_updated_v2").wait(FunctionName=arn)
    payload = json.dumps({"runId": f"cold-{uuid.uuid4().hex}", "key": "n"}).encode()
    answer = functions.invoke(FunctionName=arn, Payload=payload, LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode()
    found = re.search(rf"{line}: ([\d.]+) ms", log)
    expect(found, f"Lambda reports no {line}: {log[-300:]}")
    assert found is not None
    return float(found[1])


def _expiry(deployment: Deployment) -> str:
    """Look whether the table deletes what has expired; DynamoDB promises some days."""
    stack = deployment.stack
    run_id = f"expiry-{uuid.uuid4().hex}"
    RunStore(run_id, table_name=stack.table_name, client=stack.client("dynamodb")).set("k", 1)
    (item,) = stack.items(run_id)
    ttl = stack.client("dynamodb").describe_time_to_live(TableName=stack.table_name)["TimeToLiveDescription"]
    expect(ttl["TimeToLiveStatus"] in {"ENABLED", "ENABLING"} and ttl["AttributeName"] in item, (ttl, item))
    return f"expiry is on, by the attribute {ttl['AttributeName']} that items have"


LOCAL_METRICS: Final = "the emulator makes no metrics of log lines"
UPDATED: Final = "the stack would have to be deployed with other parameters"
NAMED: Final = "its alarms and its namespace may be set in another way"

CLAIMS: Final = [
    Claim(
        "error-names", "Step Functions names ends of functions as the Retry lists expect", _error_names, Usage(12, 4)
    ),
    Claim("wait-granularity", "A Wait until a timestamp cuts off its milliseconds", _wait, Usage(9)),
    Claim("logs", "Run ids are logged, values are not", _no_values, Usage(0, 3, 3, 3)),
    Claim("expiry", "The table expires items by the attribute that they have", _expiry, Usage(writes=1)),
    Claim(
        "failed-condition",
        "A failed condition costs write units by the size of the item that it met",
        _failed_condition,
        Usage(writes=1_010),
        local="the emulator counts no units of failed conditions",
    ),
    Claim(
        "metrics",
        "The functions' log lines become metrics",
        _metrics,
        Usage(0, 1, 1),
        local=LOCAL_METRICS,
        adopted=NAMED,
    ),
    Claim(
        "alarms",
        "A defect makes its alarm go off",
        _alarm,
        adopted=NAMED,
    ),
    Claim(
        "traces",
        "X-Ray shows the functions with Tracing=Active",
        _traces,
        Usage(20, 10, 50, 50, traces=30),
        local="the emulator has no X-Ray",
    ),
    Claim(
        "key",
        "A customer managed key encrypts the table, and the functions can use it",
        _key,
        Usage(0, 4, 8, 4, key_hours=1),
        local="the emulator encrypts nothing, and evaluates no key policy",
        adopted=UPDATED,
    ),
    Claim(
        "snapstart",
        "With SnapStart the functions start sooner, and work as without",
        _snapstart,
        Usage(0, 10, 10, 10, snapshot_hours=1),
        local="the emulator takes no snapshots",
        adopted=UPDATED,
    ),
]
