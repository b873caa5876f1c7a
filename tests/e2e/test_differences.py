"""What the local stack still does differently from AWS: each row of the table in the docs, held to it by a test.

When one of these tests fails, the emulator has changed: mend the row, or delete it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from infra.local import LocalStack
from infra.local.functions import PLACES
from infra.local.project import ROOT
from tests.e2e.lambdas import Lambdas, archive
from tests.e2e.machines import make_role
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from tests.e2e.recording import RecordingStates

PAGE: Final = (ROOT / "docs" / "your-app-locally.md").read_text("utf-8")
ROWS: Final = re.findall(r"^\| \*\*(.+?)\*\* \|", PAGE, re.MULTILINE)
DIFFERENCES: Final = {
    "Account and region": "account",
    "Paths": "paths",
    "Batches": "batches",
    "Redrive of a distributed Map": "distributed_redrive",
    "Activities": "activities",
    "Express workflows": "express",
    "Permissions of a state machine": "permissions",
    "Logs of state machines": "machine_logs",
    "Restart": "restart",
    "Functions at once": "concurrency",
    "Files of functions": "files",
    "Memory and processor": "architecture",
    "Import of a handler": "slow_import",
    "Functions that invoke themselves": "recursion",
    "Metrics": "metrics",
    "Alarms on several metrics": "alarms",
    "Keys and networks": "keys_and_networks",
    "Numbers in DynamoDB": "numbers",
    "Throttling": "throttling",
}


@pytest.fixture(scope="module")
def functions(stack: LocalStack) -> Lambdas:
    """Functions of the tests' own."""
    return Lambdas(stack)


def test_the_table_has_a_row_and_a_test_for_each_difference() -> None:
    """The page's rows are those of this file, in the same order, and each has its test here."""
    assert list(DIFFERENCES) == ROWS
    assert all(f"test_{name}" in globals() for name in DIFFERENCES.values())


def test_account(stack: LocalStack) -> None:
    """Everything is in one account and one region."""
    assert stack.outputs["OrderFanoutArn"].startswith("arn:aws:states:us-east-1:000000000000:")


def test_paths(states: RecordingStates) -> None:
    """A path that leads nowhere gives null."""
    shown = {"Type": "Pass", "Parameters": {"a.$": "$.none"}, "End": True}
    assert states.machines.run({"Show": shown}).output == {"a": None}


def distributed(state: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a distributed Map over `items` that runs one state."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Do",
        "States": {"Do": state},
    }
    return {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor, "End": True, **fields}


def test_batches(states: RecordingStates) -> None:
    """ItemBatcher and ResultWriter are ignored: each item is an execution, and the results are the output."""
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "none", "Prefix": "p"}}
    each = distributed(
        {"Type": "Pass", "End": True}, ItemBatcher={"MaxItemsPerBatch": 2}, ResultWriter=writer, Label="Each"
    )
    assert states.machines.run({"Each": each}, {"items": [1, 2, 3]}).output == [1, 2, 3]


def test_distributed_redrive(states: RecordingStates) -> None:
    """A redrive runs all children of a distributed Map again, also those that had succeeded."""
    fails = {"fail.$": "States.ArrayContains(States.Array(2), $)"}
    run = {"table": states.stack.table_name, "run": "distributed-redrive", "note.$": "States.Format('{}', $)"}
    state = states.invoke(states.function, {**run, **fails})
    machine = states.machines.create({"Each": distributed(state, MaxConcurrency=1, Label="Each")})
    arn = states.machines.start(machine, {"items": [1, 2]})
    assert states.stack.wait(arn).status == "FAILED"
    states.client.redrive_execution(executionArn=arn)
    assert states.stack.wait(arn).status == "FAILED"
    assert states.notes("distributed-redrive") == {"1": 2, "2": 2}


def test_activities(states: RecordingStates) -> None:
    """A task of an activity waits on after its TimeoutSeconds."""
    activity = states.client.create_activity(name="waits")["activityArn"]
    task = {"Type": "Task", "Resource": activity, "TimeoutSeconds": 1, "End": True}
    arn = states.machines.start(states.machines.create({"Wait": task}))
    time.sleep(3)  # well beyond TimeoutSeconds
    assert states.stack.describe(arn).status == "RUNNING"
    states.client.stop_execution(executionArn=arn)


def test_express(states: RecordingStates) -> None:
    """An Express execution can be described and has a history."""
    definition = '{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}'
    made = states.client.create_state_machine(
        name="express", definition=definition, roleArn=states.machines.role, type="EXPRESS"
    )
    arn = states.machines.start(made["stateMachineArn"])
    assert states.stack.wait(arn).status == "SUCCEEDED"
    assert states.machines.history(arn)


def test_permissions(states: RecordingStates) -> None:
    """Integrations other than Lambda, DynamoDB and nested executions are not held to the role."""
    queue = states.stack.client("sqs").create_queue(QueueName="unguarded")["QueueUrl"]
    send = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": queue, "MessageBody": "x"},
        "End": True,
    }
    machine = states.machines.create({"Send": send})
    states.client.update_state_machine(stateMachineArn=machine, roleArn=make_role(states.stack, actions=[]))
    assert states.stack.wait(states.machines.start(machine)).status == "SUCCEEDED"


def test_machine_logs(states: RecordingStates) -> None:
    """LoggingConfiguration is taken and nothing is logged."""
    logs = states.stack.client("logs")
    logs.create_log_group(logGroupName="/machines")
    group = "arn:aws:logs:us-east-1:000000000000:log-group:/machines:*"
    made = states.client.create_state_machine(
        name="logged",
        definition='{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}',
        roleArn=states.machines.role,
        loggingConfiguration={
            "level": "ALL",
            "includeExecutionData": True,
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}],
        },
    )
    assert states.stack.wait(states.machines.start(made["stateMachineArn"])).status == "SUCCEEDED"
    assert logs.filter_log_events(logGroupName="/machines")["events"] == []


@pytest.mark.prove
def test_restart(tmp_path: Path) -> None:
    """What runs when the stack stops has failed when it starts again, and cannot be redriven."""
    order = {"customer": {"id": 1}, "line_items": [{"id": 1}], "delaySeconds": 600}
    with LocalStack.start(state=tmp_path) as stack:
        arn = stack.start_execution("OrderFanout", order)
        assert eventually(lambda: stack.items(arn))
    with LocalStack.start(state=tmp_path) as stack:
        execution = stack.describe(arn)
        assert (execution.status, execution.error) == ("FAILED", "States.ServiceRestart")
        client = stack.client("stepfunctions")
        with pytest.raises(client.exceptions.ExecutionNotRedrivable):
            client.redrive_execution(executionArn=arn)


def test_concurrency(functions: Lambdas) -> None:
    """No more than four functions for each processor run at once; the others wait."""
    name = functions.create("import time\ndef handler(e, c): return [time.time(), time.sleep(0.3), time.time()]")
    count = PLACES + 4
    with ThreadPoolExecutor(count) as pool:
        times = list(pool.map(lambda _: functions.invoke(name), range(count)))
    at_once = max(sum(start <= moment < end for start, _, end in times) for moment, _, _ in times)
    assert at_once <= PLACES == 4 * (os.cpu_count() or 1)


def test_files(functions: Lambdas) -> None:
    """Functions share /tmp with each other and with this machine, and can write to their code's folder."""
    name = f"runstore-{uuid.uuid4().hex}"
    body = "open('written', 'w').close(); open(e, 'a').write('x'); return open(e).read()"
    code = f"def handler(e, c):\n    {body}"
    file = Path("/tmp", name)  # noqa: S108 what functions share is the subject
    try:
        assert [functions.run(code, str(file)), functions.run(code, str(file))] == ["x", "xx"]
    finally:
        file.unlink()


def test_architecture(functions: Lambdas) -> None:
    """Architectures has no effect, and MemorySize limits nothing."""
    other = "x86_64" if platform.machine() in {"arm64", "aarch64"} else "arm64"
    code = "import platform\ndef handler(e, c): return [platform.machine(), len(bytearray(400_000_000))]"
    answer = functions.run(code, Architectures=[other], MemorySize=128)
    assert answer == [platform.machine(), 400_000_000]


@pytest.mark.prove
def test_slow_import(functions: Lambdas) -> None:
    """A handler may take longer than ten seconds to import."""
    assert functions.run("import time\ntime.sleep(11)\ndef handler(e, c): return 'imported'") == "imported"


def test_recursion(functions: Lambdas) -> None:
    """Nothing stops a function that invokes itself again and again, which Lambda does after 16 times or so."""
    name = functions.create(archive(app=RECURSIVE))
    assert functions.invoke(name, 18) == "the end"


RECURSIVE: Final = """
import boto3, json, os
def handler(event, context):
    if event == 0:
        return "the end"
    name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    answer = boto3.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event - 1).encode())
    return json.loads(answer["Payload"].read())
"""


def test_metrics(stack: LocalStack) -> None:
    """Metrics that functions write to their logs stay there."""
    stack.invoke("increment_counter", {"runId": "metrics", "key": "n"})
    assert stack.client("cloudwatch").list_metrics(Namespace="RunStore")["Metrics"] == []


def test_alarms(stack: LocalStack) -> None:
    """An alarm on an expression stays as it was deployed, whatever its metrics are; by the API it has none."""
    metric = {"Namespace": "Mine", "MetricName": "errors"}
    stat = {"Id": "errors", "ReturnData": False, "MetricStat": {"Period": 60, "Stat": "Sum", "Metric": metric}}
    total = {"Id": "total", "Expression": "SUM(METRICS())", "Label": "Total"}
    alarm = {
        "Metrics": [total, stat],
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": 1,
        "EvaluationPeriods": 1,
    }
    watch, formation = stack.client("cloudwatch"), stack.client("cloudformation")
    watch.put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "errors", "Value": 5}])
    resource = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": "deployed", **alarm}}
    formation.create_stack(StackName="alarm", TemplateBody=json.dumps({"Resources": {"Alarm": resource}}))
    formation.get_waiter("stack_create_complete").wait(StackName="alarm")
    watch.put_metric_alarm(AlarmName="put", **alarm)
    watch.put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "errors", "Value": 5}])
    deployed, put = watch.describe_alarms(AlarmNames=["deployed", "put"])["MetricAlarms"]
    assert (deployed["StateValue"], len(deployed["Metrics"])) == ("INSUFFICIENT_DATA", 2)
    assert (put["StateValue"], "Metrics" in put) == ("INSUFFICIENT_DATA", False)


def test_keys_and_networks(stack: LocalStack, functions: Lambdas) -> None:
    """A function in subnets that nobody has made, and a table with a key that nobody has made, do their work."""
    network = {"SubnetIds": ["subnet-0"], "SecurityGroupIds": ["sg-0"]}
    assert functions.run("def handler(e, c): return 'reached'", VpcConfig=network) == "reached"
    dynamodb = stack.client("dynamodb")
    dynamodb.create_table(
        TableName="encrypted",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY},
    )
    dynamodb.put_item(TableName="encrypted", Item={"k": {"S": "a"}})
    assert dynamodb.describe_table(TableName="encrypted")["Table"]["SSEDescription"]["KMSMasterKeyArn"] == KEY


KEY: Final = "arn:aws:kms:us-east-1:000000000000:key/0a1b2c3d-1111-2222-3333-444455556666"


def test_numbers(stack: LocalStack) -> None:
    """ADD rounds to 28 digits, without an error."""
    dynamodb, key = stack.client("dynamodb"), {"run_id": {"S": "numbers"}, "key": {"S": "n"}}
    for number in ("1" + "0" * 29, "1"):
        dynamodb.update_item(
            TableName=stack.table_name,
            Key=key,
            UpdateExpression="ADD amount :number",
            ExpressionAttributeValues={":number": {"N": number}},
        )
    found = dynamodb.get_item(TableName=stack.table_name, Key=key)["Item"]["amount"]["N"]
    assert int(found) != 10**29 + 1


def test_throttling(stack: LocalStack) -> None:
    """A table takes more than its capacity."""
    dynamodb = stack.client("dynamodb")
    dynamodb.create_table(
        TableName="tiny",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )
    for number in range(400):
        dynamodb.put_item(TableName="tiny", Item={"k": {"S": str(number)}, "v": {"S": "x" * 1_000}})
