"""Public checks: what a candidate who debugs alerts wants to see."""

from sandbox.grading import check, findings
from sandbox.grading.alarms import clock, false_alarms, first_alarm, usable

DAY = "an_ordinary_day"
FAULTY = ("no_weather", "humidity_as_a_fraction")
EPISODES = (DAY, *FAULTY)


@check(points=1, competency="drift alerts")
def test_alerts_fire_on_faults(evidence, credit):
    """An alert fires in both public faults, a page where the weather is gone"""
    wanted = {"no_weather": ("page",), "humidity_as_a_fraction": None}
    missed = []
    for name, severities in wanted.items():
        fault = evidence[name]["faults"][0]
        if first_alarm(evidence[name], fault, severities=severities) is None:
            missed.append(f"{'no page' if severities else 'nothing'} when {fault['words']}")
    problem = evidence[FAULTY[0]]["alerts"]["problem"]
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


@check(points=1, competency="diagnosis")
def test_diagnosis_can_be_read(evidence, credit):
    """diagnosis.yaml can be read and names something"""
    findings.require_some(evidence["diagnosis"], credit)
