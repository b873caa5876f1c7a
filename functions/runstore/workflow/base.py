"""The class that users derive their workflows from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstore.workflow.definition import Definition, inspect_workflow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, ClassVar

    from runstore.workflow.api import HookApi
    from runstore.workflow.errors import StepFailure


class Workflow:
    """A workflow: `start`, its steps and its hooks, driven by the state machine `workflow.asl.json`.

    `start(self, data, headers, api)` begins every run; every other public method is a step with the same arguments.
    A step runs at least once and its outcome counts once: what it pushes, increments and schedules is neither doubled
    nor lost when it is tried again; whatever else it does outside of the store should be safe to repeat. What a step
    returns is not used, and logged as a warning unless it is None. A class that could not work raises
    WorkflowDefinitionError when it is defined.

    Example:
        ```python
        class OrderWorkflow(Workflow):
            def start(self, data, headers, api):
                for item in data["line_items"]:
                    api.schedule_next_step(delay=10, action="process_item", payload={"item": item})

            def process_item(self, data, headers, api):
                api.run_store.push("results", {"id": data["item"]["id"], "status": "done"})

        handler = OrderWorkflow.lambda_handler()
        ```
    """

    __runstore_workflow__: ClassVar[Definition]

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Check the class and keep what it declares."""
        super().__init_subclass__(**kwargs)
        cls.__runstore_workflow__ = inspect_workflow(cls, Workflow)

    def on_workflow_complete(self, api: HookApi) -> Any:
        """Run once, when every branch has ended and before the state is deleted. Override it.

        The return value is the execution's output: JSON of at most 190,000 bytes as Lambda writes it, with a space
        after each comma and colon (and, before Python 3.12, non-ASCII escaped). A larger output, and an error of the
        hook, is logged; the run still succeeds, with the output null.
        """

    def on_workflow_error(self, error: StepFailure, api: HookApi) -> None:
        """Run once, when a step has failed for good and nothing handles it. Override it.

        An error of the hook is logged; the run fails with the step's error.
        """

    @classmethod
    def lambda_handler(cls, *, table_name: str | None = None, client: Any = None) -> Callable[[Any, Any], Any]:
        """Return the Lambda handler that runs this class for its state machine.

        Args:
            table_name: The run store's table; by default RUNSTORE_TABLE.
            client: A boto3 DynamoDB client; by default one is made at the first invocation.
        """
        from runstore.workflow.handler import make_handler  # noqa: PLC0415 Powertools only where it runs

        return make_handler(cls, table_name=table_name, client=client)

    @classmethod
    def start_execution(
        cls,
        data: Any,
        headers: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        state_machine_arn: str | None = None,
        client: Any = None,
    ) -> str:
        """Start a run of this workflow and return its id, the ARN of the execution.

        With a `key`, one run only: each further call with the same key returns the id of the first run, also with other
        data and after it has ended, until Step Functions forgets the name 90 days after the end. Without a key each
        call starts a run; a request that the client repeats still starts one.

        Args:
            data: What `start` gets as `data`: any JSON value of at most 190,000 bytes.
            headers: What every step gets as `headers`: an object of at most 16,384 bytes.
            key: Text of 1 to 256 UTF-8 bytes without control characters, such as an order's number.
            state_machine_arn: The workflow's state machine; by default RUNSTORE_STATE_MACHINE_ARN.
            client: A boto3 Step Functions client; by default one is made for the call.

        Raises:
            InvalidValueError, ValueTooLargeError, InvalidRequestError: The data, headers or key are wrong.
            ConfigurationError: There is no such state machine, or the caller may not start it.
            ThrottledError, UnavailableError: Try again, with the key.
        """
        from runstore.workflow.starting import start_execution  # noqa: PLC0415 most processes start nothing

        return start_execution(data, headers, key=key, state_machine_arn=state_machine_arn, client=client)
