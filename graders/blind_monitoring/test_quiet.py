"""Is it quiet while nothing is wrong? An alert that cannot tell catches a fault by luck."""

from sandbox.grading import guard
from sandbox.grading.alarms import TICKET, alarms, band, clock, false_alarms

DAY_S, HOUR_S = 86_400, 3_600
WEEKS = ("summer", "real", "healthy", "biased", "unranked")
DAYS = ("incidents",)
# What a fault that is over leaves behind may still be told for a while: labels that are back fill
# windows of a day, and long windows of requests remember it.
SETTLES_S = {**dict.fromkeys(WEEKS, 2 * DAY_S), **dict.fromkeys(DAYS, HOUR_S)}


@guard(
    of=(
        "real_collapse_is_paged",
        "biased_collapse_is_paged",
        "lost_ranking_is_paged",
        "missing_labels_are_noticed",
    ),
    competency="alert hygiene",
)
def test_quiet_in_healthy_weeks(evidence, credit):
    """No alert begins in weeks in which nothing is wrong"""
    award_quiet(evidence, credit, WEEKS, DAYS)


@guard(
    of=("errors_are_paged", "slow_answers_are_paged", "lost_scrape_is_noticed"),
    competency="alert hygiene",
)
def test_quiet_between_incidents(evidence, credit):
    """No alert begins in hours in which nothing is wrong"""
    award_quiet(evidence, credit, DAYS, WEEKS)


@guard(of=("alerts_end", "alerts_can_be_used"), competency="alert hygiene")
def test_alerts_mean_something(evidence, credit):
    """No page begins while nothing is wrong, in whatever episode"""
    pages = [(name, alarm) for name, alarm in found_false(evidence, WEEKS + DAYS) if is_page(alarm)]
    credit.award(
        not pages,
        expected="no false page",
        seen=listed(pages, "false pages"),
        where="real.alerts",
    )


def award_quiet(evidence, credit, here, elsewhere):
    """Award by the false alarms of some episodes, and of the same alerts in the others."""
    fired = {alarm.alert for name in here for alarm in alarms(evidence[name])}
    found = found_false(evidence, here) + [
        (name, alarm)
        for name, alarm in found_false(evidence, elsewhere)
        if alarm.alert in fired and is_page(alarm)
    ]
    pages = any(is_page(alarm) for _, alarm in found)
    # Several sets of labels at one moment, or one alert on and off, are one annoyance.
    distinct = {(name, alarm.alert) for name, alarm in found}
    credit.award(
        0 if pages else band(len(distinct), full=0, nothing=2),
        expected="no false alarm; one ticket costs half, one page or two tickets everything",
        seen=listed(found, "false alarms"),
        where=f"{here[0]}.alerts",
    )


def found_false(evidence, names):
    """False alarms with the episode of each."""
    return [
        (name, alarm)
        for name in names
        for alarm in false_alarms(evidence[name], settles_s=SETTLES_S[name])
    ]


def is_page(alarm):
    """Whether it wakes somebody; without a severity, nobody knows that it does not."""
    return alarm.severity != TICKET


def listed(found, what):
    """The first of them, for people."""
    first = "".join(
        f"; {alarm.alert} in {name} at {clock(alarm.start_s)}" for name, alarm in found[:4]
    )
    return f"{len(found)} {what}{first}"
