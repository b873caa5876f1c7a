"""Keep a local stack up and say how to use it: `make local`."""

import shlex
import sys
import time

from infra.local.process import exit_on_signals
from infra.local.project import LocalStackError
from infra.local.stack import LocalStack

GUIDE = """\
The stack of template.yaml is up on {endpoint}. Ctrl-C stops it and everything in it.

Point boto3, the AWS CLI and `runstore` at it:

{exports}

The state machines and the table:

{outputs}

Then, for example:

  aws stepfunctions start-execution --state-machine-arn "$ORDER_FANOUT" \\
    --input '{{"customer": {{"id": 1}}, "line_items": [{{"id": "a"}}, {{"id": "b"}}], "delaySeconds": 1}}'
  aws stepfunctions list-executions --state-machine-arn "$ORDER_FANOUT" --query 'executions[].[name, status]'
  aws lambda invoke --function-name "$INCREMENT_COUNTER" --cli-binary-format raw-in-base64-out \\
    --payload '{{"runId": "my-run", "key": "n"}}' /dev/stdout
  python -c 'from runstore import RunStore; print(RunStore("my-run").snapshot())'
"""


def guide(stack: LocalStack) -> str:
    """Return how to point other programs at the stack."""
    names = {
        "RUNSTORE_TABLE": stack.table_name,
        "ORDER_FANOUT": stack.outputs["OrderFanoutArn"],
        "COUNTER_JSONATA": stack.outputs["CounterJsonataArn"],
        "INCREMENT_COUNTER": stack.outputs["IncrementCounterFunctionArn"],
    }
    return GUIDE.format(endpoint=stack.endpoint, exports=exports(stack.environment()), outputs=exports(names))


def exports(variables: dict[str, str]) -> str:
    """Return shell lines that set variables."""
    return "\n".join(f"  export {name}={shlex.quote(value)}" for name, value in variables.items())


def main() -> int:
    """Run until Ctrl-C or SIGTERM."""
    exit_on_signals()
    try:
        with LocalStack.start() as stack:
            print(guide(stack), flush=True)
            while True:
                time.sleep(1)  # not signal.pause(): a signal that comes just before it would be waited for in vain
    except KeyboardInterrupt:
        print("Stopped.")
    except LocalStackError as error:
        print(f"local stack: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
