"""Do alerts fire when the feed goes wrong, in time and usable, and only then?"""

import math

from sandbox.grading import check, guard
from sandbox.grading.alarms import (
    PAGE,
    clock,
    false_alarms,
    first_alarm,
    rows_between,
    timeliness,
    unevaluated,
    usable,
)

ORDINARY = ("a_day_in_june", "a_day_in_july", "a_day_in_autumn")
FAULTY = (
    "frozen_weather",
    "no_weather",
    "a_grave_unit",
    "a_slight_unit",
    "a_new_category",
    "sensor_spikes",
    "crowded_traffic",
)
# Rows after a fault's start until customers have noticed, says the ticket.
NOTICED_ROWS = 5_000
# As early as that, on the scale of Numenta, is as early as anybody needs it: 2,000 of 5,000 rows.
EARLY = 0.9
ALERTING = (
    "grave_faults_are_paged",
    "other_faults_are_alerted",
    "alerts_are_in_time",
    "alerts_are_usable",
)


def caught(episode, severities=None):
    """The first alarm of the fault and how many rows it took; None where it is too late."""
    fault = episode["faults"][0]
    alarm = first_alarm(episode, fault, severities=severities)
    if alarm is None:
        return None, math.inf
    rows = rows_between(episode, fault["start_s"], alarm.start_s)
    return (alarm, rows) if rows <= NOTICED_ROWS else (None, rows)


def recall(credit, evidence, wanted, severities, expected):
    """Award the share of faults of one kind that are caught."""
    episodes = {name: evidence[name] for name in FAULTY}
    asked = {name: seen for name, seen in episodes.items() if seen["wanted"] == wanted}
    missed = [name for name, seen in asked.items() if caught(seen, severities)[0] is None]
    listed = [f"{name}: {why_missed(asked[name], severities)}" for name in missed]
    # What keeps rules from being evaluated is the same in most episodes, and comes first.
    problems = dict.fromkeys(problem for name in missed if (problem := unevaluated(asked[name])))
    credit.award(
        1 - len(missed) / len(asked),
        expected=f"{expected}, within {NOTICED_ROWS:,} rows, in {len(asked)} episodes",
        seen="; ".join([*problems, *listed]) or "all of them",
        where=", ".join(f"{name}.alerts" for name in asked),
    )


def why_missed(episode, severities):
    words = episode["faults"][0]["words"]
    alarm, rows = caught(episode)
    if alarm is None:
        late = f", the first alert came after {rows:,} rows" if rows < math.inf else ""
        return f"nobody was told that {words}{late}"
    return f"{alarm.alert} fired with severity {alarm.severity or 'missing'} when {words}"


@check(points=30, competency="drift alerts")
def test_grave_faults_are_paged(evidence, credit):
    """A page fires for each fault that moves predictions or AUC beyond the bound"""
    recall(credit, evidence, "page", (PAGE,), "an alert with severity page")


@check(points=20, competency="drift alerts")
def test_other_faults_are_alerted(evidence, credit):
    """An alert of any severity fires for each of the other faults"""
    recall(credit, evidence, "ticket", None, "an alert")


@check(points=10, competency="drift alerts")
def test_alerts_are_in_time(evidence, credit):
    """Alerts come early: as the Numenta benchmark scores it, in rows"""
    took = {name: caught(evidence[name])[1] for name in FAULTY}
    scores = [max(0.0, timeliness(rows, NOTICED_ROWS)) / EARLY for rows in took.values()]
    seen = ", ".join(
        f"{name} after {rows:,} rows" if rows < math.inf else f"{name} never"
        for name, rows in took.items()
    )
    credit.award(
        sum(min(1.0, score) for score in scores) / len(scores),
        expected=f"alerts by 2,000 rows for full points, by {NOTICED_ROWS:,} for any",
        seen=seen,
        where="*.alerts",
    )


@check(points=8, competency="alert hygiene")
def test_alerts_are_usable(evidence, credit):
    """Alerts that caught a fault carry severity, summary, description and runbook"""
    useful = {}
    for name in FAULTY:
        alarm, _ = caught(evidence[name])
        if alarm is not None:
            useful[alarm.alert] = usable(evidence[name], alarm.alert)
    lacking = {alert: lacks for alert, lacks in useful.items() if lacks}
    said = "; ".join(f"{alert} lacks {', '.join(lacks)}" for alert, lacks in lacking.items())
    # Of the faults caught as well: a perfect alert that tells of one fault in seven is little use.
    share = sum(caught(evidence[name])[0] is not None for name in FAULTY) / len(FAULTY)
    credit.award(
        share * (1 - len(lacking) / len(useful)) if useful else 0,
        expected="severity page or ticket, summary, description, runbook_url on each",
        seen=said or (f"all {len(useful)} have them" if useful else "no alert caught a fault"),
        where="*.alerts.rules",
    )


@guard(of=ALERTING, competency="drift alerts")
def test_quiet_while_nothing_is_wrong(evidence, credit):
    """No alert fires on ordinary days, nor before a fault begins"""
    wrong = [
        f"{name}: {alarm.alert} at {clock(alarm.start_s)}"
        for name in (*ORDINARY, *FAULTY)
        for alarm in false_alarms(evidence[name])
    ]
    # Several sets of labels at one moment, or one alert on and off, are one annoyance.
    distinct = sorted({text.rpartition(" at ")[0] for text in wrong})
    credit.award(
        {0: 1.0, 1: 0.5}.get(len(distinct), 0.0),
        expected="no alert of any severity; one alert in one episode halves the points",
        seen="; ".join(wrong[:6]) + (" ..." if len(wrong) > 6 else "") or "quiet",
        where="*.alerts",
    )
