"""What a report says, before it is laid out."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.errors import SandboxError, UsageError
from sandbox.evidence import CASE
from sandbox.grading.scorecard import Scorecard, Verdict, VerdictOutcome, one_line
from sandbox.report import interview
from sandbox.report.changes import Change, Diagnosis, read_changes, read_diagnosis
from sandbox.report.pictures import Picture
from sandbox.report.words import State, by_weight, count, listed, number, plain, state, taken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    from sandbox.evidence import Evidence

PICTURES = "pictures.py"
DIAGNOSIS = "diagnosis"
FILE_LISTS = ("added", "modified", "removed", "protected_restored")

_NAMED_IN_SUMMARY = 3


@dataclass(frozen=True)
class Competency:
    """Points of one competency."""

    name: str
    points: float
    points_max: float


@dataclass(frozen=True)
class Row:
    """One check, as a line of the report.

    Args:
        verdict: what was decided.
        state: that in one word.
        taken: points that guards took from it; for a guard, points that it took from checks.
        held_back: titles of the guards that took them; for a guard, of the checks it took from.
    """

    verdict: Verdict
    state: State
    taken: float
    held_back: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """How one step of the plan ended."""

    name: str
    outcome: str
    seconds: float
    reason: str
    detail: str


@dataclass(frozen=True)
class Report:
    """Everything a report says.

    Args:
        title: the scenario's title.
        scenario: its name.
        seed: what chose the variant.
        gradable: whether there is a grade at all.
        problem: why there is none; empty otherwise.
        summary: the grade in a sentence or two.
        points: points earned; None when there is no grade.
        points_max: points that could be earned; None when there is no grade.
        competencies: points by competency, the weightiest first; empty when there is no grade.
        checks: what earns points, by competency in the same order.
        guards: what holds points back.
        pictures: in the order of the grader's file.
        changes: what the candidate changed, by file.
        files: names of added, modified, removed and restored files.
        diagnosis: what the candidate said was broken, beside what was; None when neither is known.
        questions: for the interview.
        variant: what the seed chose.
        facts: provenance by group, then by name.
        steps: how each step of the plan ended.
    """

    title: str
    scenario: str
    seed: str
    gradable: bool
    problem: str
    summary: str
    points: float | None
    points_max: float | None
    competencies: tuple[Competency, ...]
    checks: tuple[Row, ...]
    guards: tuple[Row, ...]
    pictures: tuple[Picture, ...]
    changes: tuple[Change, ...]
    files: Mapping[str, tuple[str, ...]]
    diagnosis: Diagnosis | None
    questions: tuple[interview.Question, ...]
    variant: Mapping[str, str]
    facts: Mapping[str, Mapping[str, str]]
    steps: tuple[Step, ...]


def assemble(card: Scorecard, evidence: Evidence | None, grader: Path) -> Report:
    """Put a report together.

    Args:
        card: the verdicts.
        evidence: what they rest on; None when there is none left to show.
        grader: the scenario's folder under `graders/`, for pictures and questions.

    Raises:
        UsageError: `pictures.py` or `interview.yaml` is not as it should be.
    """
    case = _data(evidence, CASE)
    submission = case.get("submission", {})
    prompts = grader / interview.FILE
    return Report(
        title=card.title,
        scenario=card.scenario,
        seed=card.seed,
        gradable=card.gradable,
        problem=_problem(card),
        summary=_summary(card),
        points=card.points if card.gradable else None,
        points_max=card.points_max if card.gradable else None,
        competencies=_competencies(card),
        checks=tuple(_row(v, card.verdicts) for v in by_weight(card) if not v.guard),
        guards=tuple(_row(v, card.verdicts) for v in card.verdicts if v.guard),
        pictures=() if evidence is None else _pictures(grader / PICTURES, evidence),
        changes=read_changes(case.get("diff", [])),
        files={name: tuple(map(str, submission.get(name, []))) for name in FILE_LISTS},
        diagnosis=read_diagnosis(_data(evidence, DIAGNOSIS)),
        questions=(
            interview.select(interview.read_prompts(prompts), card.verdicts)
            if card.gradable and prompts.exists()
            else ()
        ),
        variant={str(k): str(v) for k, v in case.get("variant", {}).items()},
        facts=_facts(card),
        steps=() if evidence is None else tuple(_step(evidence, name) for name in evidence.steps),
    )


def load_pictures(path: Path) -> ModuleType:
    """Import a scenario's `pictures.py` under a name of its own, from its source, leaving no trace.

    Raises:
        UsageError: it does not import, or has no function `pictures`.
    """
    name = f"_sandbox_pictures_{path.parent.name}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        # Byte code beside the graders would change their digest.
        code = compile(path.read_bytes(), path, "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - the graders' own file
    except (ImportError, NameError, OSError, SyntaxError, TypeError, ValueError) as error:
        raise UsageError(
            expected=f"{path} to import",
            seen=one_line(f"{type(error).__name__}: {error}"),
            hint="mend the file",
        ) from error
    finally:
        del sys.modules[name]
    if not callable(getattr(module, "pictures", None)):
        raise UsageError(
            expected=f"a function `pictures(evidence)` in {path}", seen="none", hint="write one"
        )
    return module


class _ReadOnce:
    """Evidence that reads, and so digests, each step once."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._read: dict[str, Mapping[str, Any]] = {}

    def __getitem__(self, step: str) -> Mapping[str, Any]:
        if step not in self._read:
            self._read[step] = self._evidence[step]
        return self._read[step]


def _pictures(path: Path, evidence: Evidence) -> tuple[Picture, ...]:
    if not path.exists():
        return ()
    found = load_pictures(path).pictures(_ReadOnce(evidence))
    if wrong := [item for item in found if not isinstance(item, Picture)]:
        raise UsageError(expected=f"pictures from {path}", seen=type(wrong[0]).__name__)
    return tuple(found)


def _data(evidence: Evidence | None, step: str) -> Mapping[str, Any]:
    """A step's data; nothing when it ended in a fault, which the list of steps tells."""
    if evidence is None or step not in evidence:
        return {}
    try:
        return evidence[step]
    except SandboxError:
        return {}


def _step(evidence: Evidence, name: str) -> Step:
    try:
        record = evidence.record(name)
    except SandboxError as error:
        return Step(name, "unreadable", 0.0, str(error), "")
    return Step(name, record.outcome, record.duration_s, plain(record.reason), plain(record.detail))


def _competencies(card: Scorecard) -> tuple[Competency, ...]:
    if not card.gradable:
        return ()
    found = [Competency(name, *sums) for name, sums in card.competencies.items()]
    return tuple(sorted(found, key=lambda competency: -competency.points_max))


def _row(verdict: Verdict, verdicts: Sequence[Verdict]) -> Row:
    if verdict.guard:
        hit = [v for v in verdicts if verdict.check in v.held_back_by and taken(v)]
        return Row(verdict, state(verdict), sum(map(taken, hit)), tuple(v.title for v in hit))
    titles = {v.check: v.title for v in verdicts}
    held_back = tuple(titles.get(name, name) for name in verdict.held_back_by)
    return Row(verdict, state(verdict), taken(verdict), held_back)


def _problem(card: Scorecard) -> str:
    if card.gradable:
        return ""
    if card.problem:
        return plain(card.problem)
    undecided = [v for v in card.verdicts if v.outcome is VerdictOutcome.UNGRADABLE]
    reasons = dict.fromkeys(one_line(plain(v.seen)) for v in undecided)
    return f"{count(len(undecided), 'check')} could not decide: {'; '.join(reasons)}"


def _summary(card: Scorecard) -> str:
    if not card.gradable:
        return "There is no grade. What broke was the harness, not the submission: grade it again."
    ran = [v for v in card.verdicts if not v.guard and v.outcome is not VerdictOutcome.NOT_RUN]
    states = [state(verdict) for verdict in ran]
    passed, partial = states.count(State.PASSED), states.count(State.PARTIAL)
    checks = count(len(ran), "check")
    if card.points >= card.points_max:
        said = [f"Everything that was asked for works: all of {checks} hold."]
    elif not passed and not partial:
        said = [f"Nothing that was asked for works yet: none of {checks} earned a point."]
    else:
        lost = sorted(
            ((top - got, name, got, top) for name, (got, top) in card.competencies.items()),
            key=lambda entry: -entry[0],
        )
        named = [
            f"{name} ({number(got)} of {number(top)})"
            for short, name, got, top in lost[:_NAMED_IN_SUMMARY]
            if short > 0
        ]
        mostly = "mostly " if sum(short > 0 for short, *_ in lost) > len(named) else ""
        failed = len(ran) - passed - partial
        parts = [f"{passed} of {checks} hold"]
        parts += [f"{partial} in part"] if partial else []
        parts += [f"{failed} not at all"] if failed else []
        said = [f"{listed(parts)}. Points are missing {mostly}in {listed(named)}."]
    for guard in (v for v in card.verdicts if v.guard):
        if took := _row(guard, card.verdicts).taken:
            title = guard.title.rstrip(".")
            said.append(f"The guard “{title}” does not hold and took {number(took)} points.")
    if skipped := sum(v.outcome is VerdictOutcome.NOT_RUN for v in card.verdicts):
        runtime = card.runtime.get("name", "this runtime")
        said.append(f"{count(skipped, 'check')} cannot run in {runtime}: not counted.")
    return " ".join(said)


def _facts(card: Scorecard) -> dict[str, dict[str, str]]:
    return {
        "Run": {
            "scenario": card.scenario,
            "seed": card.seed,
            "collected": card.collected_at,
            "runtime": card.runtime.get("name", "unknown"),
            "isolation": card.runtime.get("isolation", "unknown"),
            "scorecard schema": card.schema,
        },
        "Tools": dict(card.tools),
        "Seconds": {name: f"{seconds:.1f}" for name, seconds in card.durations_s.items()},
        "SHA-256": dict(card.digests),
    }
