"""A kit gives nothing away: not by what is in it, and not by what is missing in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

from sandbox import compose, paths, scenario
from sandbox.scenario import Choice
from sandbox.workspace import file_digests
from tests.kit.handing import CANDIDATE, KEY, chosen
from tests.kit.leaks import contents, leaked, secret_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EACH_SCENARIO = pytest.mark.parametrize("name", scenario.names())
WORD = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")


@pytest.fixture(scope="session")
def workspace_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def workspace(name: str) -> Path:
        if name not in made:
            destination = tmp_path_factory.mktemp("composed") / "workspace"
            made[name] = compose.compose(scenario.load(name), chosen(name), destination)
        return made[name]

    return workspace


@EACH_SCENARIO
def test_no_line_of_it_is_the_hiring_team_s(
    name: str, kit_of: Callable[[str], Path], workspace_of: Callable[[str], Path]
) -> None:
    assert leaked(contents(kit_of(name)), name, workspace_of(name)) == {}


@EACH_SCENARIO
def test_each_sort_of_file_of_the_hiring_team_s_would_be_noticed(
    name: str, workspace_of: Callable[[str], Path]
) -> None:
    for sort, files in secret_files(name).items():
        told = {str(path): path.read_bytes() for path in files}
        assert leaked(told, name, workspace_of(name)), sort


@EACH_SCENARIO
def test_no_word_of_a_variant_is_in_it(name: str, kit_of: Callable[[str], Path]) -> None:
    setting = scenario.load(name)
    values = [each.choice for each in setting.variant.values() if isinstance(each, Choice)]
    words = {*setting.variant, *(value for choice in values for value in choice)}
    # The ticket is the same for every variant. So are the harness and the trained model; and the
    # workspace is looked at in tests/test_compose.py.
    ticket = (setting.folder / compose.TICKET).read_text("utf-8")
    words = {word for word in words if WORD.fullmatch(word) and word not in ticket}
    assert words
    own = f"harness/broken_services/{name}/"
    told = {
        path: set(WORD.findall(content.decode("latin-1")))
        for path, content in contents(kit_of(name)).items()
        if path.startswith(own) and not path.startswith(f"{own}handed_out")
    }
    assert f"{own}checks/plan.py" in told
    assert {path: found & words for path, found in told.items() if found & words} == {}


@EACH_SCENARIO
def test_the_scenario_says_all_but_what_was_broken(
    name: str, kit_of: Callable[[str], Path]
) -> None:
    ours = yaml.safe_load((scenario.load(name).folder / scenario.FILE).read_text("utf-8"))
    file = kit_of(name) / "harness/broken_services" / name / scenario.FILE
    theirs = yaml.safe_load(file.read_text("utf-8"))
    assert theirs == {k: v for k, v in ours.items() if k not in ("variant", "removes")}
    read = scenario.read(file)
    assert (read.variant, read.removes) == ({}, ())
    assert read.handed_out == file.parent / "handed_out"
    assert "#" not in file.read_text("utf-8")


@EACH_SCENARIO
def test_files_of_the_healthy_service_are_the_same_in_each_kit(
    name: str, kit_of: Callable[[str], Path]
) -> None:
    kit = kit_of(name)
    theirs = kit / "harness/broken_services" / paths.HEALTHY.name
    # If it were those that are not broken, the list of them would tell which are.
    assert sorted(file_digests(theirs)) == ["pipeline/estimator.py", "pipeline/features.py"]
    for path in file_digests(theirs):
        assert (theirs / path).read_bytes() == (kit / "work" / name / path).read_bytes()
    assert sorted(path.name for path in theirs.parent.iterdir()) == sorted([name, theirs.name])


@EACH_SCENARIO
def test_neither_secret_nor_seed_is_in_it(name: str, kit_of: Callable[[str], Path]) -> None:
    told = contents(kit_of(name))
    for hidden in (KEY.secret, KEY.seed(name, CANDIDATE).encode()):
        assert [path for path, content in told.items() if hidden in content] == []
    # It does say whose it is.
    label = KEY.label(name, CANDIDATE).encode()
    assert {path for path, content in told.items() if label in content} == {
        "README.md",
        f"work/{name}/.assessment.json",
        f"harness/broken_services/{name}/handed_out/workspace/.assessment.json",
    }


@EACH_SCENARIO
def test_it_does_not_tell_who_made_it_and_where(name: str, kit_of: Callable[[str], Path]) -> None:
    here = [str(place).encode() for place in (paths.ROOT, paths.STATE)]
    for path, content in contents(kit_of(name)).items():
        assert not any(place in content for place in here), path
