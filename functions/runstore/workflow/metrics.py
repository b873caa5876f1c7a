"""What a workflow's function counts in CloudWatch, and how it marks its traces.

One line of metrics (CloudWatch's embedded metric format) for an invocation that has something to count, with the
dimensions service and workflow, and once more with service alone. So their number grows with the workflow classes of a
deployment, never with runs, steps or actions.

    Runs            begun
    Attempts        of steps
    Steps           that ended well
    AttemptFailures attempts that failed, time-outs and killed processes among them
    StepTimeouts    attempts that ran out of time
    StepFailures    steps that failed after their last attempt
    CompletedRuns   ended well
    FailedRuns      failed

A repeated invocation may count again; the counts are for alarms, the run's records for facts.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from runstore.workflow.errors import StepTimeoutError

if TYPE_CHECKING:
    from runstore.workflow.failures import Failure

Counts = Counter[str]


def count_failure(counts: Counts, failure: Failure) -> None:
    """Count an attempt that has failed."""
    counts["AttemptFailures"] += 1
    if failure.name == StepTimeoutError.__name__:
        counts["StepTimeouts"] += 1


def write(counts: Counts, workflow: str) -> None:
    """Write what an invocation has counted, if anything."""
    if not counts:
        return
    from runstore.aws_lambda.powertools import Metrics, MetricUnit  # noqa: PLC0415 nothing to count, nothing to import

    service = os.environ.get("POWERTOOLS_SERVICE_NAME", "runstore")
    metrics = Metrics(namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "runstore"), service=service)
    metrics.add_dimension("workflow", workflow)
    metrics.add_dimensions(service=service)
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    metrics.flush_metrics()
