"""Releases in the terminal: weights, measurements and verdicts, and how each of them ended.

`print_passages` tells of releases that are over, `lines` of one that goes on: what is new in it.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from sandbox.evidence import Outcome
from sandbox.grading.scorecard import one_line
from sandbox.report.pictures import label
from sandbox.report.rollouts import ending
from sandbox.report.words import listed, plain
from sandbox.rollout.analysis import ERROR, FAILED, INCONCLUSIVE, RUNNING, SUCCESSFUL
from sandbox.rollout.state import PROMOTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from sandbox.evidence import Evidence

# A longer table loses its middle.
ROWS_FIRST, ROWS_LAST = 40, 15
NAME_CHARACTERS, VALUE_CHARACTERS = 40, 60
VERDICTS = {SUCCESSFUL: "green", FAILED: "red", INCONCLUSIVE: "yellow", ERROR: "yellow"}
# Which events are told, and how. The others follow from these, or from measurements.
EVENTS = {
    "TrafficWeightUpdated": "bold",
    "RolloutPaused": "",
    "RolloutResumed": "",
    "RolloutStepCompleted": "dim",
    "ProgressDeadlineExceeded": "yellow",
    "Command": "yellow",
    "RolloutAborted": "bold red",
    "RolloutCompleted": "bold green",
}
COMPLETED = "RolloutCompleted"
# A ratio is told with as many digits as a person compares.
_FRACTION = re.compile(r"-?\d+\.\d+")


def print_passages(console: Console, evidence: Evidence) -> None:
    """Print every release that was shipped, and once each why a manifest was refused; nothing where
    no release was to be shipped.
    """
    records = [evidence.record(step) for step in evidence.steps]
    releases = [r for r in records if r.outcome is Outcome.RECORDED and _is_release(r.data)]
    refused: dict[str, list[str]] = {}
    for record in releases:
        name = record.step.replace("_", " ")
        if problem := record.data["problem"]:
            refused.setdefault(problem, []).append(name)
            continue
        console.print(table(name, record.data))
        console.print()
    for problem, names in refused.items():
        heading = f"The manifest was refused, and with it: {listed(names)}"
        console.print(Text(heading, "bold"))
        for line in problems(problem):
            # Not wrapped where it is piped: a path may be looked for.
            console.print(line, soft_wrap=True)
        console.print()


def table(name: str, release: Mapping[str, Any]) -> Table:
    """One release; times are minutes and seconds since it was shipped."""
    found = Table.grid(padding=(0, 2))
    found.add_column(justify="right", no_wrap=True)
    found.add_column(overflow="fold")
    found.add_row("", Text.assemble((name, "bold"), f", version {label(release['version'])}"))
    rows = [(Text(clock(at_s), "dim"), text) for at_s, text in _news({}, release["rollout"])]
    left_out = len(rows) - ROWS_FIRST - ROWS_LAST
    if left_out > 0:
        rows[ROWS_FIRST:-ROWS_LAST] = [(Text(), Text(f"and {left_out} more", "dim"))]
    for row in rows:
        found.add_row(*row)
    found.add_row("", Text(one_line(ending(release)), "" if release["outcome"] else "red"))
    return found


def lines(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Text]:
    """What is new in a rollout, one line each, in order of time.

    Args:
        before: its facts (`sandbox.rollout.state.facts`) when they were last told of; empty for
            never.
        after: its facts now.
    """
    return [
        Text.assemble((f"{clock(at_s):>6}", "dim"), "  ", text)
        for at_s, text in _news(before, after)
    ]


def problems(problem: str) -> list[Text]:
    """Why a release could not be shipped: a line for each line, its place in the file first."""
    return [
        Text.assemble(("✗ ", "red"), one_line(plain(line)))
        for line in problem.splitlines()
        if line.strip()
    ]


def closing(version: str, outcome: str) -> Text:
    """What a release that was promoted or aborted means for customers, in a sentence."""
    if outcome == PROMOTED:
        return Text(f"{version} was promoted: it answers everybody from now on.", "bold green")
    return Text(f"{version} was aborted: what answered before answers everybody again.", "bold red")


def clock(at_s: float) -> str:
    """Seconds since the shipping, for people: `3:40` minutes and seconds."""
    return f"{int(at_s) // 60}:{int(at_s) % 60:02}"


def _is_release(data: Mapping[str, Any]) -> bool:
    return "rollout" in data or set(data) == {"problem", "version"}


def _news(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[float, Text]]:
    """What is in `after` alone, with its time.

    A measurement is taken before the rollout acts on it, so it comes before the events of its
    instant, but after the start of its own run.
    """
    events = after["events"]
    known = len(before.get("events", ()))
    entries = [
        (event["at_s"], float(number), text)
        for number, event in enumerate(events)
        if number >= known and (text := _event(event, events[:number])) is not None
    ]
    starts = {
        (event["words"], event["at_s"]): number + 0.5
        for number, event in enumerate(events)
        if event["kind"] == f"AnalysisRun{RUNNING}"
    }
    for run, metric, same in _measured(before, after):
        at_s = same[0]["at_s"]
        place = starts.get((run["name"], at_s), -1.0)
        entries.append((at_s, place, _measurements(run, metric, same)))
    entries.sort(key=lambda entry: entry[:2])
    return ((at_s, text) for at_s, _, text in entries)


def _event(event: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> Text | None:
    """An event; None where it is not told."""
    kind = event["kind"]
    said = one_line(plain(event["words"]))
    before = {one["kind"] for one in earlier}
    if kind.startswith("AnalysisRun"):
        return _of_run(kind.removeprefix("AnalysisRun"), said)
    if kind == "ScalingReplicaSet" and kind not in before:
        return Text("The new release is started", "dim")
    # Once it is promoted nobody gets the canary, because the release is the stable one.
    if kind not in EVENTS or (kind == "TrafficWeightUpdated" and COMPLETED in before):
        return None
    return Text(f"A person says: {said}" if kind == "Command" else said, EVENTS[kind])


def _of_run(phase: str, said: str) -> Text:
    """The start or the end of a run; the event has its name first, and then why."""
    name, _, why = said.partition(": ")
    if phase == RUNNING:
        return Text(f"Analysis {name} begins")
    # The rollout is aborted at once, and its event says the same.
    tail = f": {why}" if why and phase not in (FAILED, ERROR) else ""
    return Text.assemble(f"Analysis {name} is ", (phase, VERDICTS.get(phase, "")), tail)


def _measured(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], list[Mapping[str, Any]]]]:
    """New measurements with their run and metric; those in a row of one verdict are together."""
    known = {
        (run["name"], metric["metric"]["name"]): len(metric["measurements"])
        for run in before.get("runs", ())
        for metric in run["metrics"]
    }
    for run in after["runs"]:
        for metric in run["metrics"]:
            setting = metric["metric"]
            fresh = metric["measurements"][known.get((run["name"], setting["name"]), 0) :]
            for _, same in groupby(fresh, key=lambda taken: (taken["phase"], taken["message"])):
                yield run, setting, list(same)


def _measurements(
    run: Mapping[str, Any], metric: Mapping[str, Any], same: Sequence[Mapping[str, Any]]
) -> Text:
    first, last = same[0], same[-1]
    values = [_value(taken["value"]) for taken in (first, last) if taken["value"]]
    said = " … ".join(dict.fromkeys(values))
    if first["message"]:
        said = f"{said}: {one_line(plain(first['message']))}".removeprefix(": ")
    often = f", {len(same)} times until {clock(last['at_s'])}" if len(same) > 1 else ""
    dry = ", which decides nothing" if metric["dry_run"] else ""
    return Text.assemble(
        f"{label(metric['name'], NAME_CHARACTERS)} ",
        (first["phase"], VERDICTS.get(first["phase"], "")),
        f" {said}" if said else "",
        (f"{often}{dry} ({run['name']})", "dim"),
    )


def _value(text: str) -> str:
    short = _FRACTION.sub(lambda match: f"{float(match[0]):.4g}", text)
    return label(short, VALUE_CHARACTERS)
