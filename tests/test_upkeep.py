"""What `doctor` says of a machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sandbox import upkeep
from sandbox.system import tools

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_every_tool_of_this_machine_is_there_with_its_version() -> None:
    found = {finding.name: finding for finding in upkeep.examine()}
    wanted = {"python", "mlflow", "pytest", *tools.NAMES, "bubblewrap", "docker", "disk"}
    assert wanted <= set(found)
    for name in ("python", "mlflow", *tools.NAMES):
        assert found[name].good
        assert found[name].seen[0].isdigit()
    assert all(finding.needed_for and finding.hint for finding in found.values())


def test_docker_is_not_required_and_its_absence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    [found] = (finding for finding in upkeep.examine() if finding.name == "docker")
    assert (found.good, found.required) == (False, False)
    assert found.seen == f"No such file or directory at {tmp_path}/none.sock"
    assert "apt-get install docker.io" in found.hint


def test_a_missing_prometheus_is_needed_by_the_scenarios_that_are_monitored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {finding.name: finding for finding in upkeep.examine()}
    for name in tools.NAMES:
        missing = found[name]
        assert (missing.good, missing.required, missing.seen) == (False, False, "none")
        assert missing.hint == tools.REMEDY
        assert "blind_monitoring, drifting_inputs, reckless_canary" in missing.needed_for
        assert "skewed_preprocessing" not in missing.needed_for
