"""A candidate's test, tested: which files it meets, and what is done where it cannot run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox import registry
from sandbox.probes import testing
from sandbox.system.processes import Completed

SERVER = "service/preprocessing.py"
SETTINGS = "from hypothesis import settings as s; print(s.default.deadline, s.default.derandomize)"


class Runs:
    """What the probe uses of a stage; a run's status is told by the server's code that it meets."""

    def __init__(self, folder: Path, status: dict[str, int | None]) -> None:
        self.submitted, self.scratch = folder / "submitted", folder / "scratch"
        (self.submitted / "service").mkdir(parents=True)
        self.scratch.mkdir()
        self.status = status
        self.met: list[str] = []
        self.registry = self.model = SimpleNamespace(url="http://127.0.0.1:9")
        self.runtime = SimpleNamespace(harness_address="127.0.0.1")
        self.stack = self

    def run_pipeline(
        self, *_: str, workspace: Path, environment: dict[str, str], **__: Any
    ) -> Completed:
        self.environment = environment
        path = workspace / SERVER
        self.met.append(path.read_text("utf-8") if path.exists() else "nothing")
        status = self.status[self.met[-1]]
        return Completed(status, "", "said", status is None, 1.0)


def test_on_ci_hypothesis_has_no_deadline_and_asks_the_same_every_time() -> None:
    said = subprocess.run(
        [sys.executable, "-c", SETTINGS],
        capture_output=True,
        text=True,
        env={"CI": "1"},
        check=True,
    )
    assert said.stdout.split() == ["None", "True"]


@pytest.fixture
def met(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(registry, "champion_version", lambda url: "1")

    def run(code: str | None, **status: int | None) -> tuple[list[str], dict[str, Any]]:
        runs = Runs(tmp_path, status)
        if code is not None:
            (runs.submitted / SERVER).write_text(code, encoding="utf-8")
        stand = testing.Stand("wrong", lambda records: [], faulty=True, files={SERVER: "old"})
        [seen] = testing.run_parity_test(runs, [stand])  # type: ignore[arg-type]
        assert runs.environment.keys() >= {"SERVICE_URL", "CI"}
        return runs.met, seen

    return run


@pytest.mark.parametrize("status", [0, 1])
def test_a_test_meets_the_servers_code_as_it_was(met: Any, status: int) -> None:
    files, seen = met("own", old=status)
    assert files == ["old"]
    assert (seen["status"], seen["should"], seen["timed_out"]) == (status, "fail", False)


@pytest.mark.parametrize("broken", [2, 3, 4, 5, -9])
def test_one_that_cannot_run_with_it_is_run_with_its_own(met: Any, broken: int) -> None:
    files, seen = met("own", old=broken, own=1)
    assert files == ["old", "own"]
    assert seen["status"] == 1


def test_one_without_an_end_is_not_run_again(met: Any) -> None:
    files, seen = met("own", old=None)
    assert files == ["old"]
    assert seen["timed_out"]


def test_a_file_that_a_submission_has_no_more_is_not_put_back(met: Any) -> None:
    files, _ = met(None, nothing=1)
    assert files == ["nothing"]
