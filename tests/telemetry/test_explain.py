"""Why a rule never fires, asked of a real Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.telemetry import explain, rules
from sandbox.telemetry.prometheus import running
from sandbox.telemetry.remote_write import Batch
from sandbox.telemetry.rules import Rule
from sandbox.telemetry.series import series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.runtimes.base import Runtime
    from sandbox.telemetry.prometheus import Prometheus

START = 1_372_636_800
HOUR = 3600
MINUTE = 60


@pytest.fixture(scope="module")
def server(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Two replicas, scraped every minute for two hours; `late` has samples in the second alone."""
    with running(runtime, tmp_path_factory.mktemp("server"), MINUTE) as server:
        batch = Batch()
        for minute in range(121):
            at_ms = 1000 * (START + MINUTE * minute)
            for one in ("a", "b"):
                replica = {"job": "svc", "instance": one}
                batch.add(series("requests_total", {**replica, "code": "200"}), at_ms, 9 * minute)
                drift = series("drift_ratio", {**replica, "feature": f"temp_{one}"})
                batch.add(drift, at_ms, 0.25 + 0.001 * minute)
            limit = series("drift_limit", {"job": "svc", "feature": "temp_a"})
            batch.add(limit, at_ms, 0.5)
            batch.add(series("zero", {"job": "svc"}), at_ms, 0)
            early, late = series("early", {}), series("late", {})
            if minute not in (58, 59):  # as long as the last sample stays visible
                batch.add(early if minute < 60 else late, at_ms, 1)
            if minute in (60, 120):
                batch.add(series("hourly_total", {"job": "svc"}), at_ms, minute)
        server.write(batch)
        yield server


def told(server: Prometheus, rule: Rule) -> str:
    [outcome] = rules.evaluate(server, [rule], START, START + 2 * HOUR, MINUTE).outcomes
    said = explain.explain(server, rule, outcome, START, START + 2 * HOUR, MINUTE)
    assert "\n" not in said
    assert said.startswith(rule.name)
    assert said.endswith(".")
    return said.removeprefix(rule.name + " ").removesuffix(".")


def why(server: Prometheus, expr: str) -> str:
    """Why an alert with this expression never fires."""
    said = told(server, Rule("g", "alert", "Alert", expr))
    assert said.startswith("never fires: ")
    return said.removeprefix("never fires: ")


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        ("sum(drift_ratio", "1:16: parse error: unclosed left parenthesis"),
        ("nope(drift_ratio)", '1:1: parse error: unknown function with name "nope"'),
        ("drift_ratio[5m]", 'invalid expression type "range vector" for range query'),
        ("drift_ratio @ end()", "the modifier @ is not supported in rules here"),
    ],
)
def test_a_refused_expression_is_told(server: Prometheus, expr: str, said: str) -> None:
    assert told(server, Rule("g", "alert", "Alert", expr)).startswith(
        f"cannot be evaluated: {said}"
    )


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        ("drift_rato > 1", "drift_rato; the nearest names are drift_ratio, drift_limit"),
        ("rate(request_total[5m]) > 1", "request_total; the nearest names are requests_total"),
        ("avg_over_time(drift_ratios[10m]) > 1", "drift_ratios; the nearest names are drift_ratio"),
        ("xyz > 1", "xyz"),
        ("(sum by (job) (xyz{job='svc'}) / zero) > 1 and zero == 0", "xyz"),
        ("zero == 0 and xyz", "xyz"),
    ],
)
def test_a_missing_metric_is_named(server: Prometheus, expr: str, said: str) -> None:
    assert why(server, expr).startswith(f"there is no metric {said}")


def test_a_metric_that_could_not_be_recorded_is_told_with_the_problem(server: Prometheus) -> None:
    rule = Rule("g", "alert", "Alert", "max(all:rate) > 1")
    [outcome] = rules.evaluate(server, [rule], START, START + 2 * HOUR, MINUTE).outcomes
    span = (START, START + 2 * HOUR, MINUTE)
    unrecorded = {"all:rate": "gives 1,001 series, more than 1,000"}
    said = explain.explain(server, rule, outcome, *span, unrecorded)
    assert said == (
        "Alert never fires: all:rate could not be recorded: gives 1,001 series, more than 1,000."
    )


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        (
            'drift_ratio{feature="temp"} > 0',
            'no series of drift_ratio has feature="temp"; its feature is temp_a, temp_b',
        ),
        (
            'sum(rate(requests_total{job="svc",code=~"5.."}[5m])) > 0',
            'no series of requests_total has code=~"5.."; its code is 200',
        ),
        (
            'drift_ratio{feature!~"temp_.*"} > 0',
            'no series of drift_ratio has feature!~"temp_.*"; its feature is temp_a, temp_b',
        ),
        (
            'drift_ratio{column="temp"} > 0',
            'no series of drift_ratio has a label column, as column="temp" asks for',
        ),
        (
            'drift_ratio{instance="a",feature="temp_b"} > 0',
            'no series has all of instance="a", feature="temp_b"',
        ),
        (
            '{__name__="zero",job="x"}',
            'no series of {__name__="zero"} has job="x"; its job is svc',
        ),
        ('{job="x"}', 'no series of any metric has job="x"; its job is svc'),
        ('{__name__=~"xyz.*"}', 'there is no metric that matches {__name__=~"xyz.*"}'),
        ("zero offset 1d == 0", "zero has no samples at the times it is looked at"),
    ],
)
def test_the_matcher_that_leaves_nothing_is_named(server: Prometheus, expr: str, said: str) -> None:
    assert why(server, expr) == said


@pytest.mark.parametrize("function", ["rate", "increase", "deriv"])
def test_a_range_with_fewer_than_two_samples_is_told(server: Prometheus, function: str) -> None:
    assert why(server, f"sum({function}(requests_total[30s])) > 0") == (
        f"the range of {function}(requests_total[30s]) holds 1 sample at a scrape every 1m, "
        f"and {function} needs two; [4m] would hold enough"
    )
    assert "holds 1 sample" in why(server, f"{function}(hourly_total[20m]) > 0")


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        (
            "drift_ratio > 0.5",
            "drift_ratio was at most 0.37, at 2013-07-01 02:00 UTC (2h after the start); "
            "the condition is > 0.5",
        ),
        (
            "0.5 <= max(drift_ratio)",
            "max(drift_ratio) was at most 0.37, at 2013-07-01 02:00 UTC (2h after the start); "
            "the condition is >= 0.5",
        ),
        (
            "drift_ratio < 0.1",
            "drift_ratio was at least 0.25, at 2013-07-01 00:00 UTC (0s after the start); "
            "the condition is < 0.1",
        ),
        ("drift_limit == 0.4", "drift_limit was between 0.5 and 0.5; the condition is == 0.4"),
        ("drift_limit != 0.5", "drift_limit was between 0.5 and 0.5; the condition is != 0.5"),
        (
            "(drift_ratio > on(feature) drift_limit)",
            "drift_ratio minus drift_limit was at most -0.13, at 2013-07-01 02:00 UTC "
            "(2h after the start); the condition is > 0",
        ),
        (
            "max_over_time(drift_ratio[5m]) > 2 * 0.25",
            "max_over_time(drift_ratio[5m]) minus 2 * 0.25 was at most -0.13, at 2013-07-01 02:00 "
            "UTC (2h after the start); the condition is > 0",
        ),
        (
            "drift_ratio > 1 or zero > 1",
            "drift_ratio was at most 0.37, at 2013-07-01 02:00 UTC (2h after the start); "
            "the condition is > 1; and zero was at most 0, at 2013-07-01 00:00 UTC "
            "(0s after the start); the condition is > 1",
        ),
        (
            "zero == 0 and on(job) drift_ratio > 1",
            "drift_ratio was at most 0.37, at 2013-07-01 02:00 UTC (2h after the start); "
            "the condition is > 1",
        ),
        (
            "count(avg_over_time((drift_ratio > 1)[30m:1m]) > 0) > 0",
            "drift_ratio was at most 0.37, at 2013-07-01 02:00 UTC (2h after the start); "
            "the condition is > 1",
        ),
        ("zero / zero > 1", "zero / zero is not a number at any evaluation, as 0/0 is not"),
    ],
)
def test_a_bound_that_was_never_reached_is_told_with_the_extreme(
    server: Prometheus, expr: str, said: str
) -> None:
    assert why(server, expr) == said


@pytest.mark.parametrize(
    ("expr", "operator", "left", "right"),
    [
        (
            "drift_ratio > drift_limit",
            ">",
            '{feature="temp_a", instance="a", job="svc"}',
            '{feature="temp_a", job="svc"}',
        ),
        ("sum(drift_ratio) > drift_limit", ">", "none", '{feature="temp_a", job="svc"}'),
        ("zero / late", "/", '{job="svc"}', "none"),
        ("drift_ratio and on(job, x) late", "and", '{job="svc"}', "none"),
        (
            "drift_limit * ignoring(feature) drift_ratio > 0",
            "*",
            '{job="svc"}',
            '{instance="a", job="svc"}',
        ),
    ],
)
def test_sides_without_labels_in_common_are_told(
    server: Prometheus, expr: str, operator: str, left: str, right: str
) -> None:
    assert why(server, expr) == (
        f"no series on the two sides of {operator} have the same labels: {left} on the left, "
        f"{right} on the right; on(...) or ignoring(...) says which have to agree"
    )


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        ("early + late > 0", "early and late never have values at the same time"),
        ("early > late", "early and late never have values at the same time"),
        ("absent(zero)", "zero is there at every evaluation"),
        ("absent(zero) and drift_ratio > 1", "zero is there at every evaluation"),
        (
            "drift_ratio unless on(job) zero",
            "whenever drift_ratio is there, zero takes it away",
        ),
        (
            "histogram_quantile(0.9, sum(rate(requests_total[5m]))) > 1",
            "sum(rate(requests_total[5m])) has no label le, which histogram_quantile needs",
        ),
        (
            "drift_ratio > on(job) drift_limit",
            "its condition was never true, and would be refused if it were: multiple matches for "
            "labels: many-to-one matching must be explicit (group_left/group_right)",
        ),
        ("(" * 40 + "-zero > 1" + ")" * 40, "-zero was at most -0"),
        ("-" * 40 + "(zero > 1)", "its expression gave nothing at any evaluation"),
        ("topk(0, zero)", "topk(0, zero) gives nothing"),
    ],
)
def test_other_reasons(server: Prometheus, expr: str, said: str) -> None:
    assert why(server, expr).startswith(said)


def test_a_signal_shorter_than_for_is_told(server: Prometheus) -> None:
    expr = "drift_ratio{instance='a'} > 0.3 < 0.31"
    assert told(server, Rule("g", "alert", "Alert", expr, for_s=1800)) == (
        "was pending and never fired: its condition held for at most 8m without a gap, "
        "and `for` is 30m"
    )
    assert "8m without a gap" in told(server, Rule("g", "alert", "Alert", expr, for_s=540))
    assert told(server, Rule("g", "alert", "Alert", expr, for_s=480)).startswith("fired")


def test_when_it_fired_is_told(server: Prometheus) -> None:
    assert told(server, Rule("g", "alert", "Alert", "late", for_s=60)) == (
        "fired at 2013-07-01 01:01 UTC (1h1m after the start), to the end"
    )
    flapping = "(minute() % 30 == 0) and on() zero == 0"
    assert told(server, Rule("g", "alert", "Alert", flapping)) == (
        "fired 5 times, the first time at 2013-07-01 00:00 UTC (0s after the start), for 1m"
    )


def test_recording_rules_are_explained_as_well(server: Prometheus) -> None:
    rule = Rule("g", "record", "drift:max", "max by (feature) (drift_ratio)")
    assert told(server, rule) == "records 2 series"
    rule = Rule("g", "record", "drift:none", "max by (feature) (drifts_ratio)")
    assert told(server, rule).startswith("records nothing: there is no metric drifts_ratio")


def test_the_search_ends_when_time_is_up(
    server: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain, "DEADLINE_S", -1.0)
    assert why(server, "drift_ratio > 0.5") == "its expression gave nothing at any evaluation"
