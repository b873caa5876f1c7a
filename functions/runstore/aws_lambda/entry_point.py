"""What all Lambda functions of the run store share: validation of events and results, logs and metrics.

An invocation writes one log line and one set of metrics (CloudWatch's embedded metric format): run id, key, operation,
sizes, requests and time, never a value. Lambda's runtime adds its own lines; after a failure, one with the error and
its traceback. Metrics have the dimensions service and operation, so their number does not grow with runs or keys; each
is also counted with only the dimension service, for alarms on all functions at once.
"""

from __future__ import annotations

import inspect
import json
import os
from typing import TYPE_CHECKING

from runstore import clock
from runstore.aws_lambda import startup
from runstore.aws_lambda.context import limited, time_left
from runstore.aws_lambda.powertools import Logger, Metrics, MetricUnit
from runstore.aws_lambda.results import check_result
from runstore.errors import (
    ConfigurationError,
    InvalidRequestError,
    RunStoreError,
)
from runstore.store import RunStore, table_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runstore.lifecycle.completion import TimeLeft

    Event = dict[str, Any]
    Result = dict[str, Any]
    Handler = Callable[[Event, Any], Result]

_LOGGED = 1_024  # characters of a run id or key, and of an error's text, that are logged
_SHOWN = 100  # characters of an unknown field's name in an error

_SLOW = 3 / 4  # of the function's time-out

_NULLABLE = {"value", "item", "body"}
_SIZED = ("value", "item", "items", "operations", "body")
_SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "runstore")
_NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "runstore")


def _line(record: Event) -> str:
    """Return a log line. Lone surrogates, which cannot be written, are escaped as in JSON."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str)
    return text.encode("utf-8", "backslashreplace").decode()


logger = Logger(service=_SERVICE, json_serializer=_line)
metrics = Metrics(namespace=_NAMESPACE, service=_SERVICE)


def entry_point(*variants: Callable[..., Result]) -> Handler:
    """Return the Lambda handler of an operation.

    A variant is a function whose first parameter is the run's store. The others are the event's fields apart from
    runId, optional if they have a default. Of several variants, uses the one whose fields the event has. A parameter
    `time_left` is not a field: it gets the function that returns the seconds that the invocation has left.
    """
    operation = variants[0].__module__.rpartition(".")[2]
    fields = [_Fields(variant) for variant in variants]

    def answer(event: Event, context: Any, log_fields: Event) -> Result:
        if not isinstance(event, dict):
            raise InvalidRequestError(f"the event of {operation} must be an object; got {_type_of(event)}")
        log_fields |= {name: event[name][:_LOGGED] for name in ("runId", "key") if isinstance(event.get(name), str)}
        chosen = _choose(fields, event, operation)
        arguments = {name: value for name, value in event.items() if name != "runId"}
        if chosen.timed:
            arguments["time_left"] = time_left(context)
        store = RunStore(event["runId"])
        try:
            result = chosen.variant(store, **arguments)
            log_fields |= {f"{name}_bytes": _size(event[name]) for name in _SIZED if name in event}
            return result
        finally:
            log_fields["requests"] = store.requests

    return _serve(operation, answer)


def plain_entry_point(function: Callable[..., Result]) -> Handler:
    """Return the Lambda handler of an operation whose event names no run: the function's parameters are its fields."""
    operation = function.__module__.rpartition(".")[2]
    fields = [_Fields(function, of_run=False)]

    def answer(event: Event, _: TimeLeft | None, log_fields: Event) -> Result:
        if not isinstance(event, dict):
            raise InvalidRequestError(f"the event of {operation} must be an object; got {_type_of(event)}")
        result = _choose(fields, event, operation).variant(**event)
        log_fields |= {"runId": result.get("runId")} | {f"{n}_bytes": _size(event[n]) for n in _SIZED if n in event}
        return result

    return _serve(operation, answer)


def event_entry_point(operation: str) -> Handler:
    """Return the Lambda handler for EventBridge's status changes of executions."""
    from runstore.lifecycle import retirement, status_event  # noqa: PLC0415 the other functions start sooner without it

    def answer(event: Event, context: Any, log_fields: Event) -> Result:
        change = status_event.parse(event, status_event.owner_of_function(context))
        log_fields |= {"runId": change.run_id, "status": change.status, "redrives": change.redrives}
        store = RunStore(change.run_id)
        done = retirement.retire(table_of(store), change, time_left(context))
        log_fields |= {**done._asdict(), "requests": store.requests}
        return {"runId": change.run_id, "status": change.status, "deleted": done.deleted, "retained": done.retained}

    return _serve(operation, answer)


def _serve(operation: str, answer: Callable[[Event, Any, Event], Result]) -> Handler:
    startup.prepare()

    def handler(event: Event, context: Any = None) -> Result:
        started = clock.elapsed()
        log_fields: Event = {"operation": operation, "function_request_id": getattr(context, "aws_request_id", None)}
        try:
            with limited(context):
                result = answer(event, context, log_fields)
            log_fields["result_bytes"] = check_result(result)
        except Exception as failure:
            _report(log_fields, started, time_left(context), failure)
            raise
        _report(log_fields, started, time_left(context))
        return result

    return handler


class _Fields:
    """The fields of an event that belong to a variant."""

    def __init__(self, variant: Callable[..., Result], *, of_run: bool = True) -> None:
        parameters = list(inspect.signature(variant).parameters.values())[int(of_run) :]
        run_id = ["runId"] if of_run else []
        self.variant = variant
        self.timed = any(parameter.name == "time_left" for parameter in parameters)
        fields = [parameter for parameter in parameters if parameter.name != "time_left"]
        self.required = {*run_id, *(field.name for field in fields if field.default is field.empty)}
        self.known = [*run_id, *(field.name for field in fields)]

    def described(self) -> str:
        return ", ".join(name if name in self.required else f"{name}?" for name in self.known)


def _choose(variants: list[_Fields], event: Event, operation: str) -> _Fields:
    """Return the variant that the event is for, or raise InvalidRequestError, which names the field."""
    must = f"the event of {operation} must be " + " or ".join(f"{{{fields.described()}}}" for fields in variants)
    for name in event:
        if not any(name in fields.known for fields in variants):
            raise InvalidRequestError(f"{must}; got the unknown field {name[:_SHOWN]!r}")
        if event[name] is None and name not in _NULLABLE:
            needed = all(name in fields.required for fields in variants if name in fields.known)
            advice = "" if needed else ". Leave it out, or give it a value"
            raise InvalidRequestError(f"{must}; {name} is null{advice}")
    fitting = [fields for fields in variants if event.keys() <= set(fields.known)]
    if not fitting:
        own = [name for name in event if not all(name in fields.known for fields in variants)]
        raise InvalidRequestError(f"{must}; {' and '.join(own)} exclude each other")
    for fields in fitting:
        if event.keys() >= fields.required:
            return fields
    raise InvalidRequestError(f"{must}; {_missing(fitting, event)}")


def _missing(variants: list[_Fields], event: Event) -> str:
    """Say which fields the event lacks for every variant, and of which fields it lacks one."""
    lacking = [name for name in variants[0].known if all(name in fields.required - event.keys() for fields in variants)]
    own = [name for fields in variants for name in fields.known if name in fields.required - event.keys() - {*lacking}]
    if own:
        lacking.append(f"one of {', '.join(own)}")
    return f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing"


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def _type_of(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def _report(log_fields: Event, started: float, remaining: TimeLeft | None, failure: Exception | None = None) -> None:
    seconds = clock.elapsed() - started
    log_fields["duration_ms"] = round(seconds * 1_000, 3)
    if failure is None:
        logger.info("done", extra=log_fields)
    elif isinstance(failure, RunStoreError):
        log = logger.error if isinstance(failure, ConfigurationError) else logger.warning
        log("failed", extra=log_fields | {"error": type(failure).__name__, "reason": str(failure)[:_LOGGED]})
    else:
        logger.error("failed unexpectedly", exc_info=failure, extra=log_fields | {"error": type(failure).__name__})
    metrics.add_dimension("operation", log_fields["operation"])
    metrics.add_dimensions(service=_SERVICE)
    metrics.add_metric("Requests", MetricUnit.Count, log_fields.get("requests", 0))
    if remaining is not None and seconds > _SLOW * (seconds + remaining()):
        metrics.add_metric("SlowInvocations", MetricUnit.Count, 1)
    if failure is not None:
        metrics.add_metric(type(failure).__name__, MetricUnit.Count, 1)
        if isinstance(failure, ConfigurationError) or not isinstance(failure, RunStoreError):
            metrics.add_metric("Defects", MetricUnit.Count, 1)
    metrics.flush_metrics()
