"""The class that users derive their workflows from."""

from typing import TYPE_CHECKING

from runstore.workflow.definition import Definition, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar

    from runstore.workflow.api import HookApi
    from runstore.workflow.errors import StepFailure


class Workflow:
    """A workflow: `start`, its steps and its hooks, driven by the state machine `workflow.asl.json`.

    `start(self, data, headers, api)` begins every run; every other public method is a step with the same arguments.
    A step runs at least once and its outcome counts once: what it pushes, increments and schedules is neither doubled
    nor lost when it is tried again; whatever else it does outside of the store should be safe to repeat.
    A class that could not work raises WorkflowDefinitionError when it is defined.

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

    __runstore_workflow__: "ClassVar[Definition]"

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Check the class and keep what it declares."""
        super().__init_subclass__(**kwargs)
        cls.__runstore_workflow__ = read(cls, Workflow)

    def on_workflow_complete(self, api: "HookApi") -> "Any":
        """Runs once, when every branch has ended and before the state is deleted. Override it.

        What it returns is the execution's output: JSON of at most 190,000 bytes as Lambda writes it, with a space after
        each comma and colon (and, before Python 3.12, what is not ASCII escaped). A larger output, and what it raises,
        is logged, and the run succeeds all the same, with the output null.
        """

    def on_workflow_error(self, error: "StepFailure", api: "HookApi") -> None:
        """Runs once, when a step's last attempt has failed. Override it. What it raises is logged; the run fails."""

    @classmethod
    def lambda_handler(cls, *, table_name: str | None = None, client: "Any" = None) -> "Callable[[Any, Any], Any]":
        """Return the Lambda handler that runs this class for its state machine.

        Args:
            table_name: The run store's table; by default RUNSTORE_TABLE.
            client: A boto3 DynamoDB client; by default one is made at the first invocation.
        """
        from runstore.workflow.handler import make_handler  # noqa: PLC0415 boto3 and Powertools only where they run

        return make_handler(cls, table_name=table_name, client=client)
