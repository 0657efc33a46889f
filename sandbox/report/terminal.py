"""A scorecard in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sandbox.grading.scorecard import one_line
from sandbox.report.words import State, by_weight, count, number, plain, state, taken

if TYPE_CHECKING:
    from rich.console import Console

    from sandbox.grading.scorecard import Scorecard, Verdict

_BAR_CELLS = 20
_LOOKS = {
    State.PASSED: ("✓", "green"),
    State.PARTIAL: ("◐", "yellow"),
    State.FAILED: ("✗", "red"),
    State.UNGRADABLE: ("!", "bold red"),
    State.NOT_RUN: ("–", "dim"),
}


def print_scorecard(card: Scorecard, console: Console, *, points: bool = True) -> None:
    """Print a scorecard.

    Args:
        card: what to print; text in it may come from a submission and is printed as text only.
        console: where to.
        points: whether points, competencies and the total are shown; a run that is ungradable
            never shows any.
    """
    points = points and card.gradable
    console.print(_checks(card, points=points))
    if not card.gradable:
        console.print(_alarm(card))
    elif points:
        console.print(_sums(card))
    else:
        ran = [v for v in card.verdicts if state(v) is not State.NOT_RUN]
        good = sum(state(v) is State.PASSED for v in ran)
        style = "green" if good == len(ran) else "yellow"
        console.print(Text(f"{good} of {count(len(ran), 'check')} passed", f"bold {style}"))


def _checks(card: Scorecard, *, points: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("", no_wrap=True)
    if points:
        table.add_column("points", justify="right", no_wrap=True)
    table.add_column("check", ratio=2, overflow="fold")
    table.add_column("seen", ratio=3, overflow="fold")
    for verdict in by_weight(card):
        what = state(verdict)
        sign, style = _LOOKS[what]
        cells = [Text(f"{sign} {what}", style)]
        if points:
            cells.append(_points(verdict))
        table.add_row(*cells, _said(verdict.title), _seen(verdict))
    return table


def _points(verdict: Verdict) -> Text:
    if verdict.guard:
        return Text("guard", "dim")
    if state(verdict) is State.NOT_RUN:
        return Text("–", "dim")
    earned = "red" if not verdict.points else "" if verdict.points < verdict.points_max else "green"
    return Text.assemble(
        (number(verdict.points), earned), (f" / {number(verdict.points_max)}", "dim")
    )


def _seen(verdict: Verdict) -> Text:
    text = _said(verdict.seen)
    if state(verdict) is not State.PASSED:
        text.append_text(_said(f"\nexpected {one_line(plain(verdict.expected))}", "dim"))
    if taken(verdict):
        text.append(f"\nheld back by the guard {', '.join(verdict.held_back_by)}", "red")
    return text


def _sums(card: Scorecard) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column()
    table.add_column(justify="right")
    sums = sorted(card.competencies.items(), key=lambda entry: -entry[1][1])
    sums.append(("total", (card.points, card.points_max)))
    for name, (earned, possible) in sums:
        style = "bold" if name == "total" else ""
        share = earned / possible if possible else 0.0
        # Rounded down: a full bar is a full bar.
        full = int(_BAR_CELLS * share)
        bar = Text.assemble(("━" * full, "green"), ("━" * (_BAR_CELLS - full), "bright_black"))
        figure = Text(f"{number(earned)} / {number(possible)}", style)
        table.add_row(_said(name, style), bar, figure)
    return table


def _alarm(card: Scorecard) -> Panel:
    reason = card.problem or "not every check could decide; see those marked “ungradable” above"
    text = Text.assemble(
        ("There is no grade. ", "bold"),
        "What broke was the harness, not the submission.\n",
        _said(reason),
    )
    return Panel(text, title=Text("UNGRADABLE", "bold red"), border_style="red", expand=False)


def _said(text: str, style: str = "") -> Text:
    """Text that others wrote: no markup, no terminal sequences."""
    lead = "\n" if text.startswith("\n") else ""
    return Text(lead + one_line(plain(text)), style)
