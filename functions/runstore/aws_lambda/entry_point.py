"""What every Lambda function of the run store has in common: decoding, validation, errors, logs and metrics.

An invocation writes one log line and one set of metrics (CloudWatch's embedded metric format): run id, key, operation,
sizes, requests and time, never a value. Lambda's runtime adds lines of its own, after a failure one with the error and
where it came from. Metrics have the dimensions service and operation, so their number does not grow with runs or keys;
each also counts with the dimension service alone, for alarms on all functions at once.
"""

import inspect
import json
import os
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from runstore import clock
from runstore.errors import (
    ConfigurationError,
    InvalidRequestError,
    InvalidValueError,
    ResultTooLargeError,
    RunStoreError,
)
from runstore.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runstore.lifecycle.completion import TimeLeft

    Event = dict[str, Any]
    Result = dict[str, Any]
    Handler = Callable[[Event, Any], Result]

STATE_BYTES = 262_144  # Step Functions' limit for the input or output of a state, UTF-8 bytes
_TASK_BYTES = 4_096  # what lambda:invoke puts around a result: status, request id, headers

_LOGGED = 1_024  # characters of a run id or key, and of an error's text, that is logged

_SLOW = 3 / 4  # of the function's time-out

_NULLABLE = {"value", "item"}
_SIZED = ("value", "item", "items")
_SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "runstore")
_NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "runstore")


def _line(record: "Event") -> str:
    """Return a log line. A lone surrogate, which no output takes, is escaped as JSON does it."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str)
    return text.encode("utf-8", "backslashreplace").decode()


logger = Logger(service=_SERVICE, json_serializer=_line)
metrics = Metrics(namespace=_NAMESPACE, service=_SERVICE)


def entry_point(*variants: "Callable[..., Result]") -> "Handler":
    """Return the Lambda handler of an operation.

    A variant is a function of the run's store, and of the event's fields beside runId under their own names: those
    with a default are optional. Of several variants the one is taken whose own fields the event has. An argument
    `time_left` is no field but the function that tells the invocation's remaining seconds.
    """
    operation = variants[0].__module__.rpartition(".")[2]
    fields = [_Fields(variant) for variant in variants]

    def answer(event: "Event", time_left: "TimeLeft | None", told: "Event") -> "Result":
        if not isinstance(event, dict):
            raise InvalidRequestError(f"the event is a {type(event).__name__}: {operation} takes an object")
        told |= {name: event[name][:_LOGGED] for name in ("runId", "key") if isinstance(event.get(name), str)}
        chosen = _choose(fields, event, operation)
        arguments = {name: value for name, value in event.items() if name != "runId"}
        if chosen.timed:
            arguments["time_left"] = time_left
        store = RunStore(event["runId"])
        try:
            result = chosen.variant(store, **arguments)
            told |= {f"{name}_bytes": _size(event[name]) for name in _SIZED if name in event}
            return result
        finally:
            told["requests"] = store.requests

    return _serve(operation, answer)


def event_entry_point(operation: str) -> "Handler":
    """Return the Lambda handler that takes EventBridge's status changes of executions."""
    from runstore.lifecycle import retirement  # noqa: PLC0415 the other functions start sooner without it

    def answer(event: "Event", time_left: "TimeLeft | None", told: "Event") -> "Result":
        change = retirement.parse(event)
        told |= {"runId": change.run_id, "status": change.status, "redrives": change.redrives}
        store = RunStore(change.run_id)
        done = store.retire(change, time_left=time_left)
        told |= {**done._asdict(), "requests": store.requests}
        return {"runId": change.run_id, "status": change.status, "deleted": done.deleted, "retained": done.retained}

    return _serve(operation, answer)


def _serve(operation: str, answer: "Callable[[Event, TimeLeft | None, Event], Result]") -> "Handler":
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        from runstore.aws_lambda import snapstart  # noqa: PLC0415 elsewhere there is no such thing

        snapstart.register()

    def handler(event: "Event", context: "Any" = None) -> "Result":
        started = clock.elapsed()
        told: Event = {"operation": operation, "function_request_id": getattr(context, "aws_request_id", None)}
        try:
            result = answer(event, _time_left(context), told)
            told["result_bytes"] = _check_result(result)
        except Exception as failure:
            _report(told, started, _time_left(context), failure)
            raise
        _report(told, started, _time_left(context))
        return result

    return handler


class _Fields:
    """The fields of an event that a variant takes."""

    def __init__(self, variant: "Callable[..., Result]") -> None:
        parameters = list(inspect.signature(variant).parameters.values())[1:]
        self.variant = variant
        self.timed = any(parameter.name == "time_left" for parameter in parameters)
        fields = [parameter for parameter in parameters if parameter.name != "time_left"]
        self.required = {"runId", *(field.name for field in fields if field.default is field.empty)}
        self.taken = ["runId", *(field.name for field in fields)]

    def described(self) -> str:
        return ", ".join(name if name in self.required else f"{name}?" for name in self.taken)


def _choose(variants: list[_Fields], event: "Event", operation: str) -> _Fields:
    """Return the variant that the event is for, or raise InvalidRequestError that names the field."""
    takes = f"{operation} takes " + " or ".join(f"{{{fields.described()}}}" for fields in variants)
    for name in event:
        if not any(name in fields.taken for fields in variants):
            raise InvalidRequestError(f"the field {name!r} is unknown: {takes}")
        if event[name] is None and name not in _NULLABLE:
            needed = all(name in fields.required for fields in variants if name in fields.taken)
            raise InvalidRequestError(f"{name} is null: {'' if needed else 'leave it out or '}give it a value; {takes}")
    fitting = [fields for fields in variants if event.keys() <= set(fields.taken)]
    if not fitting:
        own = [name for name in event if not all(name in fields.taken for fields in variants)]
        raise InvalidRequestError(f"{' and '.join(own)} exclude each other: {takes}")
    for fields in fitting:
        if event.keys() >= fields.required:
            return fields
    raise InvalidRequestError(f"{_missing(fitting, event)}: {takes}")


def _missing(variants: list[_Fields], event: "Event") -> str:
    """Say which fields the event lacks for every variant, and of which it lacks one, as each variant has its own."""
    lacking = [name for name in variants[0].taken if all(name in fields.required - event.keys() for fields in variants)]
    own = [name for fields in variants for name in fields.taken if name in fields.required - event.keys() - {*lacking}]
    if own:
        lacking.append(f"one of {', '.join(own)}")
    return f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing"


def _check_result(result: "Result") -> int:
    """Return the result's size in bytes of JSON, or raise the error for what Lambda or no state can hold."""
    # As Lambda's Python runtime writes it since 3.12: with a space after commas and colons, non-ASCII as it is.
    try:
        size = len(json.dumps(result, ensure_ascii=False).encode())
    except UnicodeEncodeError as failure:
        raise _unfit(
            InvalidValueError,
            result,
            "has half of a surrogate pair, which no function can return: read it in a function with the package",
        ) from failure
    if size > STATE_BYTES - _TASK_BYTES:
        raise _unfit(
            ResultTooLargeError,
            result,
            f"makes a result of {size:,} bytes, and a Step Functions state holds {STATE_BYTES:,}: "
            "read a list in parts with start and limit, or read it in a function with the package",
        )
    return size


def _unfit(kind: type[RunStoreError], result: "Result", why: str) -> RunStoreError:
    error = kind(f"the value of key {result['key']!r} {why}")
    error.key = result["key"]
    return error


def _size(value: "Any") -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def _time_left(context: "Any") -> "TimeLeft | None":
    remaining: Callable[[], int] | None = getattr(context, "get_remaining_time_in_millis", None)
    return (lambda: remaining() / 1_000) if remaining else None


def _report(told: "Event", started: float, time_left: "TimeLeft | None", failure: Exception | None = None) -> None:
    seconds = clock.elapsed() - started
    told["duration_ms"] = round(seconds * 1_000, 3)
    if failure is None:
        logger.info("done", extra=told)
    elif isinstance(failure, RunStoreError):
        log = logger.error if isinstance(failure, ConfigurationError) else logger.warning
        log("failed", extra=told | {"error": type(failure).__name__, "reason": str(failure)[:_LOGGED]})
    else:
        logger.error("failed unexpectedly", exc_info=failure, extra=told | {"error": type(failure).__name__})
    metrics.add_dimension("operation", told["operation"])
    metrics.add_dimensions(service=_SERVICE)
    metrics.add_metric("Requests", MetricUnit.Count, told.get("requests", 0))
    if time_left is not None and seconds > _SLOW * (seconds + time_left()):
        metrics.add_metric("SlowInvocations", MetricUnit.Count, 1)
    if failure is not None:
        metrics.add_metric(type(failure).__name__, MetricUnit.Count, 1)
        if isinstance(failure, ConfigurationError) or not isinstance(failure, RunStoreError):
            metrics.add_metric("Defects", MetricUnit.Count, 1)
    metrics.flush_metrics()
