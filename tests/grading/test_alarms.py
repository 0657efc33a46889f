"""Which fault an alarm belongs to, how early it was, and whom it helps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.grading.alarms import (
    Alarm,
    alarms,
    band,
    clock,
    false_alarms,
    first_alarm,
    rows_between,
    timeliness,
    unevaluated,
    usable,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# A fault from 600 s to 1,200 s.
FAULT = {"start_s": 600.0, "until_s": 1_200.0}
ENDLESS = {"start_s": 600.0, "until_s": None}
WHOLE = {name: f"some {name}" for name in ("summary", "description", "runbook_url")}


def rule(
    alert: str, *starts: float, severity: str = "page", lasts_s: float | None = 60.0, **changed: Any
) -> dict[str, Any]:
    return {
        "alert": alert,
        "severity": severity,
        "annotations": WHOLE,
        "firings": [
            {
                # Prometheus drops a label that is empty.
                "labels": {"severity": severity} if severity else {},
                "start_s": start,
                "end_s": None if lasts_s is None else start + lasts_s,
            }
            for start in starts
        ],
        **changed,
    }


def episode(*rules: dict[str, Any], faults: Sequence[dict[str, Any]] = (FAULT,)) -> dict[str, Any]:
    return {"alerts": {"rules": list(rules)}, "faults": list(faults)}


# -- what fired


def test_alarms_are_in_order_of_time() -> None:
    seen = alarms(episode(rule("B", 900, 60), rule("A", 900, severity="", lasts_s=None)))
    page = (("severity", "page"),)
    assert seen == [
        Alarm("B", "page", 60, 120, page),
        Alarm("A", "", 900, None),
        Alarm("B", "page", 900, 960, page),
    ]


def test_an_alarm_ends_when_it_is_resolved() -> None:
    alarm = Alarm("A", "page", 0, 300)
    assert [alarm.ended_by(at) for at in (299, 300, 301)] == [False, True, True]
    assert not Alarm("A", "page", 0, None).ended_by(math.inf)


# -- whose it is


@pytest.mark.parametrize(
    ("at", "settles", "false"),
    [
        (599, 0, True),
        (600, 0, False),
        (1_200, 0, False),
        (1_201, 0, True),
        (1_201, 60, False),
        (1_260, 60, False),
        (1_261, 60, True),
        # What settles does so after a fault, not before.
        (599, 60, True),
    ],
)
def test_an_alarm_is_false_unless_it_begins_with_a_fault_there(
    at: float, settles: float, false: bool
) -> None:
    seen = episode(rule("A", at))
    assert bool(false_alarms(seen, settles_s=settles)) is false


def test_an_alarm_from_before_stays_false_while_it_lasts_into_the_fault() -> None:
    seen = episode(rule("A", 300, lasts_s=None))
    assert len(false_alarms(seen)) == 1
    assert first_alarm(seen, FAULT) is None


def test_a_fault_without_an_end_is_there_to_the_last() -> None:
    seen = episode(rule("A", 10**9), faults=[ENDLESS])
    assert false_alarms(seen) == []
    assert first_alarm(seen, ENDLESS) is not None


def test_without_a_fault_every_alarm_is_false() -> None:
    seen = episode(rule("A", 0, 600), rule("B", 900), faults=[])
    assert len(false_alarms(seen)) == 3


def test_between_two_faults_an_alarm_belongs_to_neither() -> None:
    later = {"start_s": 2_000.0, "until_s": 3_000.0}
    seen = episode(rule("A", 700, 1_500, 2_500), faults=[FAULT, later])
    assert [alarm.start_s for alarm in false_alarms(seen)] == [1_500]
    first, second = first_alarm(seen, FAULT), first_alarm(seen, later)
    assert (first.start_s, second.start_s) == (700, 2_500)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("at", "found"), [(599, False), (600, True), (900, True), (1_200, True), (1_201, False)]
)
def test_the_first_alarm_begins_while_the_fault_is_there(at: float, found: bool) -> None:
    assert (first_alarm(episode(rule("A", at)), FAULT) is not None) is found


def test_the_first_alarm_is_the_first_of_those_that_count() -> None:
    seen = episode(rule("T", 650, severity="ticket"), rule("P", 700), rule("N", 620, severity=""))
    found = {
        severities: first_alarm(seen, FAULT, severities=severities)
        for severities in (None, ("page",), ("ticket",), ("page", "ticket"), ("gold",))
    }
    assert {key: alarm and alarm.alert for key, alarm in found.items()} == {
        None: "N",
        ("page",): "P",
        ("ticket",): "T",
        ("page", "ticket"): "T",
        ("gold",): None,
    }


def test_too_late_is_too_late() -> None:
    seen = episode(rule("A", 900))
    assert first_alarm(seen, FAULT, within_s=300) is not None
    assert first_alarm(seen, FAULT, within_s=299) is None


# -- how early


@pytest.mark.parametrize(
    ("late", "score"),
    [
        (0, 1.0),
        # 2 * s(-5 p) - 1 by hand: p = -0.6, -0.5, -0.2, over 0.98661.
        (2_000, 0.9174),
        (2_500, 0.8598),
        (4_000, 0.4684),
        (5_000, 0.0),
        (5_001, -1.0),
        (math.inf, -1.0),
    ],
)
def test_timeliness_is_the_sigmoid_of_the_benchmark(late: float, score: float) -> None:
    assert timeliness(late, 5_000) == pytest.approx(score, abs=5e-5)


def test_later_is_never_better_and_the_unit_does_not_matter() -> None:
    scores = [timeliness(rows, 5_000) for rows in range(0, 6_000, 50)]
    assert scores == sorted(scores, reverse=True)
    assert max(scores) <= 1
    assert timeliness(2.0, 5.0) == pytest.approx(timeliness(2_000, 5_000))


@pytest.mark.parametrize(
    ("value", "full", "nothing", "share"),
    [
        (0.0, 0.2, 1.0, 1.0),
        (0.2, 0.2, 1.0, 1.0),
        (0.6, 0.2, 1.0, 0.5),
        (1.0, 0.2, 1.0, 0.0),
        (7.0, 0.2, 1.0, 0.0),
        (math.inf, 0.2, 1.0, 0.0),
        (0.95, 0.9, 0.5, 1.0),
        (0.8, 0.9, 0.5, 0.75),
        (0.5, 0.9, 0.5, 0.0),
        (-1.0, 0.9, 0.5, 0.0),
        (None, 0.2, 1.0, 0.0),
        (None, 0.9, 0.5, 0.0),
    ],
)
def test_a_band_works_both_ways(
    value: float | None, full: float, nothing: float, share: float
) -> None:
    assert band(value, full=full, nothing=nothing) == pytest.approx(share)


def test_rows_are_counted_from_one_instant_to_another_with_both() -> None:
    seen = {
        "tick_s": 120,
        "answers": {"tick": [0, 1, 1, 2, 3, 5], "rows": [1, 10, 20, 100, 1_000, 7]},
    }
    assert rows_between(seen, 120, 240) == 130
    assert rows_between(seen, 120, 120) == 30
    # An onset between two ticks shows at the next one.
    assert rows_between(seen, 121, 360) == 1_100
    assert rows_between(seen, 0, math.inf) == 1_138
    assert rows_between(seen, 240, 120) == 0


# -- for whom


def test_an_alert_with_everything_is_usable() -> None:
    for severity in ("page", "ticket"):
        assert usable(episode(rule("A", severity=severity)), "A") == []


@pytest.mark.parametrize(
    ("changed", "lacks"),
    [
        ({"severity": ""}, ["severity"]),
        ({"severity": "critical"}, ["severity"]),
        ({"annotations": {}}, ["summary", "description", "runbook_url"]),
        ({"annotations": {**WHOLE, "summary": " \n"}}, ["summary"]),
        ({"annotations": {**WHOLE, "extra": "x"}}, []),
    ],
)
def test_what_an_alert_lacks_is_named(changed: dict[str, Any], lacks: list[str]) -> None:
    assert usable(episode(rule("B"), rule("A", **changed)), "A") == lacks


def test_rules_that_share_a_name_are_judged_together() -> None:
    bare = rule("A", severity="ticket", annotations={})
    for rules in ((rule("A"), bare), (bare, rule("A"))):
        assert usable(episode(*rules), "A") == ["summary", "description", "runbook_url"]


def test_a_severity_may_come_from_the_expression() -> None:
    told = rule("A", 900)
    for static in ("", "{{ $labels.severity }}"):
        assert usable(episode({**told, "severity": static}), "A") == []
        # What never fired under the same name says nothing about what did.
        assert usable(episode({**told, "severity": static}, rule("A", severity=static)), "A") == []
        assert usable(episode(rule("A", severity=static)), "A") == ["severity"]
    # A template that came to nothing leaves no label.
    lost = {**rule("A", 900, severity=""), "severity": "{{ $labels.level }}"}
    assert [alarm.severity for alarm in alarms(episode(lost))] == [""]
    assert usable(episode(lost), "A") == ["severity"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0:00"), (59, "0:01"), (3_599, "1:00"), (3_600, "1:00"), (94_200, "26:10")],
)
def test_a_time_for_people(seconds: float, said: str) -> None:
    assert clock(seconds) == said


def test_what_was_not_evaluated_is_told_by_name_unless_nothing_was() -> None:
    rules = [rule("A", problem="gives too much"), rule("A", problem="")]
    told = {"problem": "", "rules": rules, "unrecorded": {"all:rate": "reads itself"}}
    assert unevaluated({"alerts": told}) == "A: gives too much; all:rate: reads itself"
    assert unevaluated({"alerts": {**told, "problem": "not YAML"}}) == "not YAML"
    assert unevaluated({"alerts": {"problem": "", "rules": rules[1:], "unrecorded": {}}}) == ""
