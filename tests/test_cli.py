"""The command: what is wrong is one line, and the exit status says whose fault it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from sandbox import attempts, cli, compose, models, paths, scenario, variant
from sandbox.commands import hiring
from sandbox.grading.scorecard import Scorecard, Verdict, VerdictOutcome
from sandbox.system import tools

SANDBOX = str(Path(sys.executable).parent / "sandbox")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    setting = scenario.load("skewed_preprocessing")
    chosen = variant.choose(setting, "cli")
    return compose.compose(setting, chosen, tmp_path / "work/skewed_preprocessing")


def type_(folder: Path, *words: str, status: int) -> str:
    done = subprocess.run(
        [SANDBOX, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("start", "no_such"), "expected a scenario, one of: "),
        (("prove", "no_such"), "expected a scenario, one of: "),
        (("grade", "nowhere"), "nothing at nowhere"),
        (("grade",), "expected a submission under submissions/"),
        (("regrade", "."), "expected frozen evidence"),
        (("check",), "expected one workspace under work/"),
        (("submit", "--workspace", "."), ".assessment.json"),
        (("logs",), "expected a take-home that was started"),
        (("grade", "--fail-under", "101"), "less than"),
        (("no_such_command",), "No such command"),
    ],
)
def test_wrong_usage_is_two_and_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    assert said in type_(tmp_path, *words, status=2)


def test_list_names_every_scenario(tmp_path: Path) -> None:
    said = type_(tmp_path, "list", status=0)
    assert all(name in said for name in scenario.names())


def test_doctor_finds_what_is_there(tmp_path: Path) -> None:
    assert "mlflow" in type_(tmp_path, "doctor", status=0)


def test_submit_says_what_was_changed(workspace: Path, tmp_path: Path) -> None:
    (workspace / "service/preprocessing.py").write_text("mine")
    (workspace / "service/new.py").write_text("mine")
    (workspace / "pipeline/features.py").write_text("mine")
    (workspace / "service/feedback.py").unlink()
    said = type_(tmp_path, "submit", status=0)
    assert "changed  service/preprocessing.py" in said
    assert "added    service/new.py" in said
    assert "removed  service/feedback.py" in said
    assert "put back before grading: pipeline/features.py" in said
    assert len(list((tmp_path / "submissions").glob("*.tar.gz"))) == 1


def test_a_hostile_archive_is_wrong_usage(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../../evil"))
    said = type_(tmp_path, "grade", "evil.tar.gz", status=2)
    lines = [line for line in said.strip().splitlines() if not line.startswith("Isolation: ")]
    assert lines[0] == "Grading evil.tar.gz ..."
    assert len(lines) == 2
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize("command", ["check", "grade"])
def test_without_prometheus_a_scenario_that_needs_it_is_wrong_usage(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    setting = scenario.load("drifting_inputs")
    folder = compose.compose(setting, variant.choose(setting, "cli"), tmp_path / "workspace")
    words = ["check", "--workspace", str(folder)]
    if command == "grade":
        words = ["grade", str(folder), "--results", str(tmp_path / "results")]
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(tools, "_path", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["sandbox", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    said = capsys.readouterr()
    (line,) = [line for line in said.err.splitlines() if not line.startswith("Isolation: ")]
    assert line.startswith("sandbox: expected the program prometheus; saw none; try: install")
    # Nothing was started, nothing is left.
    assert len(said.out.splitlines()) == 1
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_threshold_is_of_what_could_be_earned() -> None:
    ran = Verdict("a", "A.", "parity", VerdictOutcome.PASSED, 92.0, 1.0, 92.0, "", "", "")
    elsewhere = Verdict("b", "B.", "parity", VerdictOutcome.NOT_RUN, 8.0, 0.0, 0.0, "", "", "")
    card = Scorecard("s", "S", "1", {"name": "process"}, [ran, elsewhere], {}, {}, {}, "")
    hiring._finish(card, 99.5, ())
    with pytest.raises(typer.Exit, match="1"):
        hiring._finish(replace(card, verdicts=[replace(ran, points=91.0), elsewhere]), 99.5, ())


@pytest.mark.slow
def test_grading_ends_with_files_and_a_status(tmp_path: Path) -> None:
    half = next(a for a in attempts.load_all("skewed_preprocessing") if a.name == "two_skews")
    chosen = attempts.variants("skewed_preprocessing", 1)[0]
    attempts.make(half, chosen, tmp_path / "work/skewed_preprocessing")
    (tmp_path / ".sandbox").mkdir()
    (tmp_path / ".sandbox/cache").symlink_to(_cache())
    type_(tmp_path, "submit", status=0)
    said = type_(tmp_path, "grade", "--fail-under", "25", status=1)
    assert "24 / 100" in said
    (results,) = (tmp_path / "results").iterdir()
    for name in ("scorecard.json", "report.html", "junit.xml", "evidence/index.json"):
        assert (results / name).stat().st_size > 0

    said = type_(tmp_path, "regrade", str(results), "--fail-under", "24", status=0)
    assert "24 / 100" in said
    said = type_(tmp_path, "regrade", str(results), "--format", "summary", status=0)
    assert "scorecard.json is written always" in said
    assert "Of the grade before this one: junit.xml, report.html" in said
    assert (results / "summary.md").read_text().startswith("# 24 of 100 points\n")

    evidence = results / "evidence/parity.json"
    evidence.write_text(evidence.read_text().replace("0.1", "0.2", 1))
    assert "ungradable" in type_(tmp_path, "regrade", str(results), status=3)
    shutil.rmtree(results / "evidence")
    type_(tmp_path, "regrade", str(results), status=2)


def _cache() -> Path:
    return models.releases().parent
