"""When the alarms of infra/alarms.yaml go off: their thresholds and periods, applied to failures over time."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
NESTED: dict[str, Any] = yaml_parse((ROOT / "infra" / "alarms.yaml").read_text(encoding="utf-8"))
ALARMS = {name: each["Properties"] for name, each in NESTED["Resources"].items()}
MAX_METRICS = 10  # of an alarm on a metric math expression


def watched(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the metrics that an alarm reads, each with its Period."""
    return [each["MetricStat"] for each in alarm["Metrics"] if "MetricStat" in each] if "Metrics" in alarm else [alarm]


def goes_off(name: str, seconds: list[int]) -> bool:
    """Return whether an alarm on a sum goes off when its metric counts one at each of these seconds."""
    alarm = ALARMS[name]
    (period,) = {each["Period"] for each in watched(alarm)}
    sums = Counter(second // period for second in seconds)
    evaluated = alarm["EvaluationPeriods"]
    needed = alarm.get("DatapointsToAlarm", evaluated)
    breaching = [sums[number] >= alarm["Threshold"] for number in range(-evaluated, max(seconds) // period + 1)]
    return any(sum(breaching[start : start + evaluated]) >= needed for start in range(len(breaching)))


@pytest.mark.parametrize(
    ("name", "seconds", "expected"),
    [
        ("DefectsAlarm", [7], True),
        ("ErrorsAlarm", [7], False),
        ("ErrorsAlarm", list(range(0, 290, 10)), False),
        ("ErrorsAlarm", list(range(0, 1_200, 100)), True),
        ("IncompleteCompletionsAlarm", [300], False),
        ("IncompleteCompletionsAlarm", [300, 601], False),
        ("IncompleteCompletionsAlarm", list(range(299, 1_800, 302)), True),
    ],
    ids=[
        "a defect",
        "one bad event",
        "a burst of bad events",
        "a caller that goes on failing",
        "one completion in two attempts",
        "one completion in three attempts",
        "one run that is never complete",
    ],
)
def test_an_alarm_goes_off_for_what_somebody_must_mend(name: str, seconds: list[int], expected: bool) -> None:  # noqa: FBT001
    """A defect at once, errors when they last, completions when the same run keeps running out of its 300 seconds."""
    assert goes_off(name, seconds) == expected


@pytest.mark.parametrize("name", ALARMS)
def test_cloudwatch_can_evaluate_an_alarm(name: str) -> None:
    """An alarm on an expression reads at most ten metrics, over at most a day."""
    metrics = watched(ALARMS[name])
    assert 1 <= len(metrics) <= MAX_METRICS
    assert ALARMS[name]["EvaluationPeriods"] * metrics[0]["Period"] <= 86_400


FUNCTIONS = {name for name, each in TEMPLATE["Resources"].items() if each["Type"] == "AWS::Serverless::Function"}


@pytest.mark.parametrize("name", ["ErrorsAlarm", "FunctionThrottlesAlarm"])
def test_an_alarm_on_lambda_s_metrics_reads_every_function(name: str) -> None:
    """Lambda counts for each function alone; so the alarm adds them up, and no function is left out."""
    functions = [each["Metric"]["Dimensions"][0]["Value"]["Ref"] for each in watched(ALARMS[name])]
    assert sorted(functions) == sorted(FUNCTIONS)


@pytest.mark.parametrize(
    "name",
    ["DefectsAlarm", "SlowInvocationsAlarm", "IncompleteCompletionsAlarm", "FailedRunsAlarm", "StepTimeoutsAlarm"],
)
def test_an_alarm_on_our_metrics_reads_one_for_all_functions(name: str) -> None:
    """The functions count these for the service as a whole too."""
    assert ALARMS[name]["Namespace"] == {"Ref": "MetricsNamespace"}
    assert ALARMS[name]["Dimensions"] == [{"Name": "service", "Value": {"Ref": "ServiceName"}}]


def test_the_alarms_cost_what_the_parameter_says() -> None:
    """CloudWatch bills an alarm by the metrics that it reads, 0.10 US dollars each a month."""
    metrics = sum(len(watched(alarm)) for alarm in ALARMS.values())
    assert f"cost about {metrics / 10:.2f} US dollars a month" in TEMPLATE["Parameters"]["Alarms"]["Description"]
