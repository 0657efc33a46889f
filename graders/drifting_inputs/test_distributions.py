"""Are the distributions of inputs and predictions exported, right and at a bounded price?"""

from sandbox.grading import check, guard
from sandbox.grading.histograms import BUCKETS_MIN, TOLERANCE, fault_of, lumped
from sandbox.grading.statistics import slowdown

COMPETENCY = "model telemetry"
EXPORTS = ("inputs_are_exported", "missing_values_are_exported", "predictions_are_exported")
DAYS = ("a_day_in_june", "a_day_in_july", "a_day_in_autumn")
# Features that take many values on any day, by the ticket; others may need fewer buckets.
CONTINUOUS = (
    "departure_hour",
    "arrival_minute",
    "distance_km",
    "temp_c",
    "dewp_c",
    "humid_fraction",
    "wind_speed_ms",
    "pressure_hpa",
)
# Series that may come with values nobody has seen before.
GROWTH_MAX = 50
# What badly named metrics leave of the points.
NAMED_BADLY = 0.8
# Times the 95th percentile of the service as it was handed out. A statistic of the last thousand
# rows, taken every 200, makes it two to three: the tail is its computation then, and what that is
# beside a request differs from machine to machine.
SLOWER_MAX = 5.0


def exported_by_day(evidence, credit):
    """What was exported on each ordinary day, in order.

    Where no flight was answered there is nothing to compare it with, and that is a failure.
    """
    days = [evidence[day]["exported"] for day in DAYS]
    unanswered = [day for day, seen in zip(DAYS, days, strict=True) if not seen["rows"]]
    if unanswered:
        credit.award(
            0,
            expected="flights to be answered, and their distributions exported",
            seen=f"not one flight was answered: {', '.join(unanswered)}",
            where="a_day_in_*.exported.rows",
        )
    return days


def faults_by_name(days, key, judge):
    """What is wrong on any of the days, by name."""
    found: dict[str, str] = {}
    for exported in days:
        for name, seen in exported[key].items():
            if problem := judge(name, seen, exported["rows"]):
                found.setdefault(name, problem)
    return found


def said(wrong):
    return "; ".join(f"{name}: {problem}" for name, problem in list(wrong.items())[:4])


@check(points=9, competency=COMPETENCY)
def test_inputs_are_exported(evidence, credit):
    """feature_value holds what the model was given, for every numeric feature"""
    days = exported_by_day(evidence, credit)
    features = days[0]["values"]
    wrong = faults_by_name(
        days,
        "values",
        lambda name, seen, rows: fault_of(seen, rows, BUCKETS_MIN if name in CONTINUOUS else 1),
    )
    for name in CONTINUOUS:
        if problem := lumped([exported["values"][name] for exported in days]):
            wrong.setdefault(name, problem)
    credit.award(
        1 - len(wrong) / len(features),
        expected=f"{len(features)} features, every bucket within {TOLERANCE:.1%} of the rows",
        seen=said(wrong) or "all of them",
        where="a_day_in_*.exported.values",
    )


@check(points=5, competency=COMPETENCY)
def test_missing_values_are_exported(evidence, credit):
    """feature_missing_total counts rows without a value, for every feature"""
    days = exported_by_day(evidence, credit)
    # Most features are never missing, and a constant zero would be right for them.
    telling = {
        name
        for day in days
        for name, (_, expected) in day["missing"].items()
        if expected > TOLERANCE * day["rows"]
    }

    def judge(name, seen, rows):
        exported, expected = seen
        if exported is None:
            return "not exported"
        apart = abs(exported - expected) > TOLERANCE * rows
        return f"{exported:,.0f} where {expected:,} were missing" if apart else ""

    wrong = faults_by_name(days, "missing", judge)
    credit.award(
        # A few answered flights may happen to lack nothing.
        max(0.0, 1 - len(wrong) / max(1, len(telling))),
        expected=f"every feature within {TOLERANCE:.1%} of the rows; {len(telling)} were missing",
        seen=said(wrong) or "all of them",
        where="a_day_in_*.exported.missing",
    )


@check(points=8, competency=COMPETENCY)
def test_predictions_are_exported(evidence, credit):
    """prediction_probability_ratio holds every prediction"""
    days = exported_by_day(evidence, credit)
    problems = [fault_of(seen["predictions"], seen["rows"], BUCKETS_MIN) for seen in days]
    problems.append(lumped([seen["predictions"] for seen in days]))
    credit.award(
        not any(problems),
        expected=f"at least {BUCKETS_MIN} buckets within {TOLERANCE:.1%} of the predictions",
        seen=next((problem for problem in problems if problem), "right on every day"),
        where="a_day_in_*.exported.predictions",
    )


@guard(of=EXPORTS, competency=COMPETENCY)
def test_series_stay_bounded(evidence, credit):
    """Unknown categories and ids are answered and make no new series"""
    seen = evidence["cardinality"]
    grown = seen["after"] - seen["before"]
    most = ", ".join(f"{metric} by {count}" for metric, count in seen["grown"].items())
    said = f": {most}" if most else ""
    said += f"; not answered: {seen['refused']}" if seen["refused"] else ""
    credit.award(
        grown <= GROWTH_MAX and not seen["refused"],
        expected=f"at most {GROWTH_MAX} more series by the last {seen['rows']:,} rows of unknown "
        "categories and ids",
        seen=f"{seen['before']} series before, {seen['after']} after{said}",
        where="cardinality",
    )


@guard(of=EXPORTS, competency=COMPETENCY)
def test_answers_stay_fast(evidence, credit):
    """Answering takes at most five times as long as in the service as it was handed out"""
    rounds = evidence["latency"]["rounds"]
    ratio = slowdown(rounds)
    credit.award(
        ratio <= SLOWER_MAX,
        expected=f"a 95th percentile at most {SLOWER_MAX:g} times that of the handed-out service",
        seen=f"{ratio:.2f} times, in the best of {len(rounds)} rounds",
        where="latency.rounds",
    )


@guard(of=EXPORTS, competency=COMPETENCY)
def test_metrics_are_named_well(evidence, credit):
    """promtool check metrics finds nothing"""
    findings = evidence["lint"]["findings"]
    credit.award(
        NAMED_BADLY if findings else 1.0,
        expected=f"nothing to find; otherwise {NAMED_BADLY:.0%} of the points are left",
        seen="; ".join(findings[:4]) or "nothing",
        where="lint.findings",
    )
