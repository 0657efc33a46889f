"""Rules on the simulated clock: what `evaluate` and a real Prometheus make of a file."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from sandbox.errors import HarnessFault
from sandbox.system import tools
from sandbox.telemetry import rules
from sandbox.telemetry.prometheus import RangeSeries
from sandbox.telemetry.remote_write import Batch
from sandbox.telemetry.rules import Evaluation, Firing, Interval, Rule, RuleOutcome
from sandbox.telemetry.series import series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sandbox.telemetry.prometheus import Prometheus

START = 1_372_636_800
MINUTE = 60


def push(
    server: Prometheus, name: str, values: Sequence[float | None], **labels: str
) -> Sequence[float | None]:
    """Write a sample a minute; None is a scrape without one."""
    batch = Batch()
    for number, value in enumerate(values):
        if value is not None:
            batch.add(series(name, labels), 1000 * (START + MINUTE * number), value)
    server.write(batch)
    return values


def alert(expr: str, name: str = "Alert", **rest: object) -> Rule:
    return Rule(group="g", kind="alert", name=name, expr=expr, **rest)  # type: ignore[arg-type]


def record(expr: str, name: str = "a:b", **rest: object) -> Rule:
    return Rule(group="g", kind="record", name=name, expr=expr, **rest)  # type: ignore[arg-type]


def evaluate(server: Prometheus, *given: Rule, minutes: int = 9) -> tuple[RuleOutcome, ...]:
    """Evaluate rules every minute, so many minutes after the start as well."""
    done = rules.evaluate(server, given, START, START + MINUTE * minutes, MINUTE)
    assert [outcome.rule for outcome in done.outcomes] == list(given)
    return done.outcomes


def problem(server: Prometheus, *given: Rule) -> str:
    """The problem of the first rule, which is the only thing that is said of it."""
    outcome = evaluate(server, *given)[0]
    assert outcome == RuleOutcome(given[0], problem=outcome.problem)
    assert "\n" not in outcome.problem
    return outcome.problem


def minutes(interval: Interval | Firing) -> tuple[float, float | None]:
    """Start and end, in minutes from the start."""
    end = None if interval.end_s is None else (interval.end_s - START) / MINUTE
    return (interval.start_s - START) / MINUTE, end


# -- alerts


def test_an_alert_is_pending_and_then_fires(prometheus: Prometheus) -> None:
    push(prometheus, "drift", [0, 0, 9, 9, 9, 9, 0, 0, 0, 9], feature="temp", job="svc")
    labels = {"severity": "page", "job": ""}
    [outcome] = evaluate(prometheus, alert("drift > 5", for_s=120, labels=labels))
    assert outcome.firings == (
        Firing(
            alert="Alert",
            labels={"feature": "temp", "severity": "page"},
            severity="page",
            active_since_s=START + 2 * MINUTE,
            start_s=START + 4 * MINUTE,
            end_s=START + 6 * MINUTE,
        ),
    )
    assert list(map(minutes, outcome.active)) == [(2, 6), (9, None)]
    assert outcome.longest_s == 3 * MINUTE
    assert outcome.series == 1
    assert outcome.problem == ""


def test_an_alert_that_fires_to_the_end_has_no_end(prometheus: Prometheus) -> None:
    push(prometheus, "drift", [0] * 7 + [9] * 3)
    [outcome] = evaluate(prometheus, alert("drift > 5", keep_firing_for_s=60))
    assert list(map(minutes, outcome.firings)) == [(7, None)]


def test_every_series_is_an_alert_of_its_own(prometheus: Prometheus) -> None:
    push(prometheus, "drift", [9, 9, 9, 0, 0, 0, 0, 0, 0, 0], feature="temp")
    push(prometheus, "drift", [0, 0, 0, 9, 9, 9, 9, 0, 0, 0], feature="wind")
    [outcome] = evaluate(prometheus, alert("drift > 5", for_s=180))
    assert [firing.labels["feature"] for firing in outcome.firings] == ["wind"]
    assert list(map(minutes, outcome.firings)) == [(6, 7)]
    assert list(map(minutes, outcome.active)) == [(0, 7)]
    assert outcome.longest_s == 180


def test_a_number_is_an_alert_without_labels(prometheus: Prometheus) -> None:
    [outcome] = evaluate(prometheus, alert("1"))
    assert [firing.labels for firing in outcome.firings] == [{}]
    assert list(map(minutes, outcome.firings)) == [(0, None)]


def test_two_alerts_of_one_name_both_fire(prometheus: Prometheus) -> None:
    push(prometheus, "drift", [0, 9, 9, 0, 0, 9, 9, 0, 0, 0])
    short, long = evaluate(prometheus, alert("drift > 5"), alert("drift > 5", for_s=60))
    assert list(map(minutes, short.firings)) == [(1, 3), (5, 7)]
    assert list(map(minutes, long.firings)) == [(2, 3), (6, 7)]


def test_an_alert_fires_whatever_else_is_called_alerts(prometheus: Prometheus) -> None:
    push(prometheus, "ALERTS", [7] * 10, alertname="Alert", alertstate="firing")
    [outcome] = evaluate(prometheus, alert("vector(1)"))
    assert list(map(minutes, outcome.firings)) == [(0, None)]
    assert evaluate(prometheus, alert("vector(1)")) == (outcome,)


def test_a_server_that_takes_no_samples_is_not_the_candidates_fault(
    prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus, "_send", lambda *_, **__: (500, b"disk full"))
    monkeypatch.setattr(prometheus, "query_range", lambda *_: [RangeSeries({}, [(START, 1.0)])])
    with pytest.raises(HarnessFault, match="disk full"):
        evaluate(prometheus, alert("vector(1)"))


def test_time_is_the_simulated_one(prometheus: Prometheus) -> None:
    push(prometheus, "feed_timestamp_seconds", [START + 60 * min(n, 3) for n in range(10)])
    stale = alert("time() - feed_timestamp_seconds > 150")
    monday_midnight = alert("day_of_week() == 1 and hour() == 0")
    outcomes = evaluate(prometheus, stale, monday_midnight)
    assert list(map(minutes, outcomes[0].firings)) == [(6, None)]
    assert list(map(minutes, outcomes[1].firings)) == [(0, None)]


def test_labels_of_a_series_may_be_put_into_labels(prometheus: Prometheus) -> None:
    push(prometheus, "drift", [9] * 10, feature="temp")
    labels = {"where": "{{ $labels.feature }}-{{$labels.nowhere}}", "of": "{{ .Labels.feature }}"}
    [outcome] = evaluate(prometheus, alert("drift > 5", labels=labels))
    [firing] = outcome.firings
    assert firing.labels == {"feature": "temp", "where": "temp-", "of": "temp"}


def test_the_expression_may_say_whom_an_alert_wakes(prometheus: Prometheus) -> None:
    push(prometheus, "drift", [9] * 10, feature="temp")
    expression = 'label_replace(drift > 5, "urgency", "page", "", "")'
    [outcome] = evaluate(
        prometheus, alert(expression, labels={"severity": "{{ $labels.urgency }}"})
    )
    [firing] = outcome.firings
    assert firing.labels["severity"] == "page"


def test_other_templates_in_labels_are_refused(prometheus: Prometheus) -> None:
    said = "the label seen is a template other than {{ $labels.name }}"
    assert said in problem(prometheus, alert("vector(1)", labels={"seen": "{{ $value }}"}))


# -- what is written back


def test_what_is_recorded_can_be_read_further_down(prometheus: Prometheus) -> None:
    push(prometheus, "drift", [0, 2, 4, 6, 8, 8, 8, 8, 8, 8], feature="temp")
    push(prometheus, "drift", [0, 4, 8, 12, 16, 16, 16, 16, 16, 16], feature="wind")
    mean = record("avg(drift)", "drift:mean", labels={"team": "ml"})
    done = evaluate(
        prometheus, mean, alert("drift:mean > 5"), alert('ALERTS{alertname="Alert"}', "Any")
    )
    assert [list(map(minutes, one.firings)) for one in done] == [[], [(2, None)], [(2, None)]]
    [point] = prometheus.query("drift:mean", START + 3 * MINUTE)
    assert (point.labels, point.value) == ({"__name__": "drift:mean", "team": "ml"}, 9)


def test_a_recorded_series_ends_when_its_expression_gives_none(prometheus: Prometheus) -> None:
    push(prometheus, "drift", [9, 9, 0, 0, 9, 0, 0, 0, 0, 9])
    [outcome] = evaluate(prometheus, record("drift > 5"))
    there = [len(prometheus.query("a:b", START + MINUTE * n)) for n in range(11)]
    assert there == [1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1]
    assert list(map(minutes, outcome.active)) == [(0, 2), (4, 5), (9, None)]


def test_the_state_of_alerts_is_written_back(prometheus: Prometheus) -> None:
    push(prometheus, "drift", [0, 9, 9, 9, 9, 0, 0, 0, 9, 0], feature="temp")
    evaluate(prometheus, alert("drift > 5", for_s=120, keep_firing_for_s=60))

    def states(minute: int) -> list[str]:
        found = prometheus.query(
            'ALERTS{alertname="Alert",feature="temp"}', START + MINUTE * minute
        )
        return [point.labels["alertstate"] for point in found]

    seen = [states(minute) for minute in range(10)]
    pending, firing = ["pending"], ["firing"]
    assert seen == [[], pending, pending, firing, firing, firing, [], [], pending, []]
    [since] = prometheus.query("ALERTS_FOR_STATE", START + 4 * MINUTE)
    assert since.value == START + MINUTE
    assert since.labels["alertname"] == "Alert"
    assert prometheus.query("ALERTS_FOR_STATE", START + 6 * MINUTE) == []


FILE = """\
groups:
- name: drift
  rules:
  - record: drift:mean
    expr: avg by (job) (drift)
    labels: {level: job}
- name: alerts
  rules:
  - alert: Drift
    expr: drift > 5
    for: 2m
    labels: {severity: page, of: "{{ $labels.feature }}"}
  - alert: MeanDrift
    expr: drift:mean > 4
    keep_firing_for: 90s
  - alert: Both
    expr: count(ALERTS{alertname=~"Drift|MeanDrift", alertstate="firing"}) > 1
    labels: {severity: ticket, job: svc}
"""
TEMP = [0, 6, 7, 8, 2, 2, 9, 9, 9, 9, 9, 0, 0, 0, 9, 0, 0, 0, 0, 0]
WIND = [0, 0, 0, 0, 0, 7, 7, 7, 0, 0, 1, 1, 9, 9, 9, 9, 9, 0, 0, 0]


def test_a_file_gives_what_promtool_makes_of_it(prometheus: Prometheus, tmp_path: Path) -> None:
    """Recording rules, labels, `for`, keeping and ALERTS together, minute by minute."""
    given = {"temp": TEMP, "wind": WIND}
    for feature, values in given.items():
        push(prometheus, "drift", values, feature=feature, job="svc")
    file = tmp_path / "rules.yaml"
    file.write_text(FILE)
    done = rules.evaluate_file(prometheus, file, START, START + MINUTE * 19, MINUTE)
    assert [outcome.problem for outcome in done.outcomes] == [""] * 4
    assert len(done.firings) > 4

    def sample(labels: Mapping[str, str], value: float) -> dict[str, object]:
        inside = ", ".join(f'{name}="{text}"' for name, text in labels.items())
        return {"labels": f"{{{inside}}}", "value": value}

    def samples(name: str, minute: int) -> list[dict[str, object]]:
        found = prometheus.query(name, START + MINUTE * minute)
        return [sample(point.labels, point.value) for point in found]

    inputs = [
        {"series": f'drift{{feature="{name}", job="svc"}}', "values": " ".join(map(str, values))}
        for name, values in given.items()
    ]
    expected = [
        {"expr": name, "eval_time": f"{minute}m", "exp_samples": samples(name, minute)}
        for name in ("ALERTS", "drift:mean")
        for minute in range(20)
    ]
    test = {
        "rule_files": ["rules.yaml"],
        # Without it promtool evaluates groups in any order, another one each time.
        "group_eval_order": ["drift", "alerts"],
        "tests": [{"interval": "1m", "input_series": inputs, "promql_expr_test": expected}],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))
    told = subprocess.run(
        [tools.find("promtool"), "test", "rules", tmp_path / "test.yaml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert told.stdout + told.stderr == "Unit Testing:  {}\n  SUCCESS\n\n".format(
        tmp_path / "test.yaml"
    )


# -- rules that cannot be evaluated


def test_a_broken_rule_does_not_stop_the_others(prometheus: Prometheus) -> None:
    broken, sound = evaluate(prometheus, alert("sum(", "Broken"), alert("vector(1)", "Sound"))
    assert "unclosed left parenthesis" in broken.problem
    assert broken.firings == ()
    assert (sound.problem, len(sound.firings)) == ("", 1)


@pytest.mark.parametrize(
    ("reader", "other"),
    [
        (alert("a:b > 1"), record("vector(1)")),
        (record("vector(1) + sum(rate(a:b[5m]))", "c"), record("vector(1)")),
        (alert('{__name__=~"a:.*"} > 1'), record("vector(1)")),
        (alert('ALERTS{alertname="Other"}'), alert("vector(1)", "Other")),
        (alert('ALERTS{alertname=~"Ot.*|B"}'), alert("vector(1)", "Other")),
        (
            alert('ALERTS_FOR_STATE{severity="page"}', labels={"severity": "ticket"}),
            alert("vector(1)", "Other", labels={"severity": "page"}),
        ),
    ],
)
def test_reading_what_comes_further_down_is_refused(
    prometheus: Prometheus, reader: Rule, other: Rule
) -> None:
    said = problem(prometheus, reader, other)
    assert said.endswith("which is further down: move this rule below")
    assert f"the result of {other.name}" in said


@pytest.mark.parametrize(
    "rule",
    [
        record("a:b + 1"),
        alert('drift > 5 or (drift > 3 and on() ALERTS{alertname="Alert"})'),
        alert('count(ALERTS{alertstate="firing"}) > 0'),
    ],
)
def test_reading_its_own_result_is_refused(prometheus: Prometheus, rule: Rule) -> None:
    assert problem(prometheus, rule).endswith("which is its own")


@pytest.mark.parametrize(
    "expr",
    [
        'count({__name__=~".+"}) > 0',
        'count({job="svc"}) > 0',
        'vector(1) unless on() ALERTS{alertname="Other", severity="page"}',
        'vector(1) unless on() ALERTS{alertname!~"Alert|Later"}',
        'vector(1) unless on() drift{feature="offset -5m @"} # offset -5m @ 1',
        "vector(1) unless on() drift offset 5m",
    ],
)
def test_what_only_looks_like_it_is_evaluated(prometheus: Prometheus, expr: str) -> None:
    push(prometheus, "drift", [1] * 10, job="svc")
    outcome, _ = evaluate(prometheus, alert(expr), alert("vector(0) > 1", "Later"))
    assert outcome.problem == ""
    assert outcome.firings


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        ("drift offset -5m > 1", "looks into the future"),
        ("sum(drift OFFSET  # soon\n -1h)", "looks into the future"),
        ("drift @ end() > 1", "the modifier @ is not supported"),
        ("drift @ 1372636800 > 1", "the modifier @ is not supported"),
        ('"text"', "invalid expression type"),
    ],
)
def test_expressions_without_a_right_answer_are_refused(
    prometheus: Prometheus, expr: str, said: str
) -> None:
    push(prometheus, "drift", [9] * 10)
    assert said in problem(prometheus, alert(expr))


def test_two_series_must_not_become_one(prometheus: Prometheus) -> None:
    for feature in ("temp", "wind"):
        push(prometheus, "drift", [9] * 10, feature=feature)
    said = "gives two series that are the same once the rule's labels are set"
    assert problem(prometheus, alert("drift > 1", labels={"feature": "any"})) == said
    assert problem(prometheus, record("drift", labels={"feature": ""})) == said
    push(prometheus, "other", [9] * 10, feature="temp")
    assert problem(prometheus, alert('{__name__=~"drift|other"}')) == said


def test_series_that_take_turns_may_become_one(prometheus: Prometheus) -> None:
    push(prometheus, "drift", [9, 9, 9, 0, 0], replica="a")
    push(prometheus, "drift", [0, 0, 0, 9, 9], replica="b")
    rule = alert("drift > 5", labels={"replica": ""}, for_s=240)
    [outcome] = evaluate(prometheus, rule, minutes=4)
    assert list(map(minutes, outcome.firings)) == [(4, None)]


def test_recording_over_a_scraped_series_is_the_candidates_fault(prometheus: Prometheus) -> None:
    push(prometheus, "drift", [1] * 10, job="svc")
    said = problem(prometheus, record("drift + 1", "drift"))
    assert said == "reads drift, the result of drift, which is its own"
    said = problem(prometheus, record('label_replace(vector(7), "job", "svc", "", "")', "drift"))
    assert said.startswith("gives a series that exists already")
    [point] = prometheus.query("drift", START)
    assert point.value == 1


def test_too_many_series_are_refused(prometheus: Prometheus) -> None:
    batch = Batch()
    for number in range(rules.SERIES_MAX + 1):
        batch.add(series("wide", {"n": str(number)}), 1000 * START, 1.0)
    prometheus.write(batch)
    outcomes = evaluate(prometheus, alert("wide"), alert('wide{n!="0"}', "Fits"), minutes=2)
    assert outcomes[0].problem == "gives 1,001 series, more than 1,000"
    assert (outcomes[1].problem, outcomes[1].series) == ("", 1_000)


def test_too_many_firings_are_refused(
    prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "FIRINGS_MAX", 4)
    push(prometheus, "drift", [9, 0] * 5)
    assert problem(prometheus, alert("drift > 5")) == "fires more than 4 times"


def test_evaluation_ends_when_time_is_up(
    prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "DEADLINE_S", -1.0)
    said = "the rules together took more than -1 s to evaluate"
    done = evaluate(prometheus, alert("1"), record("1"))
    assert [outcome.problem for outcome in done] == [said, said]


# -- files and evidence


def test_a_file_that_prometheus_refuses_gives_no_alert(
    prometheus: Prometheus, tmp_path: Path
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(FILE + "  - alert: Broken\n    expr: sum(\n")
    done = rules.evaluate_file(prometheus, file, START, START + MINUTE, MINUTE)
    assert done == Evaluation((), problem=done.problem)
    assert "unclosed left parenthesis" in done.problem
    file.write_text("groups: {}")
    done = rules.evaluate_file(prometheus, file, START, START + MINUTE, MINUTE)
    assert done == Evaluation((), problem="groups has to be a list of at most 100")


def test_an_interval_is_ignored_with_a_note(prometheus: Prometheus, tmp_path: Path) -> None:
    push(prometheus, "drift", [9] * 10)
    file = tmp_path / "rules.yaml"
    file.write_text(
        "groups: [{name: slow, interval: 5m, rules: [{alert: A, expr: drift > 5, for: 3m}]},"
        " {name: same, interval: 1m, rules: []}]"
    )
    done = rules.evaluate_file(prometheus, file, START, START + 9 * MINUTE, MINUTE)
    assert done.notes == (
        "group slow: interval 5m is ignored; rules are evaluated at every scrape, every 1m",
    )
    assert list(map(minutes, done.firings)) == [(3, None)]


def test_an_evaluation_is_json(prometheus: Prometheus) -> None:
    push(prometheus, "drift", [9, 0] * 5)
    done = rules.evaluate(
        prometheus, [alert("drift > 5"), alert("sum(")], START, START + 600, MINUTE
    )
    written = json.loads(json.dumps(rules.as_json(done), allow_nan=False))
    first = written["outcomes"][0]
    assert first["firings"][0]["start_s"] == START
    assert first["active"][0] == {"start_s": START, "end_s": START + MINUTE}
    assert first["rule"]["expr"] == "drift > 5"
    assert "parenthesis" in written["outcomes"][1]["problem"]
