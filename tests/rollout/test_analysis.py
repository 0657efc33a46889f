"""Analysis runs: each case names the rule it stands for, in FACTS or in Argo's source."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

import pytest

from sandbox.rollout.analysis import (
    ERROR,
    FAILED,
    INCONCLUSIVE,
    PENDING,
    RUNNING,
    SUCCESSFUL,
    Answer,
    MetricState,
    Run,
    due,
    measure,
    reached,
    taken,
    terminated,
)
from sandbox.rollout.spec import Metric
from tests.rollout.driving import VALUES

BELOW = "result[0] < 0.1"
ABOVE = "result[0] > 0.5"
NAN = float("nan")


def metric(name: str = "errors", **fields: object) -> Metric:
    given = {"success_condition": BELOW, "failure_condition": ABOVE} | fields
    return Metric(name, f"q_{name}", **given)  # type: ignore[arg-type]


# -- one measurement


@dataclass(frozen=True)
class Taken:
    success: str
    failure: str
    answer: Answer
    phase: str
    message: str = ""


MEASUREMENTS = {
    # FACTS, "One measurement"; `EvaluateResult` in utils/evaluate/evaluate.go
    "neither condition": Taken("", "", Answer([1.0]), SUCCESSFUL),
    "neither condition, no data": Taken("", "", Answer([]), SUCCESSFUL),
    "success only, true": Taken(BELOW, "", Answer([0.0]), SUCCESSFUL),
    "success only, not true": Taken(BELOW, "", Answer([0.3]), FAILED),
    "failure only, true": Taken("", ABOVE, Answer([0.9]), FAILED),
    "failure only, not true": Taken("", ABOVE, Answer([0.3]), SUCCESSFUL),
    "both, failure true": Taken(BELOW, ABOVE, Answer([0.9]), FAILED),
    "both, success true": Taken(BELOW, ABOVE, Answer([0.0]), SUCCESSFUL),
    "both true: failure wins": Taken("true", "true", Answer([0.0]), FAILED),
    "both, neither true": Taken(BELOW, ABOVE, Answer([0.3]), INCONCLUSIVE),
    "query error": Taken(BELOW, "", Answer(error="timed out"), ERROR, "timed out"),
    "query error without conditions": Taken("", "", Answer(error="timed out"), ERROR, "timed out"),
    # FACTS: "An empty vector with `result[0]` is an Error; NaN under success-only is Failed."
    "empty vector": Taken(
        BELOW, "", Answer([]), ERROR, f'could not evaluate successCondition "{BELOW}": metric'
    ),
    "empty vector in the failure condition": Taken(
        "len(result) == 0",
        ABOVE,
        Answer([]),
        ERROR,
        f'could not evaluate failureCondition "{ABOVE}',
    ),
    "nothing at all": Taken(
        BELOW,
        "",
        Answer(None),
        ERROR,
        f'could not evaluate successCondition "{BELOW}": metric result is nil or empty: no data',
    ),
    "NaN, success only": Taken(BELOW, "", Answer([NAN]), FAILED),
    "NaN, failure only": Taken("", ABOVE, Answer([NAN]), SUCCESSFUL),
    "NaN, both": Taken(BELOW, ABOVE, Answer([NAN]), INCONCLUSIVE),
    # FACTS: "A Prometheus vector arrives as a list of floats (`result[0]`), a scalar as a float."
    "a scalar is no list": Taken(BELOW, "", Answer(0.0), ERROR, "could not evaluate"),
    "a scalar": Taken("result < 0.1", "", Answer(0.0), SUCCESSFUL),
    # FACTS: "Types are checked before anything runs"
    "a type error behind `or`": Taken('true || result == "x"', "", Answer(0.0), ERROR, "could not"),
    "no boolean": Taken("result[0]", "", Answer([1.0]), ERROR, "could not evaluate"),
    "no condition at all": Taken("result[0] <", "", Answer([1.0]), ERROR, "could not evaluate"),
}


@pytest.mark.parametrize("case", MEASUREMENTS.values(), ids=MEASUREMENTS)
def test_one_measurement(case: Taken) -> None:
    given = metric(success_condition=case.success, failure_condition=case.failure)
    measurement = measure(given, case.answer, 7.0)
    assert measurement.phase == case.phase
    assert measurement.at_s == 7.0
    assert measurement.message.startswith(case.message)
    assert bool(measurement.message) == bool(case.message)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        # `sampleValuesToResultStr` in metricproviders/prometheus: as Prometheus writes a sample
        ([0.05, NAN, math.inf, -math.inf, 1.0], "[0.05,NaN,+Inf,-Inf,1]"),
        ([1e-7, 1e22, -0.5], "[0.0000001,10000000000000000000000,-0.5]"),
        ([], "[]"),
        (3.0, "3"),
        (None, ""),
    ],
)
def test_values_are_text_so_that_evidence_is_json(
    value: list[float] | float | None, text: str
) -> None:
    given = metric(success_condition="", failure_condition="")
    measurement = measure(given, Answer(value), 0.0)
    assert measurement.value == text
    json.dumps(asdict(measurement), allow_nan=False)


# -- one metric, and one run, over time


def run_of(*metrics: Metric) -> Run:
    return Run("run", 0.0, tuple(MetricState(one) for one in metrics))


def driven(run: Run, scripts: dict[str, str], until_s: float, tick_s: float = 10.0) -> Run:
    """The run after every instant up to `until_s`; a script's last letter goes on for ever."""
    now_s = 0.0
    while now_s <= until_s:
        counts = {state.metric.name: len(state.measurements) for state in run.metrics}
        wanted = [one.name for one in due(run, now_s)]
        if wanted:
            answers = {
                name: VALUES[scripts[name][min(counts[name], len(scripts[name]) - 1)]]
                for name in wanted
            }
            run = taken(run, answers, now_s)
        now_s += tick_s
    return run


def times(run: Run, name: str = "errors") -> list[float]:
    return [
        measurement.at_s
        for state in run.metrics
        if state.metric.name == name
        for measurement in state.measurements
    ]


@dataclass(frozen=True)
class Case:
    """One metric `errors`: what its measurements are, and what comes of the run.

    Args:
        rule: where the rule comes from.
        script: one letter a measurement (see `VALUES`).
        phase: the run's at the end.
        at_s: when it is measured.
        message: what its message holds.
        fields: the metric's; the interval is a minute where none is given.
    """

    rule: str
    script: str
    phase: str
    at_s: tuple[float, ...]
    message: str = ""
    fields: tuple[tuple[str, object], ...] = ()


def case(
    rule: str, script: str, phase: str, at_s: tuple[float, ...], message: str = "", **fields: object
) -> Case:
    return Case(rule, script, phase, at_s, message, tuple(fields.items()))


MINUTES = tuple(60.0 * n for n in range(100))
ASSESS = "assessMetricStatus"
BREACH = "assessMetricFailureInconclusiveOrError"
TASKS = "generateMetricTasks"
STRICT = "FACTS: every limit is exceeded by strict >"

CASES = {
    "count 3": case("FACTS: count N: (N - 1) intervals", "s", SUCCESSFUL, MINUTES[:3], count=3),
    "count 1": case("FACTS: first measurement at t = 0", "s", SUCCESSFUL, MINUTES[:1], count=1),
    "neither count nor interval": case(
        "FACTS: neither count nor interval: one measurement",
        "s",
        SUCCESSFUL,
        MINUTES[:1],
        interval_s=None,
    ),
    "interval alone": case("FACTS: interval alone: indefinite", "s", RUNNING, MINUTES[:11]),
    "count 0 is none": case("EffectiveCount", "s", RUNNING, MINUTES[:11], count=0),
    "initial delay": case(
        "FACTS: or `initialDelay`", "s", SUCCESSFUL, (90.0, 150.0), count=2, initial_delay_s=90.0
    ),
    "initial delay between ticks": case(
        TASKS, "s", SUCCESSFUL, (100.0, 160.0), count=2, initial_delay_s=95.0
    ),
    "interval between ticks": case(
        "an interval is waited for from the measurement before, not from the start",
        "s",
        SUCCESSFUL,
        (0.0, 20.0, 40.0),
        count=3,
        interval_s=15.0,
    ),
    "interval below a tick": case(
        "never two at one instant", "s", SUCCESSFUL, (0.0, 10.0, 20.0), count=3, interval_s=0.0
    ),
    "no failure allowed": case(STRICT, "f", FAILED, MINUTES[:1], "failed (1) > failureLimit (0)"),
    "as many failures as allowed": case(
        STRICT, "fffs", SUCCESSFUL, MINUTES[:4], count=4, failure_limit=3
    ),
    "one failure more": case(
        STRICT,
        "fsfsff",
        FAILED,
        MINUTES[:6],
        'Metric "errors" assessed Failed due to failed (4) > failureLimit (3)',
        count=9,
        failure_limit=3,
    ),
    "failureLimit -1 is off": case(
        "FACTS: failureLimit (-1 = off)",
        "ffffss",
        SUCCESSFUL,
        MINUTES[:6],
        failure_limit=-1,
        consecutive_success_limit=2,
    ),
    "no inconclusive one allowed": case(
        STRICT, "i", INCONCLUSIVE, MINUTES[:1], "inconclusive (1) > inconclusiveLimit (0)"
    ),
    "inconclusive ones up to the limit": case(
        STRICT, "iis", SUCCESSFUL, MINUTES[:3], count=3, inconclusive_limit=2
    ),
    "one inconclusive more": case(
        STRICT, "iisi", INCONCLUSIVE, MINUTES[:4], "inconclusive (3)", inconclusive_limit=2
    ),
    "four errors, then a success": case(
        "FACTS: consecutiveErrorLimit (4); errors are retried after 10 s and not counted",
        "eeees",
        SUCCESSFUL,
        (0.0, 10.0, 20.0, 30.0, 40.0),
        count=1,
    ),
    "the fifth error in a row": case(
        BREACH,
        "e",
        ERROR,
        (0.0, 10.0, 20.0, 30.0, 40.0),
        'consecutiveErrors (5) > consecutiveErrorLimit (4): "Error Message: server is away"',
    ),
    "no error allowed": case(STRICT, "e", ERROR, (0.0,), consecutive_error_limit=0),
    "errors apart": case(
        "runMeasurements: any other outcome ends a row of errors",
        "eseses",
        SUCCESSFUL,
        (0.0, 10.0, 70.0, 80.0, 140.0, 150.0),
        count=3,
        consecutive_error_limit=1,
    ),
    "a failure ends a row of errors too": case(
        "runMeasurements",
        "efefe",
        RUNNING,
        (0.0, 10.0, 70.0, 80.0, 140.0, 150.0, 160.0, 170.0, 180.0),
        failure_limit=9,
        consecutive_error_limit=9,
    ),
    "no data is an error": case(
        "FACTS: an empty vector with `result[0]` is an Error",
        "n",
        ERROR,
        (0.0, 10.0, 20.0, 30.0, 40.0),
        "no data returned",
    ),
    "an error without an interval": case(
        "DefaultErrorRetryInterval", "es", SUCCESSFUL, (0.0, 10.0), interval_s=None
    ),
    "consecutive successes": case(
        "FACTS: consecutiveSuccessLimit",
        "fssfsss",
        SUCCESSFUL,
        MINUTES[:7],
        failure_limit=9,
        consecutive_success_limit=3,
    ),
    "an error ends a row of successes": case(
        "runMeasurements",
        "seses",
        RUNNING,
        (0.0, 60.0, 70.0, 130.0, 140.0, 200.0),
        consecutive_success_limit=9,
    ),
    "count reached, successes in a row not": case(
        "FACTS: or Inconclusive where `consecutiveSuccessLimit` was set and not met",
        "sfs",
        INCONCLUSIVE,
        MINUTES[:3],
        count=3,
        failure_limit=1,
        consecutive_success_limit=2,
    ),
    "count reached, no failure allowed, successes in a row not": case(
        ASSESS,
        "sis",
        INCONCLUSIVE,
        MINUTES[:3],
        count=3,
        inconclusive_limit=1,
        consecutive_success_limit=2,
    ),
    "count reached, no failure limit, successes in a row not": case(
        ASSESS,
        "sfs",
        FAILED,
        MINUTES[:3],
        count=3,
        failure_limit=-1,
        consecutive_success_limit=2,
    ),
    "a breach at the last measurement": case(
        ASSESS, "ssf", FAILED, MINUTES[:3], "failed (1)", count=3
    ),
    "a dry run decides nothing": case(
        "FACTS: any metric (not dry-run)", "f", SUCCESSFUL, MINUTES[:1], count=3, dry_run=True
    ),
}


@pytest.mark.parametrize("given", CASES.values(), ids=CASES)
def test_one_metric_over_time(given: Case) -> None:
    fields = {"interval_s": 60.0} | dict(given.fields)
    last = given.at_s[-1] if given.phase == RUNNING else 600.0
    run = driven(run_of(metric(**fields)), {"errors": given.script}, last)
    assert (run.phase, tuple(times(run))) == (given.phase, given.at_s), given.rule
    assert given.message in run.message
    assert run.ended_s == (None if given.phase == RUNNING else given.at_s[-1])


def test_an_interval_of_some_ticks_is_not_put_off_by_one() -> None:
    """Argo asks for strictly more than the interval, and wakes up just then: so at 60, not 70."""
    assert times(driven(run_of(metric(interval_s=60.0, count=3)), {"errors": "s"}, 600.0)) == [
        0.0,
        60.0,
        120.0,
    ]


def test_nothing_is_due_twice_at_one_instant() -> None:
    run = taken(run_of(metric(interval_s=0.0)), {"errors": Answer([0.0])}, 0.0)
    assert due(run, 0.0) == ()
    assert [one.name for one in due(run, 0.5)] == ["errors"]


def test_waits_are_compared_in_milliseconds() -> None:
    start = 1_372_636_800.0
    assert reached(start + 0.3, start, 0.3)
    assert reached(0.1 + 0.2, 0.0, 0.3)
    assert not reached(start + 0.298, start, 0.3)


# -- several metrics


def test_the_worst_of_what_ends_at_once_is_the_runs_phase() -> None:
    """`runMeasurements` counts all of them before `assessRunStatus` looks; `IsWorse`."""
    metrics = (
        metric("a", consecutive_error_limit=0),
        metric("b"),
        metric("c"),
        metric("d", interval_s=60.0),
    )
    for scripts, phase, name in (
        ("eifs", FAILED, "c"),
        ("eiss", ERROR, "a"),
        ("siss", INCONCLUSIVE, "b"),
        ("sffs", FAILED, "b"),
    ):
        run = driven(run_of(*metrics), dict(zip("abcd", scripts, strict=True)), 0.0)
        assert (run.phase, run.ended_s) == (phase, 0.0)
        assert run.message.startswith(f'Metric "{name}" assessed {phase} due to')
        assert [len(state.measurements) for state in run.metrics] == [1, 1, 1, 1]


def test_a_bad_metric_ends_the_others_as_successful() -> None:
    """FACTS: ending an unbreached run early is Successful; `IsTerminating`."""
    run = driven(
        run_of(
            metric("bad", interval_s=60.0),
            metric("other", interval_s=60.0, count=9, failure_limit=5),
            metric("late", initial_delay_s=600.0),
        ),
        {"bad": "sf", "other": "f", "late": "s"},
        600.0,
    )
    assert (run.phase, run.ended_s) == (FAILED, 60.0)
    assert [state.phase for state in run.metrics] == [FAILED, SUCCESSFUL, PENDING]
    assert due(run, 10_000.0) == ()


def test_a_run_waits_for_all_of_its_metrics() -> None:
    run = driven(
        run_of(metric("short"), metric("long", interval_s=60.0, count=3)),
        {"short": "s", "long": "s"},
        600.0,
    )
    assert (run.phase, run.ended_s, run.message) == (SUCCESSFUL, 120.0, "")


def test_a_dry_run_that_fails_is_told_and_decides_nothing() -> None:
    """FACTS: dry run metrics decide nothing; `assessRunStatus`."""
    metrics = (
        metric("dry", interval_s=60.0, dry_run=True),
        metric("real", interval_s=60.0, count=3),
    )
    run = driven(run_of(*metrics), {"dry": "f", "real": "s"}, 600.0)
    assert (run.phase, run.ended_s, run.message) == (SUCCESSFUL, 120.0, "")
    assert run.metrics[0].phase == FAILED
    assert run.metrics[0].message == ("Metric assessed Failed due to failed (1) > failureLimit (0)")
    failed = driven(run_of(*metrics), {"dry": "s", "real": "f"}, 600.0)
    assert failed.phase == FAILED


# -- told to stop


@pytest.mark.parametrize(
    ("script", "until_s", "phase", "message"),
    [
        # TestTerminateAnalysisRun; FACTS: ending an unbreached run early is Successful
        ("s", 60.0, SUCCESSFUL, "Run Terminated"),
        ("f", 60.0, SUCCESSFUL, "Run Terminated"),
        ("e", 20.0, SUCCESSFUL, "Run Terminated"),
    ],
)
def test_an_unbreached_run_that_is_stopped_is_successful(
    script: str, until_s: float, phase: str, message: str
) -> None:
    run = driven(run_of(metric(interval_s=60.0, failure_limit=5)), {"errors": script}, until_s)
    assert run.phase == RUNNING
    stopped = terminated(run, 90.0)
    assert (stopped.phase, stopped.message, stopped.ended_s) == (phase, message, 90.0)
    assert stopped.metrics[0].measurements == run.metrics[0].measurements


def test_a_run_stopped_before_its_first_measurement_is_successful() -> None:
    stopped = terminated(run_of(metric()), 5.0)
    assert (stopped.phase, stopped.metrics[0].phase) == (SUCCESSFUL, PENDING)


def test_a_run_that_has_ended_is_not_stopped_again() -> None:
    run = driven(run_of(metric()), {"errors": "f"}, 0.0)
    assert terminated(run, 50.0) == run
