"""Runs a whole workflow in process: no AWS, no waiting, steps in an order that the test chooses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runstore.errors import InvalidRequestError
from runstore.model.values import describe, encode
from runstore.testing.in_process import LIMITS, Run
from runstore.testing.memory import InMemoryRunStore

if TYPE_CHECKING:
    from typing import Any

    from runstore.testing.in_process import Failures, Order
    from runstore.testing.results import WorkflowResult
    from runstore.workflow.base import Workflow


def run_workflow(  # noqa: PLR0913 all but two are by keyword, each with a default
    workflow: type[Workflow],
    data: Any = None,
    *,
    headers: Mapping[str, Any] | None = None,
    order: Order = "scheduled",
    seed: int = 0,
    failures: Failures | None = None,
    events: Mapping[str, Any] | None = None,
    store: InMemoryRunStore | None = None,
) -> WorkflowResult:
    """Run a workflow from `start` to its end, with the rules of the state machine and without its waits.

    Steps run one at a time, each when it is due in simulated time; timeouts of attempts are not enforced. Payloads are
    copied through JSON as in production, failed attempts are repeated with their backoff, and hooks are called.

    Args:
        workflow: The class.
        data: What `start` gets as `data`: any JSON value.
        headers: What every step gets as `headers`.
        order: Which of the steps that are due at the same time runs next: "scheduled" (first come, first served),
            "random" (by `seed`), or a function of the steps that returns the index of one.
        seed: For "random": the same seed, the same order.
        failures: Steps that fail, by action: with a number, every such step fails so many times with InjectedError;
            with an exception, it fails each time with that. The step's code runs before it fails, so that a test can
            check that a second attempt repeats nothing.
        events: The bodies of events, by the action that waits for one: `{"approve": {"ok": True}}`. Each wait for the
            action gets it at once. A wait for another action times out.
        store: The store of the run, if it must have state before, or you want to read it afterwards; by default a new
            one.

    Raises:
        InvalidRequestError: `data`, `headers` or an event is not JSON, `workflow` is not a workflow class, `failures`
            or `events` names no step of it, or another argument is wrong.

    Example:
        ```python
        def test_every_item_is_processed():
            result = run_workflow(OrderWorkflow, {"line_items": [{"id": 1}, {"id": 2}]}, order="random")
            assert result.status == "SUCCEEDED"
            assert result.state["processedCount"] == 2
        ```
    """
    bodies = _check(workflow, order, failures or {}, events or {})
    if headers is not None and not isinstance(headers, Mapping):
        raise InvalidRequestError(f"headers must be an object; got {describe(headers)}")
    run = Run(workflow, dict(headers or {}), order, seed, failures or {}, bodies, store or InMemoryRunStore())
    return run.to_the_end(data)


def _check(workflow: Any, order: Any, failures: Any, events: Any) -> dict[str, str]:
    """Raise InvalidRequestError for what would fail late, or would test nothing; return the events as JSON."""
    definition = getattr(workflow, "__runstore_workflow__", None)
    if definition is None or not isinstance(workflow, type):
        raise InvalidRequestError(f"workflow must be a class that derives from Workflow; got {workflow!r:.100}")
    if order not in ("scheduled", "random") and not callable(order):
        raise InvalidRequestError(f'order must be "scheduled", "random" or a function; got {order!r:.100}')
    for name, given in (("failures", failures), ("events", events)):
        if not isinstance(given, Mapping):
            raise InvalidRequestError(f"{name} must be an object with a member for each step; got {given!r:.100}")
        if unknown := [action for action in given if action not in definition.steps]:
            steps = ", ".join(sorted(definition.steps))
            raise InvalidRequestError(f"{name} must name steps of {definition.name} ({steps}); got {unknown[0]!r:.100}")
    for action, wanted in failures.items():
        counted = isinstance(wanted, int) and not isinstance(wanted, bool) and wanted >= 0
        if not counted and not isinstance(wanted, Exception):
            raise InvalidRequestError(
                f"failures of {action} must be how often the step fails, from 0, or the exception that it fails with "
                f'each time, such as ValueError("broken"); got {wanted!r:.100}'
            )
    limit = LIMITS.max_payload_bytes
    return {action: encode(body, f"the event of {action}", limit)[0] for action, body in events.items()}
