"""A kit: finished, the same each time, and what a checkout has, at the same places."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from sandbox import compose, identity, kit, paths, references, scenario, stack
from sandbox.errors import HarnessFault, UsageError
from sandbox.kit import making
from sandbox.workspace import file_digests, read_mark
from tests.kit.handing import CANDIDATE, KEY, chosen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EACH_SCENARIO = pytest.mark.parametrize("name", scenario.names())
NAME = "skewed_preprocessing"
TARGET = re.compile(r"^([a-z]+): (.*)\n((?:\t.*\n)+)", re.MULTILINE)
# What differs: a kit has one scenario and one workspace.
OF_A_CHECKOUT = " $(if $(SEED),--seed $(SEED)) $(PICK) $(if $(RUNTIME),--runtime $(RUNTIME))"


def targets(makefile: str) -> dict[str, str]:
    """What each target does."""
    return {name: recipe for name, _, recipe in TARGET.findall(makefile)}


@EACH_SCENARIO
def test_the_workspace_is_that_of_the_candidate_s_variant(
    name: str, kit_of: Callable[[str], Path], tmp_path: Path
) -> None:
    setting = scenario.load(name)
    mark = read_mark(kit_of(name) / "work" / name)
    found = identity.variant_of(setting, mark.seed, KEY, CANDIDATE)
    assert found == chosen(name)
    graded = compose.compose(setting, found, tmp_path / "graded")
    for workspace in (f"work/{name}", f"harness/broken_services/{name}/handed_out/workspace"):
        assert file_digests(kit_of(name) / workspace) == file_digests(graded)
        assert read_mark(kit_of(name) / workspace) == read_mark(graded)


@EACH_SCENARIO
def test_the_harness_reads_a_kit_as_it_reads_a_checkout(
    name: str, kit_of: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = kit_of(name) / "harness" / "broken_services"
    monkeypatch.setattr(paths, "SERVICES", services)
    monkeypatch.setattr(paths, "HEALTHY", services / paths.HEALTHY.name)
    setting = scenario.load(name)
    assert (setting.folder / compose.TICKET).is_file()
    assert (setting.folder / "checks" / "plan.py").is_file()
    registry = stack.trained(setting)
    assert registry.is_relative_to(services)
    assert references.champion(registry).features.FEATURES
    marked = read_mark(kit_of(name) / "work" / name).seed
    made = compose.compose(setting, identity.variant_of(setting, marked), tmp_path / "again")
    assert file_digests(made) == file_digests(kit_of(name) / "work" / name)
    assert read_mark(made).seed == marked
    with pytest.raises(UsageError, match="one of: "):
        scenario.load("no_such")


def test_other_candidates_get_other_kits_and_the_same_one_the_same(tmp_path: Path) -> None:
    first, again = (kit.make(NAME, CANDIDATE, KEY, tmp_path / name) for name in ("1", "2"))
    assert first.name == f"{NAME}-{CANDIDATE}.tar.gz"
    assert again.read_bytes() == first.read_bytes()
    other = kit.make(NAME, "bob", KEY, tmp_path / "1")
    assert other.read_bytes() != first.read_bytes()
    assert sorted((tmp_path / "1").iterdir()) == sorted([first, other])


def test_an_archive_holds_plain_files_below_one_folder(archive_of: Callable[[str], Path]) -> None:
    with tarfile.open(archive_of(NAME)) as tar:
        members = tar.getmembers()
    assert members
    for member in members:
        assert member.isfile()
        assert member.name.startswith(f"{NAME}-{CANDIDATE}/")
        assert (member.mode, member.uid, member.gid, member.uname) == (0o644, 0, 0, "")
        assert member.mtime == 315_532_800
    names = {member.name.split("/")[1] for member in members}
    assert names == {"GUIDE.md", "Makefile", "README.md", "harness", "work"}


@EACH_SCENARIO
def test_the_wheel_is_named_with_its_digest(name: str, kit_of: Callable[[str], Path]) -> None:
    line = (kit_of(name) / "harness" / "wheel.lock").read_text("utf-8")
    found = re.fullmatch(r"\./(harness/\S+\.whl) --hash=sha256:([0-9a-f]{64})\n", line)
    assert found
    assert hashlib.sha256((kit_of(name) / found[1]).read_bytes()).hexdigest() == found[2]


@EACH_SCENARIO
def test_the_makefile_does_what_the_project_s_does(
    name: str, kit_of: Callable[[str], Path]
) -> None:
    ours = targets((paths.ROOT / "Makefile").read_text("utf-8"))
    theirs = targets((kit_of(name) / "Makefile").read_text("utf-8"))
    wanted = {"help", "setup", "start", "status", "logs", "check", "submit", "stop"}
    wanted |= {"doctor", "clean"} | ({"release"} if scenario.load(name).manifest else set())
    help_ = subprocess.run(
        ["make", "-C", str(kit_of(name)), "help"], capture_output=True, text=True, check=True
    )
    assert set(re.findall(r"^  make ([a-z]+) ", help_.stdout, re.MULTILINE)) == wanted
    for target in theirs:
        project_s = ours[target].replace(OF_A_CHECKOUT, "").replace(" $(PICK)", "")
        assert theirs[target] == project_s, target


@EACH_SCENARIO
def test_only_what_needs_prometheus_fetches_it(name: str, kit_of: Callable[[str], Path]) -> None:
    makefile = (kit_of(name) / "Makefile").read_text("utf-8")
    assert ("sandbox.system.tools" in makefile) == scenario.load(name).needs_prometheus


@EACH_SCENARIO
def test_the_readme_is_the_candidate_s(name: str, kit_of: Callable[[str], Path]) -> None:
    setting = scenario.load(name)
    text = (kit_of(name) / "README.md").read_text("utf-8")
    assert text.startswith(f"# {setting.title}\n")
    assert str(setting.time_limit_min) in text
    assert all(f"`{glob}`" in text for glob in setting.editable)
    assert not re.search(r"[{}]|%\}", text)
    typed = set(re.findall(r"make ([a-z]+)", text))
    known = targets((kit_of(name) / "Makefile").read_text("utf-8")).keys() | {"setup", "help"}
    assert {"start", "check", "submit", "stop"} <= typed <= known
    guide = (kit_of(name) / "GUIDE.md").read_bytes()
    assert guide == (paths.ROOT / "docs" / "candidate.md").read_bytes()


def test_what_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a scenario, one of"):
        kit.make("no_such", CANDIDATE, KEY, tmp_path)
    with pytest.raises(UsageError, match="a candidate's ID"):
        kit.make(NAME, "a b", KEY, tmp_path)
    taken = tmp_path / "taken"
    taken.write_text("a file")
    with pytest.raises(UsageError, match="expected to write"):
        kit.make(NAME, CANDIDATE, KEY, taken)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_scenario_that_breaks_what_references_come_from_is_no_kit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(setting: object, variant: object, destination: Path) -> Path:
        made = compose_(setting, variant, destination)
        (made / "pipeline" / "features.py").write_text("broken")
        return made

    compose_ = compose.compose
    monkeypatch.setattr(making.compose, "compose", broken)
    with pytest.raises(HarnessFault, match=r"pipeline/features\.py"):
        kit.make(NAME, CANDIDATE, KEY, tmp_path)
