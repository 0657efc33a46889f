"""Small folders of checks and of evidence, written for one test each."""

from __future__ import annotations

import itertools
from textwrap import dedent
from typing import TYPE_CHECKING, Protocol

import pytest

from sandbox.evidence import Evidence, EvidenceWriter, Outcome, Record
from sandbox.grading.runner import grade
from sandbox.grading.scorecard import Scorecard, Verdict, VerdictOutcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PREAMBLE = "import pytest\nfrom sandbox.grading import check, guard\n"


class Grading(Protocol):
    """Grades source text; a dict holds several files by name."""

    def __call__(
        self, source: str | dict[str, str], *, runtime: str = "process"
    ) -> tuple[list[Verdict], str]: ...


def _write_checks(folder: Path, source: str | dict[str, str]) -> Path:
    files = source if isinstance(source, dict) else {"test_rules.py": source}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(PREAMBLE + dedent(text), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def write_checks() -> Callable[[Path, str | dict[str, str]], Path]:
    """Writes grader files, each after the imports every grader has."""
    return _write_checks


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """Evidence with a step of each outcome."""
    writer = EvidenceWriter(tmp_path / "evidence")
    writer.write(Record("parity", Outcome.RECORDED, {"share": 0.5, "rows": [1, 2]}))
    writer.write(Record("broken", Outcome.SUBMISSION_FAULT, reason="exit status 1"))
    writer.write(Record("ours", Outcome.HARNESS_FAULT, reason="disk full"))
    return writer.freeze()


@pytest.fixture
def grading(tmp_path: Path, evidence: Evidence) -> Grading:
    """Grades source text on the evidence above, each time in a folder of its own."""
    numbers = itertools.count()

    def run(source: str | dict[str, str], *, runtime: str = "process") -> tuple[list[Verdict], str]:
        folder = _write_checks(tmp_path / f"checks{next(numbers)}", source)
        return grade(folder, evidence, runtime=runtime)

    return run


@pytest.fixture
def verdict_of(grading: Grading) -> Callable[..., Verdict]:
    """Grades source text that must be gradable as a whole; its first verdict."""

    def first(source: str, *, runtime: str = "process") -> Verdict:
        verdicts, problem = grading(source, runtime=runtime)
        assert problem == ""
        return verdicts[0]

    return first


@pytest.fixture(scope="session")
def make_verdict() -> Callable[..., Verdict]:
    """Makes a passed check of 10 points, with changes."""

    def make(name: str = "a", **changes: object) -> Verdict:
        values: dict[str, object] = {
            "check": name,
            "title": f"Title of {name}.",
            "competency": "parity",
            "outcome": VerdictOutcome.PASSED,
            "points_max": 10.0,
            "share": 1.0,
            "points": 10.0,
            "expected": "all rows",
            "seen": "all rows",
            "where": "parity.share",
        }
        return Verdict(**(values | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def make_card() -> Callable[..., Scorecard]:
    """Makes a scorecard of some verdicts, with changes."""

    def make(*verdicts: Verdict, **changes: object) -> Scorecard:
        values: dict[str, object] = {
            "scenario": "skewed_preprocessing",
            "title": "Scores are nonsense",
            "seed": "7",
            "runtime": {"name": "process", "isolation": "bubblewrap"},
            "verdicts": list(verdicts),
            "digests": {"evidence": "ab12", "submission": "cd34"},
            "tools": {"python": "3.11.7"},
            "durations_s": {"collect": 10.5, "grade": 0.25},
            "collected_at": "2026-01-02T03:04:05Z",
        }
        return Scorecard(**(values | changes))  # type: ignore[arg-type]

    return make
