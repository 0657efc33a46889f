"""Composing a workspace: finished, marked, and never over somebody's work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from sandbox import compose, flights, paths, scenario, variant
from sandbox.errors import HarnessFault, UsageError
from sandbox.scenario import Choice
from sandbox.workspace import MARK, file_digests, is_protected, read_mark

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.scenario import Scenario

# Annotations of alerts have templates, too, which Prometheus fills in.
PROMETHEUS_TEMPLATE = re.compile(r"\{\{ \$[^{}]*\}\}")
# What would tell a candidate how the workspace was made.
TELLTALES = ("{%", "{{", "{#", ".j2", "flight_delay", "overlay", "healthy", "variant", "_skew]")


def texts(workspace: Path) -> dict[str, str]:
    """By path. What a wheel holds stands in it as it is: ours are not compressed."""
    return {
        path: (workspace / path).read_text("latin-1" if path.endswith(".whl") else "utf-8")
        for path in file_digests(workspace)
        if not path.endswith(".parquet")
    }


@pytest.fixture(scope="module", params=scenario.names())
def setting(request: pytest.FixtureRequest) -> Scenario:
    return scenario.load(request.param)


@pytest.fixture(scope="module")
def workspace(setting: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One composed workspace; leave it as it is."""
    chosen = variant.choose(setting, "7")
    return compose.compose(setting, chosen, tmp_path_factory.mktemp("composed") / "workspace")


def test_a_workspace_is_finished(workspace: Path) -> None:
    for path, text in texts(workspace).items():
        assert not path.endswith(".j2")
        told = [word for word in TELLTALES if word in PROMETHEUS_TEMPLATE.sub("", text)]
        assert told == [], f"{path} tells {told}"
        if path.endswith(".py"):
            compile(text, path, "exec")


def test_a_workspace_names_no_choice_of_any_variant(setting: Scenario, workspace: Path) -> None:
    names = {c for p in setting.variant.values() if isinstance(p, Choice) for c in p.choice}
    names |= set(setting.variant)
    assert names
    # What all variants' workspaces say alike tells nothing: the ticket, and the healthy service.
    alike = {compose.TICKET: (setting.folder / compose.TICKET).read_text("utf-8")}
    alike |= {
        path: (paths.HEALTHY / path).read_text("utf-8") for path in file_digests(paths.HEALTHY)
    }
    told = {path: text for path, text in texts(workspace).items() if text != alike.get(path)}
    everything = "\n".join(told.values())
    assert [name for name in sorted(names) if re.search(rf"\b{name}\b", everything)] == []


def test_a_workspace_holds_what_a_candidate_needs(setting: Scenario, workspace: Path) -> None:
    ticket = (setting.folder / compose.TICKET).read_bytes()
    assert (workspace / compose.TICKET).read_bytes() == ticket
    for name in ("training", "holdout"):
        frame = pd.read_parquet(workspace / "data" / f"{name}.parquet")
        assert list(frame.columns) == [*flights.RAW, "late"]
        assert len(frame) > 30_000
    assert not any((workspace / path).exists() for path in setting.removes)
    assert (workspace / "service" / "__main__.py").is_file()


def test_a_workspace_holds_nothing_of_the_graders(workspace: Path) -> None:
    hidden = {"plan.py", "truth.yaml", "expected.yaml", "interview.yaml", "checks", scenario.FILE}
    assert not {path.name for path in workspace.rglob("*")} & hidden


def test_the_mark_tells_what_was_handed_out(setting: Scenario, workspace: Path) -> None:
    mark = read_mark(workspace)
    assert (mark.scenario, mark.seed) == (setting.name, "7")
    assert mark.protected == setting.protected
    assert mark.digests == file_digests(workspace)
    assert MARK not in mark.digests
    assert compose.TICKET in mark.digests


def test_every_glob_of_a_scenario_covers_something(setting: Scenario, workspace: Path) -> None:
    files = list(file_digests(workspace))
    for pattern in setting.editable:
        assert any(is_protected(path, [pattern]) for path in files), pattern
    protected = [path for path in files if is_protected(path, setting.protected)]
    assert {"TICKET.md", "data/training.parquet", "data/holdout.parquet"} <= set(protected)


def test_composing_twice_gives_the_same(setting: Scenario, workspace: Path, tmp_path: Path) -> None:
    again = compose.compose(setting, variant.choose(setting, "7"), tmp_path / "again")
    assert file_digests(again) == file_digests(workspace)


def test_an_empty_folder_is_taken(setting: Scenario, workspace: Path, tmp_path: Path) -> None:
    compose.compose(setting, variant.choose(setting, "7"), tmp_path)
    assert file_digests(tmp_path) == file_digests(workspace)


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "service/app.py", MARK])
def test_nothing_that_is_there_is_lost(setting: Scenario, tmp_path: Path, name: str) -> None:
    mine = tmp_path / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("three hours of work")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=re.escape(str(tmp_path))):
        compose.compose(setting, variant.choose(setting, "7"), tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    assert mine.read_text() == "three hours of work"


def test_a_file_is_not_replaced_by_a_folder(setting: Scenario, tmp_path: Path) -> None:
    mine = tmp_path / "workspace"
    mine.write_text("mine")
    with pytest.raises(UsageError):
        compose.compose(setting, variant.choose(setting, "7"), mine)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("there", [False, True])
def test_whoever_is_interrupted_has_no_half_of_a_workspace(
    setting: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if there:
        (tmp_path / "w").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(compose, "write_mark", interrupt)
        with pytest.raises(KeyboardInterrupt):
            compose.compose(setting, variant.choose(setting, "1"), tmp_path / "w")
    assert list(tmp_path.rglob("*")) == [tmp_path / "w"] * there
    compose.compose(setting, variant.choose(setting, "1"), tmp_path / "w")
    assert read_mark(tmp_path / "w").seed == "1"


def test_a_variant_that_lacks_a_parameter_is_our_fault(tmp_path: Path) -> None:
    setting = scenario.load("skewed_preprocessing")
    chosen = variant.Variant(setting.name, "7", {"loud_skew": "utc_hour"})
    with pytest.raises(HarnessFault, match="middle_skew"):
        compose.compose(setting, chosen, tmp_path)


def test_what_a_scenario_removes_is_gone(tmp_path: Path) -> None:
    setting = scenario.load("skewed_preprocessing")
    lacking = setting.model_copy(update={"removes": ("service/feedback.py",)})
    compose.compose(lacking, variant.choose(setting, "7"), tmp_path)
    assert not (tmp_path / "service" / "feedback.py").exists()
    assert "service/feedback.py" not in read_mark(tmp_path).digests


# -- a scenario's own data

OWN = """
from pathlib import Path

def write(folder, variant):
    assert sorted(path.name for path in folder.iterdir()) == ["holdout.parquet", "training.parquet"]
    (folder / "recording.txt").write_text(f"{variant.seed} {variant.parameters['day']}")
"""


@pytest.fixture
def own(tmp_path: Path) -> Scenario:
    """A scenario without an overlay, and with data of its own."""
    folder = tmp_path / "scenario"
    folder.mkdir()
    (folder / compose.TICKET).write_text("Mend it.")
    (folder / compose.OWN_DATA).write_text(OWN)
    days = {"day": Choice(choice=("monday",))}
    changed = {"folder": folder, "variant": days, "removes": (), "name": "own"}
    return scenario.load("skewed_preprocessing").model_copy(update=changed)


def test_a_scenario_s_own_data_lie_beside_the_others_and_in_the_mark(
    own: Scenario, tmp_path: Path
) -> None:
    made = compose.compose(own, variant.choose(own, "7"), tmp_path / "workspace")
    assert (made / "data/recording.txt").read_text() == "7 monday"
    mark = read_mark(made)
    assert mark.digests["data/recording.txt"] == file_digests(made)["data/recording.txt"]
    # Who made them is for the hiring team.
    assert not list(made.rglob(compose.OWN_DATA))


def test_other_seeds_have_other_data(own: Scenario, tmp_path: Path) -> None:
    for seed in ("7", "8"):
        made = compose.compose(own, variant.choose(own, seed), tmp_path / seed)
        assert (made / "data/recording.txt").read_text() == f"{seed} monday"


def test_without_data_of_its_own_there_are_the_usual_ones(own: Scenario, tmp_path: Path) -> None:
    (own.folder / compose.OWN_DATA).unlink()
    made = compose.compose(own, variant.choose(own, "7"), tmp_path / "workspace")
    assert {path.name for path in (made / "data").iterdir()} == set(compose.data_files())


def test_the_rule_file_that_is_loaded_is_there_and_the_candidate_s(
    setting: Scenario, workspace: Path
) -> None:
    if setting.telemetry is None:
        pytest.skip("it has none")
    assert (workspace / setting.telemetry.rules).is_file()
    assert is_protected(setting.telemetry.rules, setting.editable)
    assert not is_protected(setting.telemetry.rules, setting.protected)
