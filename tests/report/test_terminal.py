from __future__ import annotations

import dataclasses
import io
import re

import pytest
from rich.console import Console

from sandbox.grading.scorecard import Scorecard, VerdictOutcome
from sandbox.report.terminal import print_scorecard
from tests.report.conftest import make_card, slowed, verdicts

HOSTILE = "[red]a[/red] [link=file:///x]b[/link] \x1b[2J\x1b]0;title\x07c\x9b1m\nd\u202e [/]"


def printed(card: Scorecard, *, points: bool = True, width: int = 140, color: bool = False) -> str:
    sink = io.StringIO()
    console = Console(
        file=sink, width=width, force_terminal=color, color_system="truecolor" if color else None
    )
    print_scorecard(card, console, points=points)
    return sink.getvalue()


def test_every_check_has_a_row(card: Scorecard) -> None:
    text = printed(card)
    flat = " ".join(text.split())
    for word in ("passed", "partial", "failed", "10 / 15", "0 / 20", "guard"):
        assert word in flat
    assert re.search(
        r"✗ failed +0 / 6 +The diagnosis names the faults .* 2 findings, F1 0.40", text
    )
    assert "expected 3 findings" in flat
    assert re.search(r"training-serving parity +━+ +24 / 56", text)
    assert re.search(r"total +━+ +44 / 100", text)


def test_points_can_be_hidden(card: Scorecard) -> None:
    text = printed(card, points=False)
    assert "4 of 10 checks passed" in text
    assert not re.search(r"\d / \d|total|points|guard", text)


def test_a_guard_is_named_where_it_took_points() -> None:
    text = " ".join(printed(make_card(verdicts=slowed())).split())
    assert "held back by the guard answers_in_time" in text
    assert "total" in text


@pytest.mark.parametrize("points", [True, False])
@pytest.mark.parametrize("of", ["the run", "a check"])
def test_an_ungradable_run_shows_no_points(of: str, points: bool) -> None:
    broken = dataclasses.replace(
        verdicts()[0], outcome=VerdictOutcome.UNGRADABLE, seen="the registry died"
    )
    changed = (
        {"problem": "the [b]registry[/b] died"}
        if of == "the run"
        else {"verdicts": [broken, *verdicts()[1:]]}
    )
    text = printed(make_card(**changed), points=points)
    assert "UNGRADABLE" in text
    assert "registry" in text
    assert not re.search(r"\d / \d|total|points", text)


@pytest.mark.parametrize("color", [True, False])
def test_what_a_submission_says_is_text(color: bool) -> None:
    names = ("title", "expected", "seen", "competency")
    hostile = [dataclasses.replace(v, **dict.fromkeys(names, HOSTILE)) for v in verdicts()]
    text = printed(make_card(verdicts=hostile, problem=""), color=color, width=400)
    ours = re.sub(r"\x1b\[[\d;]*m", "", text) if color else text
    assert "[red]a[/red] [link=file:///x]b[/link] c d [/]" in ours
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", ours)
    assert "title" not in ours


def test_a_narrow_terminal_shows_everything(card: Scorecard) -> None:
    text = printed(card, width=60)
    assert max(map(len, text.splitlines())) <= 60
    assert "44 / 100" in text


def test_a_card_without_verdicts() -> None:
    assert "UNGRADABLE" in printed(make_card(verdicts=[], problem="no check ran"))
