"""An episode in the terminal: what went wrong, what fired, what did not, and nothing that acts."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from sandbox.evidence import EvidenceWriter, Outcome, Record
from sandbox.report.timeline import ALARMS_SHOWN, print_timelines, silent, timeline

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HOSTILE = "[red]a[/red] \x1b[2J\x1b]0;title\x07b\x9b1m\nc\u202e [/]"
FAULT = {
    "kind": "unit",
    "subject": ["humid"],
    "words": "humid arrives in a fraction",
    "start_s": 5_400.0,
    "until_s": None,
}
OVER = {**FAULT, "until_s": 9_000.0}


def firing(start_s: float, end_s: float | None = None, **labels: str) -> dict[str, Any]:
    return {"labels": labels, "start_s": start_s, "end_s": end_s}


def rule(
    alert: str, *firings: dict[str, Any], severity: str = "page", **changed: Any
) -> dict[str, Any]:
    # Prometheus drops a label that is empty.
    own = {"severity": severity} if severity else {}
    return {
        "alert": alert,
        "severity": severity,
        "annotations": {},
        "problem": "",
        "firings": [{**one, "labels": {**own, **one["labels"]}} for one in firings],
        "why": "",
        **changed,
    }


def episode(
    *rules: dict[str, Any],
    faults: Sequence[dict[str, Any]] = (FAULT,),
    problem: str = "",
    unrecorded: dict[str, str] | None = None,
    **changed: Any,
) -> dict[str, Any]:
    return {
        "start": "2013-09-24T12:00:00+00:00",
        "tick_s": 120,
        "ticks": 121,
        "faults": list(faults),
        "scrapes": {"failed": 0, "problem": ""},
        "alerts": {"problem": problem, "rules": list(rules), "unrecorded": unrecorded or {}},
        **changed,
    }


def printed(seen: dict[str, Any], *, width: int = 200, color: bool = False) -> str:
    sink = io.StringIO()
    system = "truecolor" if color else None
    Console(file=sink, width=width, force_terminal=color, color_system=system).print(  # type: ignore[arg-type]
        timeline("humidity as a fraction", seen)
    )
    return sink.getvalue()


def lines(seen: dict[str, Any]) -> list[str]:
    return [" ".join(line.split()) for line in printed(seen).splitlines()]


def test_the_first_line_says_what_when_and_how_long() -> None:
    assert lines(episode())[0] == "humidity as a fraction, Tue 24 Sep 08:00, 4 hours"
    weeks = episode(tick_s=3_600, ticks=70 * 24 + 1)
    assert lines(weeks)[0].endswith(", 70 days")


def test_what_happened_is_told_in_order_of_time() -> None:
    seen = episode(
        rule("Humid", firing(6_000, 9_120)), rule("Early", firing(600, 1_200)), faults=[OVER]
    )
    assert lines(seen)[1:] == [
        "0:10 false alarm Early (page) until 0:20",
        "1:30 begins: humid arrives in a fraction",
        "1:40 fires Humid (page) until 2:32, 0:10 after it began",
        "2:30 over: humid arrives in a fraction",
    ]


def test_an_alarm_at_the_onset_comes_after_it() -> None:
    assert lines(episode(rule("Quick", firing(5_400))))[1:] == [
        "1:30 begins: humid arrives in a fraction",
        "1:30 fires Quick (page) to the end, 0:00 after it began",
    ]


def test_one_alert_of_many_series_is_one_line() -> None:
    seen = episode(
        rule("Psi", *(firing(6_000, 7_200 + n, feature=str(n)) for n in range(9)), severity="")
    )
    assert lines(seen)[2:] == [
        "1:40 fires Psi (no severity, 9 series) until 2:00, 0:10 after it began: "
        'such as feature="0"'
    ]
    # One of them that still fires is enough.
    seen["alerts"]["rules"][0]["firings"][4]["end_s"] = None
    assert lines(seen)[2:] == [
        "1:40 fires Psi (no severity, 9 series) to the end, 0:10 after it began: "
        'such as feature="0"'
    ]


def test_an_alert_that_comes_and_goes_is_told_each_time_but_not_for_ever() -> None:
    on_and_off = [firing(5_400 + 240 * n, 5_520 + 240 * n) for n in range(20)]
    seen = lines(episode(rule("Nervous", *on_and_off)))
    assert sum("fires Nervous" in line for line in seen) == ALARMS_SHOWN
    assert seen[-1] == f"and {20 - ALARMS_SHOWN} alarms more, not shown"


def test_an_ordinary_day_is_quiet_or_it_is_not() -> None:
    other = rule("Silent", why="Silent: no such metric")
    assert lines(episode(other, faults=[]))[1:] == ["0:00 nothing goes wrong, and no alert fires"]
    seen = lines(episode(other, rule("Sunset", firing(7_200, 7_320)), faults=[]))
    assert seen[1:] == ["2:00 false alarm Sunset (page) until 2:02"]


def test_who_fires_nowhere_is_told_once_with_the_reason_that_matters() -> None:
    fires, broken = rule("Fires", firing(6_000)), rule("Broken", problem="parse error")
    caught = episode(rule("Missing", why="Missing: at most 0.1"), broken, fires)
    unnoticed = episode(rule("Missing", why="Missing: no such metric"), broken, rule("Fires"))
    quiet = episode(rule("Missing", why="Missing: on a good day"), faults=[])
    assert [line.plain for line in silent([("a", quiet), ("b", caught), ("c", unnoticed)])] == [
        "silent  Missing: no such metric",
        "silent  Broken: parse error",
    ]
    assert "0:00 nothing goes wrong, and no alert fires" in lines(quiet)
    assert "1:30 no alert tells of it" in lines(unnoticed)
    assert not any("no alert tells" in line for line in lines(caught))


def test_at_another_scrape_interval_the_reason_may_be_another() -> None:
    days = {**episode(rule("Missing", why="Missing: no such metric"), faults=[]), "tick_s": 120.0}
    weeks = {**episode(rule("Missing", why="Missing: at least 0.64")), "tick_s": 3_600.0}
    assert [line.plain for line in silent([("days", days), ("weeks", weeks)])] == [
        "silent  weeks: Missing: at least 0.64",
        "silent  days: Missing: no such metric",
    ]


def test_the_alarm_that_tells_of_a_fault_is_shown_however_many_there_are() -> None:
    early = [rule(f"Early{number}", firing(600.0 + number)) for number in range(ALARMS_SHOWN)]
    seen = lines(episode(*early, rule("Telling", firing(6_000))))
    assert any("fires Telling" in line for line in seen)
    assert seen[-1] == "and 1 alarm more, not shown"


def test_an_alarm_shows_the_labels_that_tell_series_apart() -> None:
    alarm = firing(6_000, job="flight-delay", instance="x", severity="page", check="season")
    assert (
        lines(episode(rule("Odd", alarm)))[-1]
        == '1:40 fires Odd (page) to the end, 0:10 after it began: check="season"'
    )


def test_what_kept_alerts_from_being_evaluated_is_told() -> None:
    assert lines(episode(problem="line 3: not YAML"))[-1] == "no alert was evaluated, see below"
    seen = episode(scrapes={"failed": 1, "problem": "/metrics answered status 500"})
    assert lines(seen)[-1] == "1 scrape failed: /metrics answered status 500"


@pytest.mark.parametrize("color", [True, False])
def test_what_a_submission_says_is_text(color: bool) -> None:
    seen = episode(
        rule(HOSTILE, firing(6_000), severity=HOSTILE),
        rule("Silent", why=HOSTILE),
        rule(HOSTILE, problem=HOSTILE),
        problem=HOSTILE,
        unrecorded={HOSTILE: HOSTILE},
        scrapes={"failed": 3, "problem": HOSTILE},
    )
    text = printed(seen, color=color)
    ours = re.sub(r"\x1b\[[\d;]*m", "", text) if color else text
    assert ours.count("[red]a[/red] bc [/]") + ours.count("[red]a[/red] b c [/]") >= 3
    [reason] = silent([("a", seen)])
    assert "[red]a[/red] b" in reason.plain
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e]", reason.plain)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", ours)
    assert "title" not in ours


def test_a_huge_text_is_cut() -> None:
    huge = "x" * 100_000
    seen = episode(rule(huge, firing(6_000), severity=huge), rule("S", why=huge), problem=huge)
    assert len(printed(seen, width=80)) < 10_000


def test_forty_alerts_are_not_forty_lines_of_alarms() -> None:
    seen = lines(episode(*(rule(f"Alert{n:02}", firing(6_000)) for n in range(40))))
    assert sum("fires" in line for line in seen) == ALARMS_SHOWN
    assert seen[-1] == f"and {40 - ALARMS_SHOWN} alarms more, not shown"


def test_only_replays_that_came_to_an_end_are_printed(tmp_path: Path) -> None:
    writer = EvidenceWriter(tmp_path / "evidence")
    writer.write(Record("an_ordinary_day", Outcome.RECORDED, episode(faults=[])))
    writer.write(Record("no_weather", Outcome.SUBMISSION_FAULT, {}, "the service hangs"))
    writer.write(Record("diagnosis", Outcome.RECORDED, {"findings": []}))
    sink = io.StringIO()
    print_timelines(Console(file=sink, width=120, color_system=None), writer.freeze())
    assert sink.getvalue().count(" hours") == 1
    assert "an ordinary day, Tue 24 Sep" in sink.getvalue()


def test_what_kept_alerts_from_being_evaluated_is_told_once(tmp_path: Path) -> None:
    writer = EvidenceWriter(tmp_path / "evidence")
    for step in ("an_ordinary_day", "no_weather"):
        writer.write(Record(step, Outcome.RECORDED, episode(problem="line 3: not YAML")))
    writer.write(Record("a_bad_day", Outcome.RECORDED, episode(problem=HOSTILE)))
    writer.write(Record("a_good_day", Outcome.RECORDED, episode(faults=[])))
    sink = io.StringIO()
    print_timelines(Console(file=sink, width=60, color_system=None), writer.freeze())
    told = "No alert was evaluated in an ordinary day and no weather: line 3: not YAML"
    assert told in sink.getvalue().splitlines()
    assert sink.getvalue().count("not YAML") == 1
    assert "No alert was evaluated in a bad day: [red]a[/red] b c [/]" in sink.getvalue()


def test_a_recording_rule_that_could_not_be_evaluated_is_told(tmp_path: Path) -> None:
    writer = EvidenceWriter(tmp_path / "evidence")
    for step in ("an_ordinary_day", "no_weather"):
        seen = episode(unrecorded={"all:rate": "gives 1,001 series, more than 1,000"})
        writer.write(Record(step, Outcome.RECORDED, seen))
    writer.write(Record("a_bad_day", Outcome.RECORDED, episode(unrecorded={HOSTILE: HOSTILE})))
    sink = io.StringIO()
    print_timelines(Console(file=sink, width=60, color_system=None), writer.freeze())
    told = "all:rate was not recorded: gives 1,001 series, more than 1,000"
    assert f"{told}, in an ordinary day and no weather" in sink.getvalue().splitlines()
    assert "[red]a[/red] b c [/] was not recorded: [red]a[/red] b c [/], in a" in sink.getvalue()
