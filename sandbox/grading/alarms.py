"""When alerts fired in an episode, read from its evidence: caught, in time, or a false alarm.

An alert belongs to a fault if it begins to fire while the fault is there. One that fired before
already says nothing about it, and one that begins while nothing is wrong is a false alarm. What a
recovering fault leaves behind, an alert may still find: for a while after the end of a fault, its
alarms are neither.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAGE, TICKET = "page", "ticket"
ANNOTATIONS = ("summary", "description", "runbook_url")


@dataclass(frozen=True)
class Alarm:
    """One alert, for one set of labels, from firing to resolved.

    Args:
        alert: its name.
        severity: its label `severity`; empty where it has none.
        start_s: when it began to fire, in seconds from the episode's start.
        end_s: when it was resolved; None if it still fired at the end.
        labels: its labels, as name and value.
        since_s: since when its condition held; before `start_s` by its `for`.
    """

    alert: str
    severity: str
    start_s: float
    end_s: float | None
    labels: tuple[tuple[str, str], ...] = ()
    since_s: float = field(default=math.inf, compare=False)

    def ended_by(self, seconds: float) -> bool:
        """Whether it was resolved by then."""
        return self.end_s is not None and self.end_s <= seconds


def alarms(episode: Mapping[str, Any]) -> list[Alarm]:
    """Every alarm of an episode, in order of time."""
    found = [
        Alarm(
            rule["alert"],
            firing["labels"].get("severity", ""),
            firing["start_s"],
            firing["end_s"],
            tuple(sorted(firing["labels"].items())),
            firing.get("since_s", firing["start_s"]),
        )
        for rule in episode["alerts"]["rules"]
        for firing in rule["firings"]
    ]
    return sorted(found, key=lambda alarm: (alarm.start_s, alarm.alert))


def false_alarms(episode: Mapping[str, Any], *, settles_s: float = 0.0) -> list[Alarm]:
    """Alarms that began while nothing was wrong, and whose condition did, too.

    Args:
        episode: its evidence.
        settles_s: for how long after a fault's end its alarms are still forgiven.
    """
    return [
        alarm
        for alarm in alarms(episode)
        if not any(
            fault["start_s"] <= at_s <= _end(fault) + settles_s
            for at_s in (alarm.start_s, alarm.since_s)
            for fault in episode["faults"]
        )
    ]


def first_alarm(
    episode: Mapping[str, Any],
    fault: Mapping[str, Any],
    *,
    severities: Sequence[str] | None = None,
    within_s: float = math.inf,
) -> Alarm | None:
    """The first alarm that began while a fault was there.

    Args:
        episode: its evidence.
        fault: one of the episode's `faults`.
        severities: which labels count; any, or none at all, unless given.
        within_s: seconds from the fault's start until it is too late.
    """
    for alarm in alarms(episode):
        since = alarm.start_s - fault["start_s"]
        counts = severities is None or alarm.severity in severities
        if counts and 0 <= since <= within_s and alarm.start_s <= _end(fault):
            return alarm
    return None


def rows_between(episode: Mapping[str, Any], start_s: float, end_s: float) -> int:
    """How many rows were sent from one instant of an episode to another, both included."""
    answers, tick_s = episode["answers"], episode["tick_s"]
    return sum(
        rows
        for tick, rows in zip(answers["tick"], answers["rows"], strict=True)
        if start_s <= tick * tick_s <= end_s
    )


def timeliness(late: float, noticed: float) -> float:
    """How early an alarm is, from 1 at the fault's start to 0 when customers notice, -1 after that.

    The sigmoid of the Numenta Anomaly Benchmark (Lavin and Ahmad 2015): (2 * s(-5p) - 1) / 0.98661
    with s the logistic function and p from -1 at the start to 0 when customers notice.

    Args:
        late: how long after the fault's start the alarm came, in any unit.
        noticed: how long customers take to notice, in the same unit.
    """
    if late > noticed:
        return -1.0
    position = late / noticed - 1
    return min(1.0, (2 / (1 + math.exp(5 * position)) - 1) / 0.98661)


def band(value: float | None, *, full: float, nothing: float) -> float:
    """Share of the points for a measure: 1 at `full` or better, 0 at `nothing` or worse, and in
    between a straight line. Either may be the larger one. What never came (None) earns nothing.
    """
    if value is None:
        return 0.0
    return min(1.0, max(0.0, (value - nothing) / (full - nothing)))


def usable(episode: Mapping[str, Any], alert: str) -> list[str]:
    """What is missing for a tired person to use an alert: severity and annotations, by name.

    Rules may share a name, one for each severity; then it is what any of them lacks.
    """
    rules = [rule for rule in episode["alerts"]["rules"] if rule["alert"] == alert]
    # Its expression may give it the label: what fired tells, and where nothing did, the rule does.
    fired = {alarm.severity for alarm in alarms(episode) if alarm.alert == alert}
    said = fired or {rule["severity"] for rule in rules}
    lacks = ["severity"] if said - {PAGE, TICKET} else []
    return lacks + [
        name
        for name in ANNOTATIONS
        if any(not r["annotations"].get(name, "").strip() for r in rules)
    ]


def unevaluated(episode: Mapping[str, Any]) -> str:
    """Why the rule file, or some of its rules, could not be evaluated; empty where all could."""
    told = episode["alerts"]
    problems = [(rule["alert"], rule["problem"]) for rule in told["rules"]]
    problems += told["unrecorded"].items()
    return told["problem"] or "; ".join(f"{name}: {said}" for name, said in problems if said)


def clock(seconds: float) -> str:
    """A time in an episode for people: `26:10` hours and minutes from the start."""
    minutes = round(seconds / 60)
    return f"{minutes // 60}:{minutes % 60:02}"


def _end(fault: Mapping[str, Any]) -> float:
    until: float | None = fault["until_s"]
    return math.inf if until is None else until
