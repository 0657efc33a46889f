"""The registry of a kit: the versions that there are, and nobody's name."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from sandbox import models, registry, scenario, stack
from sandbox.kit import trained
from sandbox.runtimes import open_runtime

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("skewed_preprocessing", "no_rollback")


def asked(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "registry.db")) as opened:
        return opened.execute(query).fetchall()


@pytest.fixture(params=NAMES)
def both(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """The registry that a scenario begins with, and a kit's copy of it."""
    original = stack.trained(scenario.load(request.param))
    return original, trained.copy(original, tmp_path / "registry")


def test_the_versions_are_there_with_all_their_files(both: tuple[Path, Path]) -> None:
    original, copy = both
    versions = "SELECT version, source, run_id, storage_location FROM model_versions"
    aliases = "SELECT alias, version FROM registered_model_aliases"
    assert asked(copy, versions) == asked(original, versions)
    assert asked(copy, aliases) == asked(original, aliases)
    for version, *_ in asked(copy, versions):
        folders = [models.version_folder(folder, int(str(version))) for folder in both]
        theirs = {path.relative_to(folders[0]) for path in folders[0].rglob("*")}
        assert {path.relative_to(folders[1]) for path in folders[1].rglob("*")} == theirs
        assert theirs


def test_nothing_of_other_releases_is_left(both: tuple[Path, Path]) -> None:
    original, copy = both
    versions = asked(copy, "SELECT run_id, storage_location FROM model_versions")
    kept = {str(place).split("/")[-2] for _, place in versions}
    everything = {path.name for path in original.glob("artifacts/*/models/*")}
    assert {path.name for path in copy.glob("artifacts/*/models/*")} == kept
    content = (copy / "registry.db").read_bytes()
    # Not even where the database has thrown it away.
    assert [name for name in everything - kept if name.encode() in content] == []
    runs = {str(run) for (run,) in asked(original, "SELECT run_uuid FROM runs")}
    others = runs - {str(run) for run, _ in versions}
    assert [run for run in others if run.encode() in content] == []
    for table in ("inputs", "logged_models", "runs"):
        assert asked(copy, f"SELECT count(*) FROM {table}") == [(len(kept),)]


def test_it_says_nobody_s_name_and_no_folder(both: tuple[Path, Path]) -> None:
    _, copy = both
    said = asked(copy, "SELECT key, value FROM tags")
    said += asked(copy, "SELECT tag_key, tag_value FROM logged_model_tags")
    for key, wanted in (("user", trained.TRAINED_BY), ("source.name", trained.TRAINED_FROM)):
        assert {value for name, value in said if name == f"mlflow.{key}"} == {wanted}
    assert asked(copy, "SELECT DISTINCT user_id FROM runs") == [(trained.TRAINED_BY,)]


def test_the_original_stays_and_the_copy_is_the_same_each_time(
    both: tuple[Path, Path], tmp_path: Path
) -> None:
    original, copy = both
    before = (original / "registry.db").read_bytes()
    again = trained.copy(original, tmp_path / "again")
    assert (original / "registry.db").read_bytes() == before
    assert (again / "registry.db").read_bytes() == (copy / "registry.db").read_bytes()


@pytest.mark.slow
def test_a_real_registry_runs_on_it(tmp_path: Path) -> None:
    copy = trained.copy(stack.trained(scenario.load("no_rollback")), tmp_path / "registry")
    with open_runtime("process") as runtime, runtime.start(registry.spec(copy)) as server:
        assert registry.champion_version(server.url) == "2"
        assert registry.newest_version(server.url) == "2"
