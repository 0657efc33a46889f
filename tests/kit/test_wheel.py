"""The harness of a kit: what a candidate's commands import, all of it and no more."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from sandbox import paths, scenario
from sandbox.kit import wheel
from tests.kit.handing import chosen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# In the kit's folder, with the kit's harness first: all of it imports, and it finds the scenario.
TRY = """
import importlib, sys
from pathlib import Path

harness, name, seed = sys.argv[1:]
for file in sorted(Path(harness).rglob("*.py")):
    if not (file.parent / "__init__.py").exists():
        continue  # data of ours, such as what an image holds
    parts = file.relative_to(harness).with_suffix("").parts
    importlib.import_module(".".join(part for part in parts if part != "__init__"))

import sandbox
from sandbox import assessment, compose, identity, models, plan, references, scenario, stack

assert Path(sandbox.__file__).is_relative_to(harness)
assert scenario.names() == [name]
setting = scenario.load(name)
plan.load_plan(assessment.public_course(setting).plan)
made = compose.compose(setting, identity.variant_of(setting, seed), Path("made").resolve())
assert references.champion(stack.trained(setting)).booster.held.num_trees() > 0
"""


def modules_of(*scripts: Path) -> set[str]:
    return {str(path.relative_to(wheel.PACKAGE)) for path in wheel.needed(scripts)}


def test_what_only_the_hiring_team_s_commands_use_is_not_in_it() -> None:
    found = modules_of()
    ours = {"live/supervisor.py", "live/session.py", "submission/packing.py", "system/tools.py"}
    assert {"cli.py", *ours} <= found
    assert {"runtimes/base.py", "runtimes/process.py", "runtimes/bubblewrap.py"} <= found
    own = (
        "attempts",
        "kit/",
        "prove",
        "releases",
        "report/data",
        "report/html",
        "report/interview",
    )
    assert [path for path in found if path.startswith(own)] == []
    assert [path for path in found if path.startswith("probes/")] == []


def test_what_checks_import_comes_along_with_what_that_imports(tmp_path: Path) -> None:
    script = tmp_path / "plan.py"
    script.write_text("def plan(stage):\n    from sandbox.probes import quality\n")
    more = modules_of(script) - modules_of()
    assert {"probes/__init__.py", "probes/quality.py", "probes/episodes.py"} <= more
    assert "probes/rollbacks.py" not in more


def test_what_is_imported_for_types_only_does_not(tmp_path: Path) -> None:
    script = tmp_path / "plan.py"
    script.write_text("if TYPE_CHECKING:\n    from sandbox.probes import quality\n")
    assert modules_of(script) == modules_of()


@pytest.mark.slow
def test_the_same_sources_give_the_same_wheel(tmp_path: Path) -> None:
    first, second = (wheel.build([], tmp_path / name) for name in ("first", "second"))
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as opened:
        assert "sandbox/rollout/conditions/grammar.lark" in opened.namelist()
        told = opened.read(next(n for n in opened.namelist() if n.endswith("/METADATA"))).decode()
    assert told.endswith(wheel.ABOUT)


@pytest.mark.slow
@pytest.mark.parametrize("name", scenario.names())
def test_all_of_it_imports_and_finds_the_kit_s_files(
    name: str, kit_of: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / paths.HARNESS).symlink_to(kit_of(name) / paths.HARNESS)
    (packed,) = (tmp_path / paths.HARNESS).glob("*.whl")
    with zipfile.ZipFile(packed) as opened:
        opened.extractall(tmp_path / "installed")
    done = subprocess.run(
        [sys.executable, "-c", TRY, str(tmp_path / "installed"), name, chosen(name).marked],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made, handed_out = tmp_path / "made", kit_of(name) / "work" / name
    for path in handed_out.rglob("*"):
        if path.is_file():
            assert (made / path.relative_to(handed_out)).read_bytes() == path.read_bytes()
