"""The same submission gets the same verdicts in containers as in plain processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox import assessment, attempts
from sandbox.evidence import CASE, Evidence
from sandbox.runtimes import docker

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.grading.scorecard import Verdict

SCENARIO = "skewed_preprocessing"


@pytest.mark.slow
@pytest.mark.skipif(bool(docker.unavailable()), reason=f"no Docker: {docker.unavailable()}")
@pytest.mark.parametrize("name", ["oracle", "two_skews"])
def test_verdicts_are_the_same_in_docker(name: str, tmp_path: Path) -> None:
    [attempt] = (each for each in attempts.load_all(SCENARIO) if each.name == name)
    [chosen] = attempts.variants(SCENARIO, 1)
    workspace = attempts.make(attempt, chosen, tmp_path / "workspace")
    verdicts: dict[str, dict[str, Verdict]] = {}
    for runtime in ("process", "docker"):
        results = tmp_path / runtime
        card = assessment.assess(workspace, results, runtime=runtime)
        assert card.gradable, card.problem
        verdicts[runtime] = {verdict.check: verdict for verdict in card.verdicts}
        case = Evidence(results / assessment.EVIDENCE)[CASE]
        assert case["runtime"]["name"] == runtime
    assert case["runtime"]["base_digest"].startswith("sha256:")

    def judged(runtime: str, other: str) -> dict[str, tuple[str, float]]:
        """Outcome and points of the checks that ran in both."""
        return {
            check: (str(verdict.outcome), round(verdict.points, 6))
            for check, verdict in verdicts[runtime].items()
            if {verdict.outcome, verdicts[other][check].outcome}.isdisjoint({"not run"})
        }

    assert judged("process", "docker") == judged("docker", "process")
    assert len(judged("process", "docker")) >= 9
