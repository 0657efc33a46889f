"""What makes a trial differ from what its attempt says. Real ones: `make prove`, `.ci/run`."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sandbox import assessment, attempts, prove
from sandbox.errors import HarnessFault, UsageError
from sandbox.grading.scorecard import Scorecard, Verdict, VerdictOutcome

if TYPE_CHECKING:
    from pathlib import Path

NAME = "unrepeatable_environment"
PASSED, FAILED = VerdictOutcome.PASSED, VerdictOutcome.FAILED
UNGRADABLE, NOT_RUN = VerdictOutcome.UNGRADABLE, VerdictOutcome.NOT_RUN


def attempt(points: float, **checks: float) -> attempts.Attempt:
    [oracle] = [each for each in attempts.load_all(NAME) if each.kind == "oracle"]
    return oracle.model_copy(update={"points": points, "checks": checks})


def card(*verdicts: tuple[str, VerdictOutcome, float, float], problem: str = "") -> Scorecard:
    """A scorecard of checks: name, outcome, points, and what it could have earned."""
    return Scorecard(
        scenario=NAME,
        title="",
        seed="proof-1",
        runtime={"name": "process"},
        verdicts=[
            Verdict(name, "", "", outcome, most, 0.0, points, "", "", "")
            for name, outcome, points, most in verdicts
        ],
        digests={},
        tools={},
        durations_s={"collect": 1.0, "grade": 0.5},
        collected_at="",
        problem=problem,
    )


@pytest.fixture
def assessed(monkeypatch: pytest.MonkeyPatch) -> list[Scorecard]:
    """Every assessment gives the scorecard that is put in here."""
    cards: list[Scorecard] = []
    monkeypatch.setattr(assessment, "assess", lambda *_, **__: cards[0])
    return cards


def trial(of: attempts.Attempt, keep: Path | None = None) -> prove.Trial:
    [chosen] = attempts.variants(NAME, 1)
    return prove._try((of, chosen), runtime="process", keep=keep)


@pytest.mark.parametrize(
    ("of", "seen", "why"),
    [
        (attempt(100), card(("a", PASSED, 60, 60), ("b", PASSED, 40, 40)), None),
        (attempt(60, a=60), card(("a", PASSED, 60, 60), ("b", FAILED, 0, 40)), None),
        (attempt(60), card(("a", FAILED, 0, 60), ("b", PASSED, 40, 40)), "40 points instead of 60"),
        (attempt(60, a=60), card(("a", FAILED, 20, 60), ("b", PASSED, 40, 40)), "a earns 20"),
        (attempt(60, c=60), card(("a", PASSED, 60, 60)), "c earns nothing, it is missing"),
        (attempt(0), card(("a", UNGRADABLE, 0, 60)), "a is ungradable"),
        (attempt(0), card(problem="no registry"), "no registry"),
        # What does not run here is neither earned nor lost.
        (attempt(100), card(("a", PASSED, 92, 92), ("b", NOT_RUN, 0, 8)), None),
        (attempt(0), card(("a", FAILED, 0, 92), ("b", NOT_RUN, 0, 8)), None),
        (attempt(96, b=4), card(("a", PASSED, 92, 92), ("b", NOT_RUN, 0, 8)), None),
        (attempt(96, b=4), card(("a", PASSED, 90, 92), ("b", NOT_RUN, 0, 8)), "90 points instead"),
    ],
)
def test_a_trial_is_proven_by_every_figure(
    assessed: list[Scorecard], of: attempts.Attempt, seen: Scorecard, why: str | None
) -> None:
    assessed.append(seen)
    found = trial(of)
    assert found.proven is (why is None)
    assert why is None or any(why in each for each in found.differences)
    assert found.seconds == 1.5


def test_what_does_not_run_here_has_to_be_said(assessed: list[Scorecard]) -> None:
    assessed.append(card(("a", PASSED, 92, 92), ("b", NOT_RUN, 0, 8)))
    with pytest.raises(UsageError, match="the points of b, which does not run in process"):
        trial(attempt(96))


def test_results_are_kept_where_they_differ(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def assess(_: Path, results: Path, *, runtime: str) -> Scorecard:
        results.mkdir()
        (results / "said").write_text(runtime)
        return card(("a", PASSED, 60, 60))

    monkeypatch.setattr(assessment, "assess", assess)
    trial(attempt(60), tmp_path)
    assert list(tmp_path.iterdir()) == []
    trial(attempt(100), tmp_path)
    [kept] = tmp_path.iterdir()
    assert (kept.name, (kept / "said").read_text()) == ("oracle-proof-1", "process")


def test_a_fault_comes_back_from_where_it_was_graded() -> None:
    with pytest.raises(UsageError, match="a runtime"):
        list(prove.prove(NAME, seeds=1, only=["untouched", "oracle"], runtime="none", jobs=2))


def test_nothing_is_graded_where_nothing_is_wanted() -> None:
    assert list(prove.prove(NAME, seeds=1, only=["no such"], runtime="process")) == []


def test_a_harness_fault_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def assess(*_: object, **__: object) -> Scorecard:
        raise HarnessFault(expected="a disk", seen="none")

    monkeypatch.setattr(assessment, "assess", assess)
    with pytest.raises(HarnessFault, match="a disk"):
        trial(attempt(100))


ENDS_AT_ONCE = """
import multiprocessing, os, signal, time
from concurrent.futures import ProcessPoolExecutor
from sandbox import prove

context = multiprocessing.get_context("spawn")
pool = ProcessPoolExecutor(1, context, initializer=prove.end_with_parent)
pool.submit(os.getpid).result()
pool.submit(time.sleep, 600)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_whoever_ends_a_proof_ends_its_trials() -> None:
    # A trial holds the output open, so that this ends when the last of them has.
    done = subprocess.run(
        [sys.executable, "-c", ENDS_AT_ONCE], check=False, capture_output=True, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
