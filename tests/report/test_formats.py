"""Formats: what can be asked for, what is written, and what is told about it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import assessment
from sandbox.errors import UsageError
from sandbox.grading.scorecard import Scorecard, Verdict, VerdictOutcome
from sandbox.report.formats import AFTER_GRADING, FILES, read_formats, told

SANDBOX = str(Path(sys.executable).parent / "sandbox")


def card(outcome: VerdictOutcome) -> Scorecard:
    verdicts = [Verdict("a", "A.", "parity", outcome, 10.0, 0.0, 0.0, "x", "y", "real")]
    runtime = {"name": "process", "isolation": "none"}
    return Scorecard("s", "t", "7", runtime, verdicts, {}, {}, {}, "2026-01-02T03:04:05Z")


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("json", ("json",)),
        ("summary, junit", ("junit", "summary")),
        ("html,html,json", ("json", "html")),
        ("json,junit,summary,html", tuple(FILES)),
    ],
)
def test_formats_are_read(text: str, formats: tuple[str, ...]) -> None:
    assert read_formats(text) == formats


@pytest.mark.parametrize("text", ["", "xml", "json,", "json;junit", "JSON", "a\nb"])
def test_an_unknown_format_is_one_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_formats(text)
    said = str(caught.value)
    assert said.startswith("expected formats out of json, junit, summary, html")
    assert "\n" not in said


@pytest.mark.parametrize("command", ["grade", "regrade"])
def test_an_unknown_format_is_refused_before_anything_is_read(command: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [SANDBOX, command, "nowhere", "--format", "pdf"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "saw 'pdf'" in line
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_what_is_asked_for_is_written(tmp_path: Path) -> None:
    written = assessment.publish(card(VerdictOutcome.FAILED), tmp_path, ("junit", "summary"))
    assert [path.name for path in written] == ["junit.xml", "summary.md"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["junit.xml", "summary.md"]


def test_what_machines_read_outlives_damaged_evidence(tmp_path: Path) -> None:
    """As `scorecard.json` does; a page for people says that there is no grade."""
    formats = ("junit", "summary")
    assessment.publish(card(VerdictOutcome.FAILED), tmp_path, formats)
    written = assessment.publish(card(VerdictOutcome.UNGRADABLE), tmp_path, formats)
    assert [path.name for path in written] == ["summary.md"]
    assert 'errors="0"' in (tmp_path / "junit.xml").read_text()
    assert "UNGRADABLE" in (tmp_path / "summary.md").read_text()


def test_what_is_told(tmp_path: Path) -> None:
    report, junit = tmp_path / "report.html", tmp_path / "junit.xml"
    assert list(told(tmp_path, [junit, report], AFTER_GRADING)) == [f"Report: {report}"]
    assert list(told(tmp_path, [junit], ("junit",))) == [
        f"Written to {tmp_path}: scorecard.json, junit.xml",
        "scorecard.json is written always: signing and verifying start from it.",
    ]
    for name in ("report.html", "junit.xml", "scorecard.sig"):
        (tmp_path / name).touch()
    assert list(told(tmp_path, [junit], ("json", "junit")))[1:] == [
        "Of the grade before this one: report.html, scorecard.sig"
    ]
