"""Do quality alerts fire when the model has collapsed, and when labels stop?"""

from sandbox.grading import check
from sandbox.grading.alarms import PAGE, alarms, band, first_alarm

DAY_S, HOUR_S = 86_400, 3_600
# The ticket's objectives.
BIAS_MAX, AUC_MIN = 0.12, 0.62
# Beyond them for so long without a break, an objective is missed for good: a bad day or two, as of
# the 20th and 21st of August, leave the window sooner.
FOR_GOOD_S = 3 * DAY_S
# The ticket says three days. Our figures are six hours apart, and an alert may see it miss later.
PAGE_FULL_D, PAGE_NOTHING_D = 3.25, 7
LABELS_FULL_H, LABELS_NOTHING_H = 24, 48


@check(points=8, competency="quality alerts")
def test_real_collapse_is_paged(evidence, credit):
    """The collapse of late August is paged, from late labels"""
    paged(evidence["real"], credit, "real")


@check(points=8, competency="quality alerts")
def test_biased_collapse_is_paged(evidence, credit):
    """A collapse in July by bias alone is paged"""
    paged(evidence["biased"], credit, "biased")


@check(points=8, competency="quality alerts")
def test_lost_ranking_is_paged(evidence, credit):
    """A collapse in July by ranking alone is paged"""
    paged(evidence["unranked"], credit, "unranked")


@check(points=10, competency="quality alerts")
def test_missing_labels_are_noticed(evidence, credit):
    """Somebody notices when labels stop"""
    episode = evidence["healthy"]
    [fault] = [fault for fault in episode["faults"] if fault["kind"] == "labels_stop"]
    alarm = first_alarm(episode, fault)
    late_h = (alarm.start_s - fault["start_s"]) / HOUR_S if alarm else None
    credit.award(
        band(late_h, full=LABELS_FULL_H, nothing=LABELS_NOTHING_H),
        expected=f"an alert within {LABELS_FULL_H} h of the last label, at most {LABELS_NOTHING_H}",
        seen=f"{alarm.alert} after {late_h:.0f} h" if alarm else silent(episode),
        where="healthy.alerts",
    )


def missed_for_good(quality, from_s):
    """The first instant from which on an objective of quality is missed for three days on end."""
    since = None
    for at_s, bias, area in zip(quality["at_s"], quality["bias"], quality["auc"], strict=True):
        beyond = bias is not None and (abs(bias) > BIAS_MAX or area < AUC_MIN)
        if at_s < from_s or not beyond:
            since = None
        elif since is None:
            since = at_s
        if since is not None and at_s - since >= FOR_GOOD_S:
            return since
    return None


def paged(episode, credit, where):
    """Award by how long after an objective was missed for good the first page came."""
    [fault] = episode["faults"]
    missed_s = missed_for_good(episode["quality"], fault["start_s"])
    # No answers, no figures, and no collapse to be seen.
    assert missed_s is not None, "too few flights were answered to see a collapse"
    alarm = first_alarm(episode, fault, severities=(PAGE,))
    late_d = (alarm.start_s - missed_s) / DAY_S if alarm else None
    credit.award(
        band(late_d, full=PAGE_FULL_D, nothing=PAGE_NOTHING_D),
        expected=f"a page within {PAGE_FULL_D} days of an objective missed for good "
        f"(day {missed_s / DAY_S:.1f}), at most {PAGE_NOTHING_D}",
        seen=f"{alarm.alert} on day {alarm.start_s / DAY_S:.1f}" if alarm else silent(episode),
        where=f"{where}.alerts",
    )


def silent(episode):
    """What there was instead of the alert that was wanted."""
    told = episode["alerts"]
    if told["problem"]:
        return f"no alert; {told['problem']}"
    others = sorted({f"{alarm.alert} ({alarm.severity})" for alarm in alarms(episode)})
    return f"no such alert; fired at all: {', '.join(others) or 'none'}"
