"""Deal with runs that ended outside their completion state: EventBridge event -> {runId, status, deleted, retained}."""

from runstore.aws_lambda.entry_point import event_entry_point

handler = event_entry_point("retire_run")
