"""Public checks: what a candidate who debugs alerts wants to see."""

from sandbox.grading import check, findings
from sandbox.grading.alarms import clock, false_alarms, first_alarm, unevaluated, usable
from sandbox.grading.histograms import BUCKETS_MIN, fault_of, lumped

DAY = "an_ordinary_day"
FAULTY = ("no_weather", "humidity_as_a_fraction")
EPISODES = (DAY, *FAULTY)
RIGHT_MIN = 0.98
# Features that take many values, by the ticket; others may need fewer buckets.
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


@check(points=1, competency="drift alerts")
def test_alerts_fire_on_faults(evidence, credit):
    """An alert fires in both public faults, a page where the weather is gone"""
    wanted = {"no_weather": ("page",), "humidity_as_a_fraction": None}
    missed = []
    for name, severities in wanted.items():
        fault = evidence[name]["faults"][0]
        if first_alarm(evidence[name], fault, severities=severities) is None:
            missed.append(f"{'no page' if severities else 'nothing'} when {fault['words']}")
    problem = unevaluated(evidence[FAULTY[0]])
    credit.award(
        not missed and not problem,
        expected="a page when weather is null, an alert when humidity is a fraction",
        seen=problem or "; ".join(missed) or "both",
        where=", ".join(FAULTY),
    )


@check(points=1, competency="drift alerts")
def test_quiet_while_nothing_is_wrong(evidence, credit):
    """No alert fires on an ordinary day, nor before a fault begins"""
    wrong = [
        f"{name}: {alarm.alert} at {clock(alarm.start_s)}"
        for name in EPISODES
        for alarm in false_alarms(evidence[name])
    ]
    credit.award(not wrong, expected="no alert", seen="; ".join(wrong[:4]) or "quiet", where=DAY)


@check(points=1, competency="alert hygiene")
def test_alerts_are_usable(evidence, credit):
    """Every alert carries severity, summary, description and runbook"""
    rules = evidence[DAY]["alerts"]["rules"]
    lacking = [
        f"{rule['alert']} lacks {', '.join(lacks)}"
        for rule in rules
        if (lacks := usable(evidence[DAY], rule["alert"]))
    ]
    problem = evidence[DAY]["alerts"]["problem"]
    credit.award(
        bool(rules) and not lacking and not problem,
        expected="severity page or ticket, summary, description, runbook_url",
        seen=problem or "; ".join(lacking) or (f"{len(rules)} alerts" if rules else "no alerts"),
        where=DAY,
    )


@check(points=1, competency="model telemetry")
def test_answers_are_the_models(evidence, credit):
    """Every flight is answered as the champion does, on bad days, too"""
    shares = {name: evidence[name]["right"] for name in EPISODES}
    wrong = [f"{share:.1%} in {name}" for name, share in shares.items() if share < RIGHT_MIN]
    credit.award(
        not wrong,
        expected=f"at least {RIGHT_MIN:.0%} of each replay's rows answered as the champion does",
        seen="; ".join(wrong) or "all of them",
        where="*.right",
    )


@check(points=1, competency="model telemetry")
def test_distributions_are_exported(evidence, credit):
    """feature_value, feature_missing_total and prediction_probability_ratio are exported"""
    exported = evidence[DAY]["exported"]
    missing = [f"feature_value of {name}" for name, seen in exported["values"].items() if not seen]
    missing += [
        f"feature_missing_total of {name}"
        for name, (seen, _) in exported["missing"].items()
        if seen is None
    ]
    missing += [] if exported["predictions"] else ["prediction_probability_ratio"]
    credit.award(
        not missing,
        expected="both for every feature, and the predictions",
        seen=f"no {', no '.join(missing[:4])}" if missing else "all of them",
        where=f"{DAY}.exported",
    )


@check(points=1, competency="model telemetry")
def test_histograms_are_right_and_tell_values_apart(evidence, credit):
    """What the histograms hold is what the service was asked, in buckets that are of use"""
    days = [evidence[name]["exported"] for name in EPISODES]
    wrong = {}
    for name in days[0]["values"]:
        histograms = [day["values"][name] for day in days]
        wrong[f"feature_value of {name}"] = fault_in(histograms, days, many=name in CONTINUOUS)
    histograms = [day["predictions"] for day in days]
    wrong["prediction_probability_ratio"] = fault_in(histograms, days, many=True)
    said = [f"{name}: {fault}" for name, fault in wrong.items() if fault]
    credit.award(
        not said,
        expected=f"{BUCKETS_MIN} buckets or more of many values, on some day at most nine tenths "
        "of them in one",
        seen="; ".join(said[:4]) or "all of them",
        where="*.exported",
    )


@check(points=1, competency="diagnosis")
def test_diagnosis_can_be_read(evidence, credit):
    """diagnosis.yaml can be read and names something"""
    findings.require_some(evidence["diagnosis"], credit)


def fault_in(histograms, days, *, many):
    """What is wrong with one quantity's histograms on these days; empty where nothing is."""
    pairs = zip(histograms, days, strict=True)
    faults = [fault_of(buckets, day["rows"], BUCKETS_MIN if many else 1) for buckets, day in pairs]
    return next(filter(None, faults), "") or (lumped(histograms) if many else "")
