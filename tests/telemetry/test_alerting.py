"""`for` and `keep_firing_for`: equal to promtool's own evaluation, and sound by themselves."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.system import tools
from sandbox.telemetry.alerting import Activity, activities

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MINUTE_MS = 60_000


@dataclass(frozen=True)
class Case:
    """One alert: when its condition holds (x) and when not (.), minute by minute, by series."""

    patterns: tuple[str, ...]
    for_s: int = 0
    keep_s: int = 0

    def stretches(self, pattern: str) -> list[Activity]:
        return run(pattern, for_ms=1000 * self.for_s, keep_ms=1000 * self.keep_s)


def run(pattern: str, *, for_ms: int = 0, keep_ms: int = 0, start_ms: int = 0) -> list[Activity]:
    evaluations = [(start_ms + MINUTE_MS * n, mark == "x") for n, mark in enumerate(pattern)]
    return activities(evaluations, for_ms=for_ms, keep_firing_for_ms=keep_ms)


# -- promtool


def promtool(cases: Sequence[Case], folder: Path) -> str:
    """What promtool finds different from what `activities` says of these cases; empty if nothing.

    All cases are alerts of one file and one clock: at every minute ALERTS and ALERTS_FOR_STATE
    have to be exactly what all of them together should give.
    """
    rules, given_series = [], []
    minutes = max(len(pattern) for case in cases for pattern in case.patterns)
    alerts: list[list[dict[str, object]]] = [[] for _ in range(minutes)]
    since: list[list[dict[str, object]]] = [[] for _ in range(minutes)]
    for number, case in enumerate(cases):
        rules.append(
            {
                "alert": f"Case{number}",
                "expr": f"condition_{number} == 1",
                "for": f"{case.for_s}s",
                "keep_firing_for": f"{case.keep_s}s",
            }
        )
        for which, pattern in enumerate(case.patterns):
            full = pattern.ljust(minutes, ".")
            values = " ".join("1" if mark == "x" else "0" for mark in full)
            given_series.append({"series": f'condition_{number}{{s="{which}"}}', "values": values})
            labels = f'alertname="Case{number}", s="{which}"'
            for stretch in case.stretches(full):
                for minute in range(minutes):
                    if state := stretch.state(minute * MINUTE_MS):
                        name = f'ALERTS{{{labels}, alertstate="{state}"}}'
                        alerts[minute].append({"labels": name, "value": 1})
                        name = f"ALERTS_FOR_STATE{{{labels}}}"
                        since[minute].append({"labels": name, "value": stretch.since_ms // 1000})
    expected = [
        {"expr": name, "eval_time": f"{minute}m", "exp_samples": samples}
        for name, by_minute in (("ALERTS", alerts), ("ALERTS_FOR_STATE", since))
        for minute, samples in enumerate(by_minute)
    ]
    files = {
        "rules.yaml": {"groups": [{"name": "g", "rules": rules}]},
        "test.yaml": {
            "rule_files": ["rules.yaml"],
            "evaluation_interval": "1m",
            "tests": [
                {"interval": "1m", "input_series": given_series, "promql_expr_test": expected}
            ],
        },
    }
    for name, content in files.items():
        (folder / name).write_text(yaml.safe_dump(content))
    done = subprocess.run(
        [tools.find("promtool"), "test", "rules", folder / "test.yaml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


TABLE = {
    "never": Case(("....",)),
    "at once": Case((".xx.",)),
    "at the very first instant": Case(("x...",)),
    "at the very last instant": Case(("...x",)),
    "always": Case(("xxxx",)),
    "first instant with for": Case(("xxx.",), 60),
    "last instant reaches for": Case(("..xxx",), 120),
    "last instant is still pending": Case(("...xx",), 120),
    "for of one step": Case((".xx..",), 60),
    "for of two steps exactly": Case((".xxx.",), 120),
    "for one step too long": Case((".xxx.",), 180),
    "for shorter than a step": Case((".xx.",), 30),
    "for between two steps": Case((".xxxx.",), 90),
    "for between two steps, too long": Case((".xx.",), 90),
    "a gap starts for anew": Case(("xx.xx.xxx",), 120),
    "a gap ends firing": Case(("xxxx.xxxx",), 120),
    "flapping with for": Case(("x.x.x.x.x.",), 60),
    "flapping at once": Case(("x.x.x.x.x.",)),
    "kept for one step": Case((".xx....",), 0, 60),
    "kept for two steps": Case((".xx....",), 0, 120),
    "kept between two steps": Case((".xx.....",), 0, 90),
    "kept shorter than a step": Case((".xx.....",), 0, 30),
    "kept to the end": Case((".xx...",), 0, 3600),
    "kept while flapping": Case(("x.x.x.x....",), 0, 120),
    "kept a step too short while flapping": Case(("x..x..x....",), 0, 120),
    "holding starts anew each time": Case(("x..x..x.....",), 0, 180),
    "pending is not kept": Case(("x.xx.xxx...",), 120, 120),
    "for and keep_firing_for": Case((".xxxx...xx......xxxx",), 120, 180),
    "back while kept needs no for again": Case(("xxxx.x.x.x....",), 180, 120),
    "back too late needs for again": Case(("xxxx....xxxx",), 180, 120),
    "two series apart": Case(("xx..xx..", "..xx..xx")),
    "two series, one fires": Case(("xxxx....", "x.x.x.x."), 120),
    "two series kept apart": Case(("xx......", "...xx..."), 60, 120),
    "kept through the last instant": Case(("..x...",), 0, 240),
}


def test_the_table_is_what_promtool_says(tmp_path: Path) -> None:
    assert len(TABLE) >= 25
    assert promtool(list(TABLE.values()), tmp_path) == ""


def test_promtool_finds_a_difference(tmp_path: Path) -> None:
    """The comparison itself: an alert that fires one minute late is told."""

    class Late(Case):
        def stretches(self, pattern: str) -> list[Activity]:
            return run(pattern, for_ms=1000 * self.for_s + MINUTE_MS)

    assert promtool([Case(("xxxx",), 60)], tmp_path) == ""
    assert "Case0" in promtool([Late(("xxxx",), 60)], tmp_path)


PATTERNS = st.text("x.", min_size=1, max_size=25)
CASES = st.builds(
    Case,
    st.lists(PATTERNS, min_size=1, max_size=2).map(tuple),
    st.sampled_from([0, 1, 30, 60, 61, 90, 120, 180, 300, 600]),
    st.sampled_from([0, 1, 30, 60, 61, 90, 120, 180, 300, 600]),
)


@settings(max_examples=6, deadline=None)
@given(cases=st.lists(CASES, min_size=40, max_size=40))
def test_any_case_is_what_promtool_says(
    cases: list[Case], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert promtool(cases, tmp_path_factory.mktemp("cases")) == ""


# -- what holds for any alert


DURATIONS_MS = st.integers(0, 10 * MINUTE_MS)


def firing(pattern: str, for_ms: int, keep_ms: int) -> set[int]:
    return {
        minute
        for stretch in run(pattern, for_ms=for_ms, keep_ms=keep_ms)
        for minute in range(len(pattern))
        if stretch.state(MINUTE_MS * minute) == "firing"
    }


@given(pattern=PATTERNS, for_ms=DURATIONS_MS, keep_ms=DURATIONS_MS)
def test_a_stretch_is_made_of_instants_with_its_condition(
    pattern: str, for_ms: int, keep_ms: int
) -> None:
    ends = 0
    for stretch in run(pattern, for_ms=for_ms, keep_ms=keep_ms):
        since = stretch.since_ms // MINUTE_MS
        end = len(pattern) if stretch.end_ms is None else stretch.end_ms // MINUTE_MS
        assert ends <= since < end
        ends = end
        assert pattern[since] == "x"
        assert end == len(pattern) or pattern[end] == "."
        if stretch.firing_ms is None:
            assert set(pattern[since:end]) == {"x"}
            assert MINUTE_MS * (end - 1 - since) < for_ms
        else:
            fires = stretch.firing_ms // MINUTE_MS
            assert set(pattern[since : fires + 1]) == {"x"}
            assert stretch.firing_ms - stretch.since_ms >= for_ms
            assert fires == since or stretch.firing_ms - MINUTE_MS - stretch.since_ms < for_ms


@given(pattern=PATTERNS)
def test_without_for_and_keeping_an_alert_is_its_condition(pattern: str) -> None:
    assert firing(pattern, 0, 0) == {n for n, mark in enumerate(pattern) if mark == "x"}


@given(pattern=PATTERNS, for_ms=DURATIONS_MS, keep_ms=DURATIONS_MS, more_ms=DURATIONS_MS)
def test_a_longer_for_fires_less_and_a_longer_keeping_more(
    pattern: str, for_ms: int, keep_ms: int, more_ms: int
) -> None:
    fires = firing(pattern, for_ms, keep_ms)
    assert firing(pattern, for_ms + more_ms, keep_ms) <= fires
    assert firing(pattern, for_ms, keep_ms + more_ms) >= fires


def test_instants_of_this_decade_are_compared_exactly() -> None:
    start = 1_372_636_800_000
    [stretch] = activities(
        [(start + 100 * n, True) for n in range(5)], for_ms=300, keep_firing_for_ms=0
    )
    assert stretch == Activity(start, start + 300, None)


def test_nothing_is_evaluated_and_nothing_is_active() -> None:
    assert run("") == []
