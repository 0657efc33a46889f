"""How verdicts, points and other people's text are put into words."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from sandbox.grading.scorecard import Verdict, VerdictOutcome, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.grading.scorecard import Scorecard

_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # window titles, hyperlinks, device strings
    r"|\x1b[ -/]*[0-~]"  # the rest
    r"|\x9b[0-?]*[ -/]*[@-~]"  # colours, in one byte
)


class State(StrEnum):
    """What a check's own evidence earned, before guards: a verdict as people talk of it."""

    PASSED = "passed"
    PARTIAL = "partial"
    FAILED = "failed"
    UNGRADABLE = "ungradable"
    NOT_RUN = "not run"


def state(verdict: Verdict) -> State:
    """The verdict in one word; passed for a share of its points is partial."""
    if verdict.outcome is VerdictOutcome.PASSED and verdict.share < 1:
        return State.PARTIAL
    return State(verdict.outcome.value)


def taken(verdict: Verdict) -> float:
    """Points that guards took from a check."""
    if not verdict.held_back_by:
        return 0.0
    return round(verdict.points_max * verdict.share - verdict.points, 2)


def by_weight(card: Scorecard) -> list[Verdict]:
    """Verdicts by competency, the weightiest first; in each as the grader has them, guards last."""
    weights = {name: possible for name, (_, possible) in card.competencies.items()}
    names = list(dict.fromkeys(verdict.competency for verdict in card.verdicts))

    def place(verdict: Verdict) -> tuple[bool, float, int]:
        name = verdict.competency
        return verdict.guard, -weights.get(name, 0.0), names.index(name)

    return sorted(card.verdicts, key=place)


def number(value: float) -> str:
    """Points without needless zeros: 12, 7.5, 4.29."""
    return f"{round(value, 2):.10g}"


def count(how_many: int, noun: str) -> str:
    """`1 check`, `2 checks`."""
    return f"{how_many:,} {noun}" if how_many == 1 else f"{how_many:,} {noun}s"


def listed(items: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *head, last = list(items) or [""]
    return f"{', '.join(head)} and {last}" if head else last


def plain(text: str) -> str:
    """Text from anywhere without terminal sequences and control characters; line breaks stay."""
    return printable(_ANSI.sub("", text))
