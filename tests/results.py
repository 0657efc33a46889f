"""A small folder of results, as `sandbox grade` leaves it, of a real submission."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import assessment, compose, paths, scenario, submission, variant
from sandbox.evidence import EvidenceWriter, Outcome, Record
from sandbox.grading.scorecard import Scorecard, Verdict, VerdictOutcome, write_scorecard
from sandbox.integrity import signing
from sandbox.report.formats import JUNIT, SUMMARY

if TYPE_CHECKING:
    from pathlib import Path

NAME = "skewed_preprocessing"


def hand_in(folder: Path) -> Path:
    """Fill a folder: `workspace/`, its archive `work.tar.gz`, `results/`, two pairs of keys."""
    setting = scenario.load(NAME)
    workspace = compose.compose(setting, variant.choose(setting, "7"), folder / "workspace")
    (workspace / "service/preprocessing.py").write_text("mine\n")
    archive = submission.pack(workspace, folder, name="work")
    results = folder / "results"
    writer = EvidenceWriter(results / assessment.EVIDENCE)
    writer.write(Record("case", Outcome.RECORDED, {"seed": "7"}))
    writer.write(Record("real", Outcome.RECORDED, {"share": 0.5, "rows": [1, 2]}))
    card = Scorecard(
        scenario=NAME,
        title="Scores are nonsense",
        seed="7",
        runtime={"name": "process", "isolation": "bubblewrap"},
        verdicts=[
            Verdict("a", "A.", "parity", VerdictOutcome.FAILED, 10.0, 0.0, 0.0, "x", "y", "real")
        ],
        digests={
            "scenario": assessment.folder_digest(setting.folder),
            "graders": assessment.folder_digest(paths.GRADERS / NAME),
            "submission": submission.load(archive, folder / "unpacked").digest,
            "evidence": writer.freeze().digest,
        },
        tools={},
        durations_s={"grade": 0.25},
        collected_at="2026-01-02T03:04:05Z",
    )
    write_scorecard(card, results / assessment.SCORECARD)
    assessment.publish(card, results, (JUNIT, SUMMARY))
    signing.make_keys(folder / "team.pem")
    signing.make_keys(folder / "other.pem")
    return folder
