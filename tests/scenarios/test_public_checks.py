"""Public checks as a candidate runs them: a right repair passes every one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox import assessment, attempts, scenario

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.parametrize("name", scenario.names())
def test_a_right_repair_passes_all_public_checks(name: str, tmp_path: Path) -> None:
    [oracle] = (each for each in attempts.load_all(name) if each.name == "oracle")
    [chosen] = attempts.variants(name, 1)
    card = assessment.assess(
        attempts.make(oracle, chosen, tmp_path / "workspace"),
        tmp_path / "results",
        runtime="process",
        course=assessment.public_course(scenario.load(name)),
    )
    assert not card.problem
    assert {v.check: f"{v.outcome}: {v.seen}" for v in card.verdicts if v.outcome != "passed"} == {}
