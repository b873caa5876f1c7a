"""State machines of the tests' own, with a role that may do everything."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.local import Execution, LocalStack

TRUSTED = ["states.amazonaws.com", "lambda.amazonaws.com", "events.amazonaws.com"]


def make_role(stack: LocalStack, actions: Sequence[str] = ("*",)) -> str:
    """Make a role that services may take on and that may do this, by default everything; return its ARN."""
    iam, name = stack.client("iam"), f"test-{uuid.uuid4().hex[:8]}"
    trust = {"Effect": "Allow", "Principal": {"Service": TRUSTED}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    if actions:
        allowed = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_role_policy(RoleName=name, PolicyName="allowed", PolicyDocument=policy)
    return arn


class Machines:
    """Creates state machines and runs them."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.client = stack.client("stepfunctions")
        self.role = make_role(stack)

    def create(self, states: dict[str, Any], **fields: Any) -> str:
        """Create a machine that starts at its first state, and return its ARN."""
        definition = {"StartAt": next(iter(states)), "States": states, **fields}
        made = self.client.create_state_machine(
            name=f"test-{uuid.uuid4().hex[:8]}", definition=json.dumps(definition), roleArn=self.role
        )
        return str(made["stateMachineArn"])

    def start(self, machine: str, document: Any = None) -> str:
        """Start an execution and return its ARN."""
        started = self.client.start_execution(
            stateMachineArn=machine, input=json.dumps(document or {}, ensure_ascii=False)
        )
        return str(started["executionArn"])

    def run(self, states: dict[str, Any], document: Any = None, **fields: Any) -> Execution:
        """Create a machine, run it once, and return its end."""
        return self.stack.wait(self.start(self.create(states, **fields), document))

    def history(self, execution_arn: str) -> list[dict[str, Any]]:
        """Return the events of an execution."""
        pages = self.client.get_paginator("get_execution_history").paginate(executionArn=execution_arn)
        return [dict(event) for page in pages for event in page["events"]]
