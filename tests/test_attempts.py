"""Attempts: each says soundly what it has to earn, and its workspace can be made."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import yaml

from sandbox import attempts, paths, scenario
from sandbox.errors import UsageError
from sandbox.grading.checks import Check, Guard, declaration
from sandbox.system import modules
from sandbox.workspace import file_digests, is_protected

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.attempts import Attempt

GRADED = sorted(path.parent.name for path in paths.GRADERS.glob("*/plan.py"))
ATTEMPTS = [(name, attempt) for name in GRADED for attempt in attempts.load_all(name)]
EACH = pytest.mark.parametrize(
    ("name", "attempt"), ATTEMPTS, ids=[f"{name}-{attempt.name}" for name, attempt in ATTEMPTS]
)
SEEDS = 3


def declared(name: str) -> dict[str, Check | Guard]:
    """What a scenario's graders declare, by name without `test_`."""
    found: dict[str, Check | Guard] = {}
    for path in sorted((paths.GRADERS / name).glob("test_*.py")):
        module = modules.module_from(path.read_text("utf-8"), f"of_{path.stem}", str(path))
        for key, value in vars(module).items():
            what = declaration(value)
            if what is not None:
                assert key.removeprefix("test_") not in found, "a name is there twice"
                found[key.removeprefix("test_")] = what
    return found


def test_every_scenario_has_graders() -> None:
    assert scenario.names() == GRADED


@pytest.mark.parametrize("name", GRADED)
def test_points_add_up_to_a_hundred(name: str) -> None:
    checks = declared(name)
    points = [what.points for what in checks.values() if isinstance(what, Check)]
    assert sum(points) == 100
    assert {what.competency for what in checks.values() if isinstance(what, Check)} == set(
        scenario.load(name).competencies
    )


@pytest.mark.parametrize("name", GRADED)
def test_guards_guard_checks_that_are_there(name: str) -> None:
    checks = declared(name)
    for what in checks.values():
        if isinstance(what, Guard):
            assert all(isinstance(checks[guarded], Check) for guarded in what.of)


@pytest.mark.parametrize("name", GRADED)
def test_there_are_attempts_of_every_kind(name: str) -> None:
    kinds = Counter(attempt.kind for attempt in attempts.load_all(name))
    assert (kinds["untouched"], kinds["oracle"]) == (1, 1)
    assert kinds["right fix"] >= 2
    assert kinds["partial fix"] >= 3
    assert kinds["cheat"] >= 3


@pytest.mark.parametrize("name", GRADED)
def test_every_check_is_failed_alone_or_earned_alone_by_some_attempt(name: str) -> None:
    # An attempt that earns nothing at all does not tell one check from another.
    proven: set[str] = set()
    for attempt in attempts.load_all(name):
        if 0 < attempt.points < 100:
            # Where all points are said, what is not said earns nothing.
            all_said = sum(attempt.checks.values()) == pytest.approx(attempt.points)
            proven |= set(declared(name)) if all_said else set(attempt.checks)
    checks = {check for check, what in declared(name).items() if isinstance(what, Check)}
    assert checks - proven == set()


@EACH
def test_points_are_sound(name: str, attempt: Attempt) -> None:
    checks = declared(name)
    bounds = {
        "untouched": (0, 0),
        "oracle": (100, 100),
        "right fix": (100, 100),
        "partial fix": (0.1, 99.9),
        "cheat": (0, 99.9),
    }
    low, high = bounds[attempt.kind]
    assert low <= attempt.points <= high
    for check, points in attempt.checks.items():
        what = checks[check]
        assert isinstance(what, Check)
        assert 0 <= points <= what.points
    # What is not said may be earned or not.
    said = sum(attempt.checks.values())
    lost = sum(
        what.points - attempt.checks[check]
        for check, what in checks.items()
        if isinstance(what, Check) and check in attempt.checks
    )
    assert said <= attempt.points <= 100 - lost


@EACH
def test_an_attempt_says_what_it_is_and_names_files_that_are_there(
    name: str, attempt: Attempt
) -> None:
    assert re.fullmatch(r"[A-Z].*\.", attempt.summary)
    for path in attempt.healthy:
        assert (paths.HEALTHY / path).is_file()
    for path in attempt.also:
        assert (paths.GRADERS / name / "attempts" / path).is_file()
    changes = attempt.healthy or attempt.also or any((attempt.folder / "overlay").rglob("*"))
    assert bool(changes) == (attempt.kind != "untouched")


@EACH
def test_its_workspace_can_be_made_and_its_python_compiles(
    name: str, attempt: Attempt, tmp_path: Path
) -> None:
    changed = set()
    for number, chosen in enumerate(attempts.variants(name, SEEDS)):
        workspace = attempts.make(attempt, chosen, tmp_path / str(number))
        digests = file_digests(workspace)
        assert not [path for path in digests if path.endswith(".j2")]
        for path in digests:
            if path.endswith(".py"):
                compile((workspace / path).read_text("utf-8"), path, "exec")
            if path.endswith((".yaml", ".yml")):
                list(yaml.safe_load_all((workspace / path).read_text("utf-8")))
        handed_out = yaml.safe_load((workspace / ".assessment.json").read_text("utf-8"))["digests"]
        changed |= {path for path, digest in digests.items() if handed_out.get(path) != digest}
        changed |= set(handed_out) - set(digests)
    assert bool(changed) == (attempt.kind != "untouched")
    if attempt.kind in ("oracle", "right fix", "partial fix"):
        # An honest person leaves alone what the ticket says is protected.
        assert not [p for p in changed if is_protected(p, scenario.load(name).protected)]


def test_proofs_are_made_on_the_same_different_variants() -> None:
    once, again = (attempts.variants("skewed_preprocessing", 5) for _ in range(2))
    assert once == again
    assert attempts.variants("skewed_preprocessing", 3) == once[:3]
    assert len({tuple(chosen.parameters.values()) for chosen in once}) > 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a",
        "kind: [",
        "kind: oracle",
        "{kind: hero, summary: x, points: 1}",
        "{kind: oracle, summary: x, points: 101}",
        "{kind: oracle, summary: x, points: 100, sure: yes}",
        "{kind: oracle, summary: x, points: 100, name: y}",
        "{kind: oracle, summary: x, points: 100, checks: {a: many}}",
    ],
)
def test_a_wrong_expectation_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    folder = tmp_path / "some" / "attempts" / "one"
    folder.mkdir(parents=True)
    (folder / attempts.EXPECTED).write_text(text)
    monkeypatch.setattr(paths, "GRADERS", tmp_path)
    with pytest.raises(UsageError, match=re.escape(str(folder))) as caught:
        attempts.load_all("some")
    assert "\n" not in str(caught.value)
