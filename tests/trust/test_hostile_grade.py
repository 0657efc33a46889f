"""One submission that tries everything at once to be given points, graded as anybody would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from sandbox import assessment, attempts, compose, models, overlay, paths, runtimes, scenario
from sandbox.evidence import CASE, Evidence
from sandbox.grading.scorecard import VerdictOutcome
from sandbox.runtimes import bubblewrap, docker
from tests.trust.hostile import SUBMISSIONS

pytestmark = pytest.mark.slow

SCENARIO = "skewed_preprocessing"
SANDBOX = str(Path(sys.executable).parent / "sandbox")
GIVEN_UP = "Isolation: the runtime process shares this machine's network"
# What pytest picks up in the folder that it runs in. Python by itself picks up nothing there.
BY_PYTEST = {"conftest", "tests/conftest", "plugin"}


def type_(folder: Path, *words: str, status: int) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [SANDBOX, *words],
        cwd=folder,
        env={**os.environ, "SANDBOX_STATE": str(paths.STATE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


def a_refused_archive(folder: Path) -> str:
    """Enough to see how a grade begins, and refused before anything runs."""
    with tarfile.open(folder / "evil.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../../evil"))
    return "evil.tar.gz"


def test_wants_every_point(tmp_path: Path) -> None:
    if (missing := bubblewrap.available()) and docker.unavailable():
        pytest.skip(f"nothing isolates here: {missing}")
    models.releases()
    setting = scenario.load(SCENARIO)
    [chosen] = attempts.variants(SCENARIO, 1)
    workspace = compose.compose(setting, chosen, tmp_path / "workspace")
    hostile = SUBMISSIONS / "wants_every_point/overlay"
    overlay.lay(hostile, workspace, chosen.parameters, setting.folder)
    results = tmp_path / "results"
    targets = [results / "scorecard.json", results / "evidence/parity.json", tmp_path / "marker"]
    (workspace / "targets.txt").write_text("\n".join(map(str, targets)))

    # Typed in its own folder, as by somebody who has just had a look at it.
    done = type_(workspace, "grade", ".", "--results", str(results), status=0)
    assert "picked up" not in done.stdout + done.stderr
    assert not (tmp_path / "marker").exists()

    card = json.loads((results / "scorecard.json").read_text())
    assert card["runtime"]["name"] == runtimes.default_for_grading()
    assert card["problem"] == ""
    # Judged again from the evidence, every digest of which is right.
    again = assessment.judge(results)
    assert again.gradable
    assert again.points == 0
    assert VerdictOutcome.UNGRADABLE not in {verdict.outcome for verdict in again.verdicts}

    # And all of it did what it can, where it is among itself.
    evidence = Evidence(results / assessment.EVIDENCE)
    assert evidence[CASE]["submission"]["protected_restored"] == []
    runs = evidence["parity_test"]["runs"]
    assert {run["status"] for run in runs} == {0}
    for run in runs:
        assert "===== 100 / 100 points: everything passed =====" in run["tail"]
        names, _, reached = run["tail"].rpartition("picked up: ")[2].partition("; reached: ")
        assert set(names.split()) == BY_PYTEST
        assert reached.strip() == "[]"
    assert evidence["retraining"]["result"]["points"] == 100
    # 0.25: the code in the pickled model ran, in the service, and reached nothing.
    assert set(evidence["parity_after_retraining"]["served"]) == {0.25}
    assert None not in evidence["parity"]["served"]


def test_grade_takes_docker_where_it_is(tmp_path: Path) -> None:
    archive = a_refused_archive(tmp_path)
    said = type_(tmp_path, "grade", archive, status=2).stderr
    assert (GIVEN_UP in said) == bool(docker.unavailable())


def test_runtime_process_says_what_it_gives_up(tmp_path: Path) -> None:
    archive = a_refused_archive(tmp_path)
    said = type_(tmp_path, "grade", archive, "--runtime", "process", status=2).stderr
    assert f"{GIVEN_UP} with a submission and limits neither memory nor processors" in said
    assert ("docker does both, and is not here" in said) == bool(docker.unavailable())
