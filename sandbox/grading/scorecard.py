"""Verdicts added up: what a check decided, and the card that leads to a hiring decision."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sandbox.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SCHEMA = "mlops-sandbox/scorecard/1"
LINE_LIMIT = 1000

# Control characters, surrogates, non-characters and overrides of the writing direction: what a
# submission says ends up in terminals, HTML and XML.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


class VerdictOutcome(StrEnum):
    """What a check decided."""

    PASSED = "passed"
    FAILED = "failed"
    UNGRADABLE = "ungradable"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Verdict:
    """One check's outcome.

    Args:
        check: the check's name, `test_` removed.
        title: the first line of its docstring.
        competency: the competency it belongs to.
        outcome: what it decided.
        points_max: points it is worth; 0 for a guard.
        share: share of the points its own evidence earned, 0–1, before guards.
        points: what it earned after guards multiplied it.
        expected: what should have been seen.
        seen: what was seen.
        where: the evidence it rests on, as `step` or `step.field`.
        guard: whether it is a guard (earns nothing, multiplies what it guards).
        held_back_by: names of the guards that hold back some or all of what its share is worth.
    """

    check: str
    title: str
    competency: str
    outcome: VerdictOutcome
    points_max: float
    share: float
    points: float
    expected: str
    seen: str
    where: str
    guard: bool = False
    held_back_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scorecard:
    """All verdicts of one grading, added up, with what led to them.

    Args:
        scenario: the scenario's name.
        title: the scenario's title.
        seed: the seed that chose the variant.
        runtime: where it was collected, with how the submission was kept in (`isolation`).
        verdicts: in the order of the grader's files.
        digests: SHA-256 of `scenario`, `graders`, `submission`, `evidence`.
        tools: versions of what collected and graded.
        durations_s: wall-clock seconds by phase.
        collected_at: when evidence was collected, ISO 8601 UTC.
        problem: why the whole run is ungradable; empty otherwise.
    """

    scenario: str
    title: str
    seed: str
    runtime: Mapping[str, str]
    verdicts: Sequence[Verdict]
    digests: Mapping[str, str]
    tools: Mapping[str, str]
    durations_s: Mapping[str, float]
    collected_at: str
    problem: str = ""
    schema: str = field(default=SCHEMA)

    @property
    def gradable(self) -> bool:
        """Whether every check that had to decide did."""
        return not self.problem and all(
            verdict.outcome is not VerdictOutcome.UNGRADABLE for verdict in self.verdicts
        )

    @property
    def points(self) -> float:
        """Points earned."""
        return round(sum(verdict.points for verdict in self.verdicts), 2)

    @property
    def points_max(self) -> float:
        """Points that could be earned: of every check that ran."""
        return round(
            sum(v.points_max for v in self.verdicts if v.outcome is not VerdictOutcome.NOT_RUN), 2
        )

    @property
    def percent(self) -> float:
        """Points earned in percent of those that could be; what a threshold is compared with."""
        return round(100 * self.points / self.points_max, 2) if self.points_max else 0.0

    @property
    def competencies(self) -> dict[str, tuple[float, float]]:
        """Points earned and points possible by competency, in the order of the checks."""
        sums: dict[str, tuple[float, float]] = {}
        for verdict in self.verdicts:
            if verdict.guard or verdict.outcome is VerdictOutcome.NOT_RUN:
                continue
            earned, possible = sums.get(verdict.competency, (0.0, 0.0))
            sums[verdict.competency] = (
                round(earned + verdict.points, 2),
                round(possible + verdict.points_max, 2),
            )
        return sums

    def to_json(self) -> str:
        """The card as JSON, sums included, keys in a stable order."""
        body: dict[str, Any] = asdict(self)
        body |= {
            "status": "graded" if self.gradable else "ungradable",
            "points": self.points,
            "points_max": self.points_max,
            "competencies": {
                name: {"points": earned, "points_max": possible}
                for name, (earned, possible) in self.competencies.items()
            },
        }
        return json.dumps(body, indent=1, sort_keys=True, allow_nan=False) + "\n"


def write_scorecard(card: Scorecard, path: Path) -> None:
    """Write the card's JSON to a file."""
    path.write_text(card.to_json(), encoding="utf-8")


def read_scorecard(path: Path) -> Scorecard:
    """Read back what `write_scorecard` wrote.

    Raises:
        UsageError: there is no card, it is broken, it has another schema, or its sums are not those
            of its verdicts.
    """
    hint = "give a scorecard.json that `sandbox grade` wrote"
    try:
        body = json.loads(path.read_text("utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError) as error:
        raise UsageError(
            expected=f"a scorecard in {path}", seen=one_line(str(error)), hint=hint
        ) from error
    schema = body.get("schema") if isinstance(body, dict) else None
    if schema != SCHEMA:
        raise UsageError(expected=f"schema {SCHEMA!r} in {path}", seen=f"{schema!r}", hint=hint)
    try:
        card = _card(body)
        derived = json.loads(card.to_json())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        seen = one_line(f"{type(error).__name__}: {error}")
        raise UsageError(expected=f"a whole scorecard in {path}", seen=seen, hint=hint) from error
    # Status, sums and competencies are written down for others; for us the verdicts decide.
    if derived != body:
        keys = sorted(k for k in derived.keys() | body.keys() if derived.get(k) != body.get(k))
        raise UsageError(
            expected=f"a scorecard whose sums follow from its verdicts in {path}",
            seen=f"others in {', '.join(keys)}",
            hint="grade again from evidence",
        )
    return card


def one_line(text: str) -> str:
    """Text as one printable line of bounded length, whoever it came from."""
    line = " ".join(printable(text).split())
    return line if len(line) <= LINE_LIMIT else line[: LINE_LIMIT - 1] + "…"


def printable(text: str) -> str:
    """Text without control characters (line breaks and tabs stay) and what XML cannot hold."""
    return _UNPRINTABLE.sub("", text)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _card(body: dict[str, Any]) -> Scorecard:
    names = {entry.name for entry in fields(Scorecard)}
    verdicts = [
        Verdict(
            **{
                **verdict,
                "outcome": VerdictOutcome(verdict["outcome"]),
                "held_back_by": tuple(verdict["held_back_by"]),
            }
        )
        for verdict in body["verdicts"]
    ]
    return Scorecard(**{k: v for k, v in body.items() if k in names} | {"verdicts": verdicts})
