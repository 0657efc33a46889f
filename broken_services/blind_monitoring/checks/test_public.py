"""Public checks: what a candidate who debugs labels and alerts wants to see."""

from sandbox.grading import check, findings
from sandbox.grading.alarms import clock, false_alarms, first_alarm, usable

WEEKS, DAY = "weeks", "half_a_day"
TOLERANCE = 0.01
VALUES_MAX = 100
# What a fault that is just over leaves behind, an alert may still tell.
SETTLES_S = {WEEKS: 48 * 3_600, DAY: 3_600}


@check(points=1, competency="model quality")
def test_quality_is_exported(evidence, credit):
    """prediction_bias_ratio and prediction_auc_ratio are what the labels say"""
    quality = evidence[WEEKS]["quality"]
    known = sum(wanted is not None for wanted in quality["bias"])
    wrong = [
        f"{metric} is {said} and should be {wanted:.3f} at {clock(at_s)}"
        for metric, ours in (("prediction_bias_ratio", "bias"), ("prediction_auc_ratio", "auc"))
        for at_s, wanted, said in zip(
            quality["at_s"], quality[ours], quality["exported"][metric], strict=True
        )
        if wanted is not None and (said is None or abs(said - wanted) > TOLERANCE)
    ]
    credit.award(
        known and not wrong,
        expected=f"both within {TOLERANCE:g} of our figures once there are 5,000 labels",
        seen=quality["problem"]
        or "; ".join(wrong[:3])
        or (f"both, at {known} instants" if known else "too few answers for 5,000 labels"),
        where=f"{WEEKS}.quality",
    )


@check(points=1, competency="quality alerts")
def test_collapse_and_missing_labels_are_told(evidence, credit):
    """The collapse is paged, and somebody notices that labels stop"""
    award_told(evidence[WEEKS], credit, WEEKS, {"labels_stop": None, "biased": ("page",)})


@check(points=1, competency="service levels")
def test_incidents_are_told(evidence, credit):
    """Errors and slow answers are paged, and somebody notices that scrapes are lost"""
    wanted = {"replica_errs": ("page",), "replica_slows": ("page",), "scrape_lost": None}
    award_told(evidence[DAY], credit, DAY, wanted)


@check(points=1, competency="alert hygiene")
def test_quiet_while_nothing_is_wrong(evidence, credit):
    """No alert begins while nothing is wrong"""
    wrong = [
        f"{name}: {alarm.alert} at {clock(alarm.start_s)}"
        for name in (WEEKS, DAY)
        for alarm in false_alarms(evidence[name], settles_s=SETTLES_S[name])
    ]
    problem = evidence[DAY]["alerts"]["problem"]
    credit.award(
        not wrong and not problem,
        expected="no alert",
        seen=problem or "; ".join(wrong[:4]) or "quiet",
        where=f"{WEEKS}.alerts",
    )


@check(points=1, competency="alert hygiene")
def test_alerts_are_usable(evidence, credit):
    """Every alert carries severity, summary, description and runbook"""
    told = evidence[DAY]["alerts"]
    lacking = [
        f"{rule['alert']} lacks {', '.join(lacks)}"
        for rule in told["rules"]
        if (lacks := usable(evidence[DAY], rule["alert"]))
    ]
    credit.award(
        bool(told["rules"]) and not lacking,
        expected="severity page or ticket, summary, description, runbook_url",
        seen=told["problem"] or "; ".join(lacking) or f"{len(told['rules'])} alerts",
        where=f"{DAY}.alerts",
    )


@check(points=1, competency="alert hygiene")
def test_labels_are_bounded(evidence, credit):
    """No label takes a value for every flight"""
    worst = max(
        (value for name in (WEEKS, DAY) for value in evidence[name]["values"]),
        key=lambda value: value["values"],
        default=None,
    )
    credit.award(
        worst is not None and worst["values"] <= VALUES_MAX,
        expected=f"at most {VALUES_MAX} values",
        seen=f"{worst['values']} values of {worst['metric']}{{{worst['label']}}}"
        if worst
        else "no metrics at all",
        where=f"{WEEKS}.values",
    )


@check(points=1, competency="diagnosis")
def test_diagnosis_can_be_read(evidence, credit):
    """diagnosis.yaml can be read and names something"""
    findings.require_some(evidence["diagnosis"], credit)


def award_told(episode, credit, where, wanted):
    """Award if each kind of fault has an alarm of a severity that will do."""
    missed = [
        f"no {'page' if wanted[fault['kind']] else 'alert'} when {fault['words']}"
        for fault in episode["faults"]
        if first_alarm(episode, fault, severities=wanted[fault["kind"]]) is None
    ]
    credit.award(
        not missed,
        expected=f"an alert for each of {len(wanted)} faults",
        seen=episode["alerts"]["problem"] or "; ".join(missed) or "all of them",
        where=f"{where}.alerts",
    )
