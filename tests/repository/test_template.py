"""What template.yaml, its nested stack and the state machines promise, read from their files."""

import importlib
import json
import re
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
ALARMS: dict[str, Any] = yaml_parse((ROOT / "infra" / "alarms.yaml").read_text(encoding="utf-8"))
NESTED: dict[str, Any] = yaml_parse((ROOT / "infra" / "examples.yaml").read_text(encoding="utf-8"))
MAX_LINES = 900  # of the file that a user reads before deploying
OPERATIONS = [
    *("GetValue", "GetValues", "SetValue", "PushItem", "IncrementCounter", "DeleteKey", "ApplyOperations", "SendEvent"),
    *("CompleteRun", "RetireRun"),
]
EXAMPLES = {"OrderFanout": "order_fanout", "CounterJsonata": "counter_jsonata"}
TRANSIENT = {
    "ThrottledError",
    "UnavailableError",
    "IncompleteCompletionError",
    "Lambda.TooManyRequestsException",
    "Lambda.SnapStartNotReadyException",
    "Lambda.SnapStartTimeoutException",
    "Lambda.ResourceNotReadyException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Sandbox.Timedout",
    "States.Timeout",
}


def machine(name: str) -> dict[str, Any]:
    """Return an example state machine's definition."""
    path = ROOT / "infra" / NESTED["Resources"][name]["Properties"]["DefinitionS3Location"]
    definition: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return definition


def all_states(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the states of a machine, those inside of a Map too."""
    found = dict(definition["States"])
    for state in definition["States"].values():
        if state["Type"] == "Map":
            found |= all_states(state["ItemProcessor"])
    return found


def tasks(name: str) -> dict[str, dict[str, Any]]:
    """Return the Task states of an example."""
    return {key: state for key, state in all_states(machine(name)).items() if state["Type"] == "Task"}


def arguments(state: dict[str, Any]) -> dict[str, Any]:
    """Return what a Task gives to lambda:invoke, in either query language."""
    given: dict[str, Any] = state["Parameters"] if "Parameters" in state else state["Arguments"]
    return given


def statements(role: str) -> list[dict[str, Any]]:
    """Return the statements of a role's own policies."""
    policies = (RESOURCES | NESTED["Resources"])[role]["Properties"]["Policies"]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_function_has_an_entry_point(name: str) -> None:
    """Each function's Handler is a `handler` in a module of its own in functions/."""
    module, _, attribute = RESOURCES[name]["Properties"]["Handler"].rpartition(".")
    assert attribute == "handler"
    assert module == re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    assert callable(importlib.import_module(module).handler)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_role_reaches_the_table_and_its_own_logs_only(name: str) -> None:
    """A function may do its own actions on the one table and write its own logs; retire_run also its queue."""
    table, logs, *more = statements(f"{name}Role")
    assert table["Action"] == {"Fn::FindInMap": ["TableActions", name, "Actions"]}
    assert table["Resource"] == {"Fn::GetAtt": ["Table", "Arn"]}
    assert logs["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert logs["Resource"] == {"Fn::GetAtt": [f"{name}Logs", "Arn"]}
    queue = [
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": ["RetireRunDeadLetters", "Arn"]}},
        {"Fn::If": ["HasQueueKey", ANY, {"Ref": "AWS::NoValue"}]},
    ]
    if name == "SendEvent":
        machines = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:*"
        assert more == [{"Effect": "Allow", "Action": "states:SendTaskSuccess", "Resource": {"Fn::Sub": machines}}]
    else:
        assert more == (queue if name == "RetireRun" else [])


def test_no_function_may_scan_or_do_everything() -> None:
    """The table actions are named one by one, and a Scan, which reads all runs, is none of them."""
    for name in OPERATIONS:
        actions = TEMPLATE["Mappings"]["TableActions"][name]["Actions"]
        assert len(actions) == len(set(actions))
        assert all(re.fullmatch(r"dynamodb:[A-Z][A-Za-z]+", action) for action in actions)
        assert "dynamodb:Scan" not in actions


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_calls_lambda_and_nothing_else(name: str) -> None:
    """Every Task of an example invokes a function, gives up in time and names its run by the execution."""
    for state in tasks(name).values():
        assert state["Resource"] == "arn:aws:states:::lambda:invoke"
        assert state["TimeoutSeconds"] > 0
        payload = arguments(state)["Payload"]
        assert payload.get("runId.$") == "$$.Execution.Id" or payload["runId"] == "{% $states.context.Execution.Id %}"


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_retries_what_can_pass(name: str) -> None:
    """Every Task lists the transient errors by their own names, with growing and scattered pauses."""
    for key, state in tasks(name).items():
        retry = state["Retry"][-1]
        assert set(retry["ErrorEquals"]) >= TRANSIENT, key
        assert retry["JitterStrategy"] == "FULL"
        assert retry["BackoffRate"] > 1


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_never_catches_what_a_redrive_can_mend(name: str) -> None:
    """Only errors that the same request meets again are caught, so any other failure is redriven where it happened."""
    for state in all_states(machine(name)).values():
        for catch in state.get("Catch", []):
            assert not TRANSIENT & set(catch["ErrorEquals"])
            assert "States.ALL" not in catch["ErrorEquals"]
            assert machine(name)["States"][catch["Next"]]["Type"] == "Fail"


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_branch_changes_the_run_with_a_token_of_its_own(name: str) -> None:
    """Every push and increment has a token that is built from the state's name and the Map index."""
    seen = 0
    for key, state in tasks(name).items():
        given = arguments(state)
        if given["FunctionName"] in {"${PushItemArn}", "${IncrementCounterArn}", "${ApplyOperationsArn}"}:
            token = given["Payload"].get("token.$") or given["Payload"]["token"]
            assert "State.Name" in token, key
            assert "index" in token, key
            seen += 1
    assert seen


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_may_invoke_exactly_what_it_calls(name: str) -> None:
    """The functions in the definition, in its substitutions and in its role are the same ones."""
    called = set(re.findall(r"\$\{(\w+)Arn\}", json.dumps(machine(name))))
    substituted = NESTED["Resources"][name]["Properties"]["DefinitionSubstitutions"]
    assert substituted == {f"{function}Arn": {"Ref": f"{function}Arn"} for function in called}
    (invoke,) = statements(f"{name}Role")
    assert invoke["Action"] == "lambda:InvokeFunction"
    assert sorted(map(str, invoke["Resource"])) == sorted(map(str, substituted.values()))


def test_nested_stacks_get_every_parameter() -> None:
    """The parameters of a nested stack are those that template.yaml passes; a function's ARN is its alias's, if any."""
    for stack, nested in (("Examples", NESTED), ("OperationsAlarms", ALARMS)):
        passed = RESOURCES[stack]["Properties"]["Parameters"]
        assert passed.keys() == nested["Parameters"].keys()
        for name in passed.keys() & TEMPLATE["Parameters"].keys():
            whole, joined = {"Ref": name}, {"Fn::Join": [",", {"Ref": name}]}
            is_list = TEMPLATE["Parameters"][name]["Type"] == "CommaDelimitedList"
            assert passed[name] == (joined if is_list else whole)
        for function in OPERATIONS:
            arn = {"Fn::If": ["HasSnapStart", {"Ref": f"{function}Alias"}, {"Fn::GetAtt": [function, "Arn"]}]}
            assert passed.get(f"{function}Arn", arn) == arn
            assert passed.get(function, {"Ref": function}) == {"Ref": function}


def test_nested_stacks_need_no_further_capability() -> None:
    """A nested stack with a transform would need CAPABILITY_AUTO_EXPAND, which `sam deploy` does not give by itself."""
    assert "Transform" not in NESTED
    assert "Transform" not in ALARMS


def test_every_example_is_watched() -> None:
    """The rule hears of the end of every example, and template.yaml has each as an output."""
    machines = {key for key, each in NESTED["Resources"].items() if each["Type"] == "AWS::StepFunctions::StateMachine"}
    _, watched = NESTED["Outputs"]["StateMachineArns"]["Value"]["Fn::Join"]
    assert {each["Ref"] for each in watched} == machines
    for name in sorted(machines):
        assert TEMPLATE["Outputs"][f"{name}Arn"]["Value"] == {"Fn::GetAtt": ["Examples", f"Outputs.{name}Arn"]}


def test_the_template_can_be_read() -> None:
    """It stays short enough for someone who wants to know what it deploys."""
    lines = (ROOT / "template.yaml").read_text(encoding="utf-8").splitlines()
    assert len(lines) < MAX_LINES


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_fans_out_at_most_forty_wide(name: str) -> None:
    """Every Map says its width: Step Functions runs about forty iterations of an inline Map at once."""
    maps = [state for state in all_states(machine(name)).values() if state["Type"] == "Map"]
    assert [state["MaxConcurrency"] for state in maps] == [40]


def test_events_of_other_machines_are_not_taken() -> None:
    """The rule names state machines by ARN, and of RUNNING events takes only a redrive's."""
    detail = RESOURCES["ExecutionEnds"]["Properties"]["EventPattern"]["detail"]
    assert detail["stateMachineArn"]
    ends, redrive = detail["$or"]
    assert ends == {"status": ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]}
    assert redrive == {"status": ["RUNNING"], "redriveCount": [{"numeric": [">", 0]}]}


def test_everything_another_stack_needs_is_an_output() -> None:
    """Table, layer, functions, queue, examples, and the settings that steps must share, are outputs."""
    functions = {f"{name}FunctionArn" for name in OPERATIONS}
    examples = {f"{name}Arn" for name in EXAMPLES}
    shared = {"TableName", "TableArn", "MaxValueBytes", "TtlDays", "LayerArn"}
    assert set(TEMPLATE["Outputs"]) >= {"DeadLetterQueueUrl", "DeadLetterQueueArn"} | shared | functions | examples


def test_only_what_never_changes_is_exported() -> None:
    """An upgrade changes no export: CloudFormation would refuse it for as long as another stack imports that."""
    exports = {key: each["Export"]["Name"] for key, each in TEMPLATE["Outputs"].items() if "Export" in each}
    assert exports == {
        key: {"Fn::Sub": f"${{AWS::StackName}}-{key}"}
        for key in ("TableName", "TableArn", "DeadLetterQueueUrl", "DeadLetterQueueArn")
    }


@pytest.mark.parametrize(
    ("arn", "taken"),
    [
        ("", True),
        ("arn:aws:states:eu-central-1:123456789012:stateMachine:orders", True),
        ("arn:aws-cn:states:cn-north-1:123456789012:stateMachine:orders_2", True),
        ("arn:aws:states:eu-central-1:123456789012:stateMachine:orders:live", False),
        ("arn:aws:states:eu-central-1:123456789012:stateMachine:orders:3", False),
        ("arn:aws:states:eu-central-1:123456789012:stateMachine:*", False),
        ("arn:aws:states:eu-central-1:123456789012:execution:orders", False),
        ("orders", False),
    ],
)
def test_a_machine_that_no_event_would_name_is_refused(arn: str, taken: bool) -> None:  # noqa: FBT001
    """StateMachineArns takes what the events hold: a machine's ARN without version, alias or wildcard."""
    assert (re.fullmatch(TEMPLATE["Parameters"]["StateMachineArns"]["AllowedPattern"], arn) is not None) == taken


def test_only_named_rules_reach_retire_run() -> None:
    """The stack's own rule may invoke it and fill its queue, and rules with the prefix of a parameter."""
    further = {"Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${RetirementRulePrefix}*"}
    own = {"Fn::GetAtt": ["ExecutionEnds", "Arn"]}
    permissions = {key: each for key, each in RESOURCES.items() if each["Type"] == "AWS::Lambda::Permission"}
    assert {key: (each["Condition"], each["Properties"]["SourceArn"]) for key, each in permissions.items()} == {
        "ExecutionEndsPermission": ("WatchesExecutions", own),
        "FurtherRulesPermission": ("HasRulePrefix", further),
    }
    (statement,) = RESOURCES["RetireRunDeadLettersPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    rules = statement["Condition"]["ArnLike"]["aws:SourceArn"]
    assert [each["Fn::If"][:2] for each in rules] == [["WatchesExecutions", own], ["HasRulePrefix", further]]


@pytest.mark.parametrize(
    ("parameter", "value", "taken"),
    [
        ("DynamoDBEndpointUrl", "", True),
        ("DynamoDBEndpointUrl", "https://dynamodb-fips.us-east-1.amazonaws.com", True),
        ("DynamoDBEndpointUrl", "https://vpce-1.dynamodb.us-east-1.vpce.amazonaws.com:443", True),
        ("DynamoDBEndpointUrl", "http://127.0.0.1:8000", True),
        ("DynamoDBEndpointUrl", "http://localhost", True),
        ("DynamoDBEndpointUrl", "http://[::1]:8000", True),
        ("DynamoDBEndpointUrl", "http://dynamodb.us-east-1.amazonaws.com", False),
        ("DynamoDBEndpointUrl", "http://localhost.example", False),
        ("DynamoDBEndpointUrl", "http://127.0.0.1@example", False),
        ("DynamoDBEndpointUrl", "https://user@example", False),
        ("DynamoDBEndpointUrl", "https://example/path", False),
        ("RunIdPrefixes", "arn:aws:states:eu-central-1:123456789012:execution:orders-", True),
        ("RunIdPrefixes", "orders-*", False),
        ("RunIdPrefixes", "orders-?", False),
        ("RunIdPrefixes", "${aws:username}", False),
        ("RetirementRulePrefix", "orders-", True),
        ("RetirementRulePrefix", "*", False),
        ("SubnetIds", "subnet-0a1b2c3d", True),
        ("SubnetIds", "10.0.0.0/24", False),
        ("SecurityGroupIds", "sg-0a1b2c3d", True),
        ("SecurityGroupIds", "default", False),
        ("PermissionsBoundaryArn", "arn:aws:iam::123456789012:policy/team/boundary", True),
        ("PermissionsBoundaryArn", "arn:aws:iam::123456789012:role/boundary", False),
    ],
)
def test_a_parameter_refuses_what_it_could_not_mean(parameter: str, value: str, taken: bool) -> None:  # noqa: FBT001
    """CloudFormation refuses these values before it changes anything."""
    assert (re.fullmatch(TEMPLATE["Parameters"][parameter]["AllowedPattern"], value) is not None) == taken


def test_what_an_execution_was_given_never_reaches_retire_run() -> None:
    """The rule passes on what identifies a change of status, and neither inputs nor outputs."""
    (target,) = RESOURCES["ExecutionEnds"]["Properties"]["Targets"]
    paths = target["InputTransformer"]["InputPathsMap"]
    assert {path.rpartition(".")[2] for path in paths.values()} == {
        *("source", "detail-type", "account", "region", "time"),
        *("executionArn", "status", "redriveCount", "redriveDate", "stopDate"),
    }
    template = json.loads(target["InputTransformer"]["InputTemplate"])
    used = re.findall(r"<(\w+)>", json.dumps(template))
    assert sorted(used) == sorted(paths)


def test_the_ends_of_executions_with_any_name_are_watched() -> None:
    """A name says nothing: a root execution may be called as the engine calls a child."""
    assert "name" not in RESOURCES["ExecutionEnds"]["Properties"]["EventPattern"]["detail"]
