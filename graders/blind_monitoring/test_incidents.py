"""Do errors, slow answers and lost scrapes reach somebody in time, and do alerts end?"""

from sandbox.grading import check
from sandbox.grading.alarms import (
    PAGE,
    band,
    clock,
    first_alarm,
    usable,
)

MINUTE_S, DAY_S = 60, 86_400
# The ticket's objective allows 1 % of 30 days; one replica of four that misbehaves uses a quarter.
BUDGET_SHARE, MISBEHAVING, BUDGET_DAYS = 0.01, 0.25, 30
BURNT_FULL, BURNT_NOTHING = 0.04, 0.10
# The ticket says 10 minutes: a scrape interval more for the rule that waits for the next one.
LOST_FULL_MIN, LOST_NOTHING_MIN = 12, 20
PAGES_END_MIN, LOST_ENDS_MIN, LABELS_END_MIN = 60, 20, 24 * 60
VALUES_MAX = 100
EPISODES = ("summer", "real", "healthy", "biased", "unranked", "incidents")


@check(points=10, competency="service levels")
def test_errors_are_paged(evidence, credit):
    """Errors at the gateway are paged before much of the budget is gone"""
    burnt(evidence["incidents"], credit, "replica_errs")


@check(points=10, competency="service levels")
def test_slow_answers_are_paged(evidence, credit):
    """Slow answers at the gateway are paged before much of the budget is gone"""
    burnt(evidence["incidents"], credit, "replica_slows")


@check(points=8, competency="service levels")
def test_lost_scrape_is_noticed(evidence, credit):
    """Somebody notices when the service cannot be scraped"""
    episode = evidence["incidents"]
    fault = fault_of(episode, "scrape_lost")
    alarm = first_alarm(episode, fault)
    late_min = (alarm.start_s - fault["start_s"]) / MINUTE_S if alarm else None
    credit.award(
        band(late_min, full=LOST_FULL_MIN, nothing=LOST_NOTHING_MIN),
        expected=f"an alert within {LOST_FULL_MIN} minutes, at most {LOST_NOTHING_MIN}",
        seen=f"{alarm.alert} after {late_min:.0f} minutes" if alarm else "no alert",
        where="incidents.alerts",
    )


@check(points=5, competency="alert hygiene")
def test_alerts_end(evidence, credit):
    """Alerts end when the fault has ended"""
    remarks, ended = [], 0
    told = detected(evidence)
    passing = [case for case in told if case[1]["until_s"] is not None]
    for alarm, fault, within_min in passing:
        over = alarm is not None and alarm.ended_by(fault["until_s"] + within_min * MINUTE_S)
        ended += over
        if alarm is None:
            remarks.append(f"{fault['kind']}: no alert to end")
        elif not over:
            end = "never" if alarm.end_s is None else f"at {clock(alarm.end_s)}"
            remarks.append(f"{alarm.alert} ended {end}, the fault at {clock(fault['until_s'])}")
    credit.award(
        ended / len(passing),
        expected=f"pages end within {PAGES_END_MIN} minutes, lost scrapes within {LOST_ENDS_MIN}, "
        "missing labels within a day",
        seen="; ".join(remarks) or "all ended in time",
        where="incidents.alerts",
    )


@check(points=3, competency="alert hygiene")
def test_alerts_can_be_used(evidence, credit):
    """Each alert that caught something says what it is, and what to do"""
    told = detected(evidence)
    remarks, good = [], 0
    for name, (alarm, fault, _) in zip(WHERE, told, strict=True):
        lacks = usable(evidence[name], alarm.alert) if alarm else ["no alert"]
        good += not lacks
        if lacks:
            who = alarm.alert if alarm else fault["kind"]
            remarks.append(f"{who}: {'' if alarm is None else 'no '}{', '.join(lacks)}")
    credit.award(
        good / len(told),
        expected="severity, summary, description and runbook_url on what caught each fault",
        seen="; ".join(remarks) or "all of them",
        where="incidents.alerts",
    )


@check(points=5, competency="alert hygiene")
def test_no_label_is_unbounded(evidence, credit):
    """No label takes a value for every flight or request"""
    worst = max(
        (value for name in EPISODES for value in evidence[name]["values"]),
        key=lambda value: value["values"],
        default=None,
    )
    # A service that exports nothing has no labels either.
    credit.award(
        worst is not None and worst["values"] <= VALUES_MAX,
        expected=f"at most {VALUES_MAX} values",
        seen=f"{worst['values']} values of {worst['metric']}{{{worst['label']}}}"
        if worst
        else "no metrics at all",
        where="real.values",
    )


WHERE = ("incidents", "incidents", "incidents", "healthy", "biased", "unranked", "real")


def detected(evidence):
    """Every fault that an alert should tell of: its first alarm, itself, and minutes to end in."""
    wanted = (
        ("replica_errs", (PAGE,), PAGES_END_MIN),
        ("replica_slows", (PAGE,), PAGES_END_MIN),
        ("scrape_lost", None, LOST_ENDS_MIN),
        ("labels_stop", None, LABELS_END_MIN),
        ("biased", (PAGE,), None),
        ("unranked", (PAGE,), None),
        ("collapse", (PAGE,), None),
    )
    return [
        (
            first_alarm(
                evidence[name],
                fault_of(evidence[name], kind),
                severities=severities,
            ),
            fault_of(evidence[name], kind),
            within_min,
        )
        for name, (kind, severities, within_min) in zip(WHERE, wanted, strict=True)
    ]


def fault_of(episode, kind):
    """The episode's only fault of a kind."""
    [fault] = [fault for fault in episode["faults"] if fault["kind"] == kind]
    return fault


def burnt(episode, credit, kind):
    """Award by the share of the month's budget that is gone when somebody is paged."""
    fault = fault_of(episode, kind)
    alarm = first_alarm(episode, fault, severities=(PAGE,))
    budget_s = BUDGET_SHARE * BUDGET_DAYS * DAY_S
    gone, seen = None, "no page"
    if alarm:
        late_s = alarm.start_s - fault["start_s"]
        gone = late_s * MISBEHAVING / budget_s
        seen = f"{alarm.alert} at {gone:.1%}, {clock(late_s)} h after the start"
    credit.award(
        band(gone, full=BURNT_FULL, nothing=BURNT_NOTHING),
        expected=f"a page by {BURNT_FULL:.0%} of the budget of {BUDGET_DAYS} days, at most "
        f"{BURNT_NOTHING:.0%}",
        seen=seen,
        where="incidents.alerts",
    )
