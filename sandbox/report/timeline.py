"""An episode's timeline in the terminal: what went wrong, which alerts fired, which did not."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from sandbox.evidence import Outcome
from sandbox.grading.alarms import Alarm, alarms, clock, false_alarms, first_alarm
from sandbox.grading.scorecard import one_line
from sandbox.report.words import count, listed, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from sandbox.evidence import Evidence

LOCAL = ZoneInfo("America/New_York")
ALARMS_SHOWN = 12
# Labels that every series has.
ALWAYS = ("job", "instance", "track", "version", "severity")


def print_timelines(console: Console, evidence: Evidence) -> None:
    """Print every episode that was replayed, and of alerts that fired in none of them, why; nothing
    where there was no episode.
    """
    records = [evidence.record(step) for step in evidence.steps]
    replayed = [r for r in records if r.outcome is Outcome.RECORDED and "alerts" in r.data]
    episodes = [(record.step.replace("_", " "), record.data) for record in replayed]
    for name, episode in episodes:
        console.print(timeline(name, episode))
        console.print()
    for problem, names in _refused(episodes).items():
        # As the lines below: it may be looked for.
        said = f"No alert was evaluated in {listed(names)}: {_said(problem)}"
        console.print(Text(said, "red"), soft_wrap=True)
        console.print()
    for problem, names in _unrecorded(episodes).items():
        console.print(Text(f"{_said(problem)}, in {listed(names)}", "red"), soft_wrap=True)
        console.print()
    if lines := silent(episodes):
        console.print(Text("Alerts that fired nowhere", "bold"))
        for line in lines:
            # Not wrapped where it is piped: it may be looked for.
            console.print(line, soft_wrap=True)
        console.print()


def _refused(episodes: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, list[str]]:
    """What kept alerts from being evaluated, with the names of the episodes: the same in most."""
    found: dict[str, list[str]] = {}
    for name, episode in episodes:
        if problem := episode["alerts"]["problem"]:
            found.setdefault(problem, []).append(name)
    return found


def _unrecorded(episodes: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, list[str]]:
    """Which recording rules could not be evaluated and why, with the names of the episodes."""
    found: dict[str, list[str]] = {}
    for name, episode in episodes:
        for record, problem in episode["alerts"]["unrecorded"].items():
            found.setdefault(f"{record} was not recorded: {problem}", []).append(name)
    return found


def silent(episodes: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Text]:
    """Alerts that fired in none of the episodes, each with the reason: the one of an episode in
    which something went unnoticed, if there is any. What is true at one scrape interval need not be
    at another: there is one reason for each.

    Args:
        episodes: name and data of each.
    """

    def unnoticed(episode: Mapping[str, Any]) -> bool:
        return any(first_alarm(episode, fault) is None for fault in episode["faults"])

    reasons: dict[tuple[str, float], tuple[str, str]] = {}
    fired = {alarm.alert for _, episode in episodes for alarm in alarms(episode)}
    for name, episode in sorted(
        episodes, key=lambda each: (not unnoticed(each[1]), not each[1]["faults"])
    ):
        for rule in episode["alerts"]["rules"]:
            if rule["alert"] not in fired:
                why = rule["why"] or f"{rule['alert']}: {rule['problem']}"
                reasons.setdefault((rule["alert"], episode["tick_s"]), (name, why))
    several = len({tick_s for _, tick_s in reasons}) > 1
    order = list(dict.fromkeys(alert for alert, _ in reasons))
    return [
        Text.assemble(("silent  ", "dim"), (f"{name}: " if several else "", "dim"), _said(why))
        for _, (name, why) in sorted(reasons.items(), key=lambda item: order.index(item[0][0]))
    ]


def timeline(name: str, episode: Mapping[str, Any]) -> Table:
    """One episode; times are hours and minutes from its start."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    start = datetime.fromisoformat(episode["start"]).astimezone(LOCAL)
    hours = (episode["ticks"] - 1) * episode["tick_s"] / 3600
    lasts = f"{hours / 24:.0f} days" if hours >= 72 else f"{hours:.0f} hours"  # noqa: PLR2004
    table.add_row("", Text.assemble((name, "bold"), f", {start:%a %d %b %H:%M}, {lasts}"))
    for at, line in sorted(_events(episode), key=lambda entry: entry[0]):
        table.add_row(Text(clock(at) if math.isfinite(at) else "", "dim"), line)
    if episode["alerts"]["problem"]:
        table.add_row("", Text("no alert was evaluated, see below", "red"))
    if failed := episode["scrapes"]["failed"]:
        said = f"{count(failed, 'scrape')} failed: {_said(episode['scrapes']['problem'])}"
        table.add_row("", Text(said, "red"))
    return table


def _events(episode: Mapping[str, Any]) -> Iterator[tuple[float, Text]]:
    for fault in episode["faults"]:
        yield fault["start_s"], Text(f"begins: {_said(fault['words'])}", "yellow")
        if fault["until_s"] is not None:
            yield fault["until_s"], Text(f"over: {_said(fault['words'])}", "yellow")
        if first_alarm(episode, fault) is None:
            yield fault["start_s"], Text("no alert tells of it", "red")
    wrong = set(false_alarms(episode))
    if not episode["faults"] and not wrong:
        yield 0.0, Text("nothing goes wrong, and no alert fires", "green")
    # The same alert for several series at one moment is one line.
    together: dict[tuple[str, float, bool], list[Alarm]] = {}
    for alarm in alarms(episode):
        together.setdefault((alarm.alert, alarm.start_s, alarm in wrong), []).append(alarm)
    # Those that tell of a fault come first: without them a fault would look unnoticed.
    late_s = {
        first: first.start_s - fault["start_s"]
        for fault in episode["faults"]
        if (first := first_alarm(episode, fault))
    }
    ordered = sorted(together.items(), key=lambda item: not any(a in late_s for a in item[1]))
    for (alert, at, is_false), same in ordered[:ALARMS_SHOWN]:
        after_s = next((late_s[alarm] for alarm in same if alarm in late_s), None)
        yield at, _alarm_line(alert, same, is_false, after_s)
    if len(together) > ALARMS_SHOWN:
        more = count(len(together) - ALARMS_SHOWN, "alarm")
        yield math.inf, Text(f"and {more} more, not shown", "dim")


def _alarm_line(alert: str, same: list[Alarm], is_false: bool, after_s: float | None) -> Text:
    """One line for the same alert at one moment; how late it is, if it tells of a fault first."""
    ends = [alarm.end_s for alarm in same]
    until = (
        "to the end" if None in ends else f"until {clock(max(e for e in ends if e is not None))}"
    )
    series = f", {len(same)} series" if len(same) > 1 else ""
    kind, style = ("false alarm", "red") if is_false else ("fires", "green")
    late = "" if after_s is None else f", {clock(after_s)} after it began"
    severity = same[0].severity or "no severity"
    # The labels that tell one series of an alert from another.
    told = [f'{name}="{value}"' for name, value in same[0].labels if name not in ALWAYS]
    which = f": {'such as ' if len(same) > 1 else ''}{', '.join(told)}" if told else ""
    return Text.assemble(
        (f"{kind}  ", style),
        f"{_said(alert)} ({_said(severity)}{series}) {until}{late}",
        (_said(which), "dim"),
    )


def _said(text: str) -> str:
    return one_line(plain(text))
