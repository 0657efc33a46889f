"""A scorecard as a page of Markdown: the summary of a job in CI.

Whatever a submission may have said stands in code spans, where Markdown knows no links, pictures,
HTML, mentions or tables. Only titles and competencies, which are the graders' own words, stand
outside, with every character escaped that means something there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sandbox.grading.scorecard import VerdictOutcome, one_line
from sandbox.report.words import State, by_weight, count, number, plain, state, taken
from sandbox.untrusted import is_unseen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.grading.scorecard import Scorecard, Verdict

_SIGNS = {State.PARTIAL: "◐", State.FAILED: "✗", State.UNGRADABLE: "!"}
_MEANINGFUL = re.compile(r"[\\`*_\[\]<>|~&$#!@:]")


def write_summary(card: Scorecard, path: Path) -> None:
    """Write a scorecard as Markdown; a run that is ungradable shows no points."""
    lines = _graded(card) if card.gradable else _ungradable(card)
    path.write_text("\n".join([*lines, *_conditions(card)]) + "\n", encoding="utf-8")


def _graded(card: Scorecard) -> Iterator[str]:
    yield f"# {number(card.points)} of {number(card.points_max)} points"
    yield from _which(card)
    yield from ("", "| competency | points | of |", "| --- | ---: | ---: |")
    for name, (earned, possible) in sorted(card.competencies.items(), key=lambda e: -e[1][1]):
        yield f"| {_ours(name)} | {number(earned)} | {number(possible)} |"
    yield f"| **total** | **{number(card.points)}** | **{number(card.points_max)}** |"
    yield ""
    if missing := [verdict for verdict in by_weight(card) if _falls_short(verdict)]:
        yield from ("## Where points are missing", "")
        for verdict in missing:
            what = "guard" if verdict.guard else _points(verdict)
            yield f"- {_SIGNS.get(state(verdict), '◐')} **{what}** {_ours(verdict.title)}"
            yield from _said(verdict)
    else:
        yield "Nothing is missing: everything that was asked for works."
    if skipped := sum(v.outcome is VerdictOutcome.NOT_RUN for v in card.verdicts):
        yield from ("", f"{count(skipped, 'check')} cannot run in this runtime: not counted.")


def _ungradable(card: Scorecard) -> Iterator[str]:
    yield "# UNGRADABLE: there is no grade"
    yield from _which(card)
    yield ""
    yield (
        "**What broke was the harness, not the submission. This counts against nobody: "
        "grade it again.**"
    )
    if card.problem:
        yield from ("", f"The whole run: {_theirs(card.problem)}")
    undecided = [v for v in card.verdicts if v.outcome is VerdictOutcome.UNGRADABLE]
    if undecided:
        yield from ("", "## Checks that could not decide", "")
    for verdict in undecided:
        yield f"- {_SIGNS[State.UNGRADABLE]} {_ours(verdict.title)}"
        yield from _said(verdict)


def _which(card: Scorecard) -> Iterator[str]:
    seed = f"seed {_theirs(card.seed)}" if card.seed else "no seed"
    yield from ("", f"{_ours(card.title)} ({_theirs(card.scenario)}), {seed}.")


def _falls_short(verdict: Verdict) -> bool:
    return state(verdict) in {State.PARTIAL, State.FAILED} or taken(verdict) > 0


def _points(verdict: Verdict) -> str:
    return f"{number(verdict.points)} of {number(verdict.points_max)}"


def _said(verdict: Verdict) -> Iterator[str]:
    yield f"  - seen: {_theirs(verdict.seen)}"
    yield f"  - expected: {_theirs(verdict.expected)}"
    if verdict.where:
        yield f"  - in the evidence: {_theirs(verdict.where)}"
    if taken(verdict):
        names = ", ".join(map(_theirs, verdict.held_back_by))
        yield f"  - {number(taken(verdict))} points held back by the guard {names}"


def _conditions(card: Scorecard) -> Iterator[str]:
    yield from ("", "## Under which conditions", "")
    for name, value in card.runtime.items():
        yield f"- {_ours('runtime' if name == 'name' else name)}: {_theirs(value)}"
    yield f"- collected: {_theirs(card.collected_at)}"
    for name, digest in card.digests.items():
        yield f"- SHA-256 of {_ours(name)}: {_theirs(digest)}"


def _line(text: str) -> str:
    """One line, without anything that hides what it says."""
    return "".join(character for character in one_line(plain(text)) if not is_unseen(character))


def _ours(text: str) -> str:
    """The graders' own words, as words and nothing else."""
    return _MEANINGFUL.sub(lambda hit: f"&#{ord(hit[0])};", _line(text))


def _theirs(text: str) -> str:
    """Anybody's text as a code span, whose fence is longer than any in the text."""
    line = _line(text)
    if not line.strip():
        return "nothing"
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"
