"""What `status` says about the monitoring of a session."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime

import pytest
from rich.console import Console

from sandbox import scenario
from sandbox.live.session import Alert, Figures, Monitoring, State
from sandbox.live.welcome import greet, show_status

STATE = State(1, "drifting_inputs", "1", "/a/workspace", "running")
LOADED = Monitoring(url="http://127.0.0.1:9090", rules=3)
SINCE = "2026-01-01T10:00:00.123456789Z"
FIRING = Alert("WeatherMissing", "page", firing=True, since=SINCE, series=8)
PENDING = Alert("MixShifted", "", firing=False, since=SINCE, series=1)


def status(monitoring: Monitoring | None) -> list[str]:
    """The lines from Prometheus' to the one below it, without the column of names."""
    output = io.StringIO()
    show_status(Console(file=output, width=200), replace(STATE, monitoring=monitoring))
    lines = output.getvalue().splitlines()
    starts = [place for place, line in enumerate(lines) if line.startswith("Prometheus")]
    if not starts:
        return []
    (end,) = (place for place, line in enumerate(lines) if line.startswith("State"))
    return [line.removeprefix("Prometheus").strip() for line in lines[starts[0] : end]]


def clock(since: str) -> str:
    return f"{datetime.fromisoformat(since).astimezone():%H:%M:%S}"


@pytest.mark.parametrize(
    ("monitoring", "lines"),
    [
        (None, []),
        (Monitoring(problem="not installed: get it"), ["not installed: get it"]),
        (replace(LOADED, problem="it is gone"), ["http://127.0.0.1:9090  it is gone"]),
        (LOADED, ["http://127.0.0.1:9090  (3 rules loaded, firing: none)"]),
        (
            replace(LOADED, alerts=(FIRING, PENDING)),
            [
                "http://127.0.0.1:9090  (3 rules loaded, firing: WeatherMissing)",
                f"firing   WeatherMissing (page) since {clock(SINCE)}, 8 series",
                f"pending  MixShifted (no severity) since {clock(SINCE)}",
            ],
        ),
        (
            replace(
                LOADED, refused="17:15: unclosed [left] parenthesis", troubles=("no [scrape]",)
            ),
            [
                "http://127.0.0.1:9090  (3 rules loaded, firing: none)",
                "the rule file is refused, and what was loaded before goes on: "
                "17:15: unclosed [left] parenthesis",
                "no [scrape]",
            ],
        ),
    ],
    ids=["no telemetry", "not installed", "gone", "quiet", "alerts", "trouble"],
)
def test_the_line_of_prometheus(monitoring: Monitoring | None, lines: list[str]) -> None:
    assert status(monitoring) == lines


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:8080", "(POST /invocations, /version, /metrics)"),
        (
            "http://127.0.0.1:31013",
            "(POST /invocations, /version, /metrics; another program has port 8080)",
        ),
        ("", "(POST /invocations, /version, /metrics)"),
    ],
)
def test_an_address_that_is_not_the_guides_says_why(url: str, said: str) -> None:
    output = io.StringIO()
    show_status(Console(file=output, width=200), replace(STATE, service_url=url))
    (line,) = (each for each in output.getvalue().splitlines() if each.startswith("Service"))
    assert line.split(maxsplit=2 if url else 1)[-1].strip() == said


@pytest.mark.parametrize(
    ("said", "line"),
    [("2", "Version 2"), ("", "Version the answers do not say"), ("\x1b[31m3", "Version 3")],
)
def test_the_version_is_what_the_answers_say(said: str, line: str) -> None:
    output = io.StringIO()
    figures = Figures(now="2013-08-05T10:00", version=said)
    show_status(Console(file=output, width=200), replace(STATE, figures=figures))
    assert line in {" ".join(each.split()) for each in output.getvalue().splitlines()}


@pytest.mark.parametrize("name", scenario.names())
def test_nothing_of_a_ticket_is_cut_in_a_narrow_terminal(name: str) -> None:
    output = io.StringIO()
    greet(Console(file=output, width=80), replace(STATE, scenario=name), new=True)
    assert "…" not in output.getvalue()


@pytest.mark.parametrize("name", scenario.names())
def test_what_to_type_next_has_releases_where_a_manifest_ships_them(name: str) -> None:
    output = io.StringIO()
    greet(Console(file=output, width=200), replace(STATE, scenario=name), new=False)
    (line,) = (each for each in output.getvalue().splitlines() if each.startswith("Next"))
    shipped = "make release VERSION=v2, " if name == "reckless_canary" else ""
    assert line.split(maxsplit=1)[1].strip() == (
        f"make status, make logs, {shipped}make check, make submit, make stop"
    )
