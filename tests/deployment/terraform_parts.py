"""What the Terraform module deploys, part by part, in the form of `sam_parts`.

Terraform spells out the names that CloudFormation makes up: they become the template's tokens (`<Table.Arn>`).
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.deployment.definition import ACCOUNT, REGION
from tests.deployment.sam_parts import Part, statements_of

WORKFLOWS = ("send-email-workflow", "order-workflow", "approval-workflow", "import-workflow")
MACHINES = ("order-fanout", "counter-jsonata", *WORKFLOWS)
FUNCTIONS = (
    *("get-value", "get-values", "set-value", "push-item", "increment-counter", "delete-key"),
    *("apply-operations", "send-event", "complete-run", "retire-run"),
    *WORKFLOWS,
)
DOCUMENTS = ("policy", "assume_role_policy", "definition", "event_pattern", "dashboard_body")  # JSON within JSON


def logical(key: str) -> str:
    """Return the template's logical id for a key of the module: GetValue for get-value."""
    return "".join(word.capitalize() for word in key.split("-"))


def function(key: str) -> str:
    """Return the logical id of a function."""
    return logical(key) + ("Function" if key in WORKFLOWS else "")


def with_tokens(parts: Any, name: str) -> Any:
    """Return anything made of JSON with tokens for the names that a module of this name gives."""
    here = f"{REGION}:{ACCOUNT}"
    tokens = {
        f"arn:aws:dynamodb:{here}:table/{name}": "<Table.Arn>",
        f"arn:aws:sqs:{here}:{name}-retire-run-dead-letters": "<RetireRunDeadLetters.Arn>",
        f"arn:aws:events:{here}:rule/{name}-execution-ends": "<ExecutionEnds.Arn>",
        f"arn:aws:logs:{here}:log-group:/aws/vendedlogs/states/{name}:*": "<StateMachineLogs.Arn>",
        f'"{name}-retire-run-dead-letters"': '"<RetireRunDeadLetters.QueueName>"',
        f'"{name}"': '"<Table>"',
    }
    for key in FUNCTIONS:
        arn = f"arn:aws:lambda:{here}:function:{name}-{key}"
        tokens |= {
            f"{arn}:live": f"<{function(key)}Alias>",
            arn: f"<{function(key)}.Arn>",
            f"arn:aws:logs:{here}:log-group:/aws/lambda/{name}-{key}:*": f"<{logical(key)}Logs.Arn>",
            f"arn:aws:iam::{ACCOUNT}:role/{name}-{key}-{REGION}": f"<{function(key)}Role.Arn>",
            f'"/aws/lambda/{name}-{key}"': f'"<{logical(key)}Logs>"',
            f'"{name}-{key}"': f'"<{function(key)}>"',
        }
    for key in MACHINES:
        tokens[f"arn:aws:states:{here}:stateMachine:{name}-{key}"] = f"<{logical(key)}>"
        tokens[f"arn:aws:iam::{ACCOUNT}:role/{name}-{key}-states-{REGION}"] = f"<{logical(key)}Role.Arn>"
    text = json.dumps(parts)
    for spelled in sorted(tokens, key=len, reverse=True):
        text = text.replace(spelled, tokens[spelled])
    return json.loads(text)


class Module:
    """The planned resources of the module, by address and key."""

    def __init__(self, resources: Iterable[Mapping[str, Any]], name: str) -> None:
        self._found: dict[str, dict[str, Any]] = {}
        for resource in resources:
            values = {
                key: json.loads(value) if key in DOCUMENTS else value for key, value in resource["values"].items()
            }
            address = f"{resource['type']}.{resource['name']}"
            self._found.setdefault(address, {})[str(resource.get("index", ""))] = with_tokens(values, name)

    def of(self, address: str) -> dict[str, Any]:
        """Return the resources of an address by their keys."""
        return self._found.get(address, {})

    def parts(self, unknown: frozenset[str] = frozenset()) -> dict[str, Part]:
        """Return the parts; those that a plan cannot know yet are empty."""
        makers: dict[str, Callable[[], Part]] = {
            "functions": lambda: {
                function(key): _function(each) for key, each in self.of("aws_lambda_function.function").items()
            },
            "roles": lambda: {
                **{f"{function(key)}Role": each for key, each in self._roles("function").items()},
                **{f"{logical(key)}Role": each for key, each in self._roles("state_machine").items()},
            },
            "log groups": lambda: {
                **{
                    f"{logical(key)}Logs": (each["name"], each["retention_in_days"], each["kms_key_id"] or None)
                    for key, each in self.of("aws_cloudwatch_log_group.function").items()
                },
                **_single(
                    "StateMachineLogs",
                    (
                        (each["name"], each["retention_in_days"], each["kms_key_id"] or None)
                        for each in self.of("aws_cloudwatch_log_group.state_machines").values()
                    ),
                ),
            },
            "state machines": lambda: {
                logical(key): _machine(each) for key, each in self.of("aws_sfn_state_machine.example").items()
            },
            "table": lambda: _single("Table", (_table(each) for each in self.of("aws_dynamodb_table.runs").values())),
            "layer": lambda: {
                "RunStoreLayer": [
                    (each["description"], sorted(each["compatible_runtimes"]))
                    for each in self.of("aws_lambda_layer_version.runstore").values()
                ]
            },
            "rule": self._rule,
            "who may invoke": lambda: {
                logical(key.replace("_", "-")): (
                    each["action"],
                    each["function_name"],
                    each["principal"],
                    each["source_arn"],
                )
                for key, each in self.of("aws_lambda_permission.retire_run").items()
            },
            "queue": lambda: {
                **_single(
                    "RetireRunDeadLetters",
                    (
                        (
                            each["message_retention_seconds"],
                            # A plan on top of a queue without a key still shows what that one had.
                            None if each["kms_master_key_id"] else each.get("sqs_managed_sse_enabled"),
                            each["kms_master_key_id"] or None,  # what AWS answers where there is none
                        )
                        for each in self.of("aws_sqs_queue.dead_letters").values()
                    ),
                ),
                **_single(
                    "RetireRunDeadLettersPolicy",
                    (
                        statements_of(each["policy"]["Statement"])
                        for each in self.of("aws_sqs_queue_policy.dead_letters").values()
                    ),
                ),
            },
            "failed events": lambda: _single(
                "RetireRun",
                (
                    (
                        each["function_name"],
                        each["qualifier"],
                        each["maximum_retry_attempts"],
                        each["maximum_event_age_in_seconds"],
                        each["destination_config"][0]["on_failure"][0]["destination"],
                    )
                    for each in self.of("aws_lambda_function_event_invoke_config.retire_run").values()
                ),
            ),
            "aliases": lambda: {
                f"{logical(key)}Alias": (each["name"], each["function_name"])
                for key, each in self.of("aws_lambda_alias.function").items()
            },
            "alarms": lambda: {
                f"{key}Alarm": _alarm(each) for key, each in self.of("aws_cloudwatch_metric_alarm.alarm").items()
            },
            "dashboard": lambda: _single(
                "OperationsDashboard",
                (each["dashboard_body"] for each in self.of("aws_cloudwatch_dashboard.operations").values()),
            ),
        }
        return {name: {} if name in unknown else make() for name, make in makers.items()}

    def _roles(self, name: str) -> dict[str, Any]:
        policies = self.of(f"aws_iam_role_policy.{name}")
        return {
            key: {
                "trust": each["assume_role_policy"],
                "may": statements_of(policies[key]["policy"]["Statement"]),
                "boundary": each["permissions_boundary"] or None,
            }
            for key, each in self.of(f"aws_iam_role.{name}").items()
        }

    def _rule(self) -> dict[str, Any]:
        targets = [
            {
                "arn": each["arn"],
                "retries": (
                    each["retry_policy"][0]["maximum_retry_attempts"],
                    each["retry_policy"][0]["maximum_event_age_in_seconds"],
                ),
                "dead letters": each["dead_letter_config"][0]["arn"],
                "input": (
                    each["input_transformer"][0]["input_paths"],
                    each["input_transformer"][0]["input_template"],
                ),
            }
            for each in self.of("aws_cloudwatch_event_target.retire_run").values()
        ]
        found = {}
        for each in self.of("aws_cloudwatch_event_rule.execution_ends").values():
            pattern = each["event_pattern"]
            pattern["detail"]["stateMachineArn"].sort()
            found["ExecutionEnds"] = {"pattern": pattern, "targets": targets}
        return found


def _single(name: str, made: Iterable[Any]) -> Part:
    """Return {name: the one that was made}, or nothing."""
    return dict(zip((name,), made, strict=False))


def _function(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "handler": values["handler"],
        "description": values["description"],
        "runtime": values["runtime"],
        "architectures": values["architectures"],
        "memory": values["memory_size"],
        "timeout": values["timeout"],
        "environment": values["environment"][0]["variables"],
        "tracing": values["tracing_config"][0]["mode"],
        "logs": values["logging_config"][0]["log_group"],
        "snapstart": values["snap_start"][0]["apply_on"] if values["snap_start"] else "None",
        "role": values["role"],
        "network": next(([each["subnet_ids"], each["security_group_ids"]] for each in values["vpc_config"]), None),
        "concurrency": values["reserved_concurrent_executions"],
    }


def _machine(values: Mapping[str, Any]) -> dict[str, Any]:
    logging = [
        (each["level"], each["include_execution_data"], [each["log_destination"]])
        for each in values["logging_configuration"]
        if each["level"] != "OFF"  # what AWS answers where there is none
    ]
    return {
        "type": values["type"],
        "definition": values["definition"],
        "role": values["role_arn"],
        "tracing": any(each["enabled"] for each in values["tracing_configuration"]),
        "logging": logging[0] if logging else None,
    }


def _table(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "billing": values["billing_mode"],
        "keys": {"HASH": values["hash_key"], "RANGE": values["range_key"]},
        "attributes": {each["name"]: each["type"] for each in values["attribute"]},
        "ttl": (values["ttl"][0]["attribute_name"], values["ttl"][0]["enabled"]),
        "recovery": values["point_in_time_recovery"][0]["enabled"],
        "protection": values["deletion_protection_enabled"],
        "key": next((each["kms_key_arn"] for each in values["server_side_encryption"]), None),
        "throughput": {
            name: each[field]
            for each in values["on_demand_throughput"]
            for name, field in (
                ("MaxReadRequestUnits", "max_read_request_units"),
                ("MaxWriteRequestUnits", "max_write_request_units"),
            )
            if each[field] is not None
        },
    }


def _alarm(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "description": values["alarm_description"],
        "actions": [values["alarm_actions"], values["ok_actions"]],
        "comparison": (values["comparison_operator"], values["threshold"]),
        "periods": (values["evaluation_periods"], values["datapoints_to_alarm"]),
        "missing": values["treat_missing_data"],
        "metrics": (
            {
                query["id"]: (query["expression"], query["label"])
                if query["expression"]
                else tuple(
                    query["metric"][0][name] for name in ("namespace", "metric_name", "dimensions", "period", "stat")
                )
                for query in values["metric_query"]
            }
            if values["metric_query"]
            else tuple(values[name] for name in ("namespace", "metric_name", "dimensions", "period", "statistic"))
        ),
    }
