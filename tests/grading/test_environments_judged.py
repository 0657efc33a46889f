"""Environments judged: alike, whole, held by an image, named by a model."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.grading.environments import (
    differing,
    disagreements,
    held_otherwise,
    is_there,
    is_whole,
    same,
)

OURS = ("skyclock", "skyfeed")


def environment(**changed: Any) -> dict[str, Any]:
    return {
        "status": 0,
        "locked": True,
        "packages": {"skyclock": "2.1.0", "skyfeed": "1.4.0"},
        "requires": {"skyclock": [], "skyfeed": ["skyclock>=2.1", "pandas"]},
        "files": {"skyclock/__init__.py": "a", "skyfeed/__init__.py": "b"},
        **changed,
    }


# -- alike


def test_an_environment_equals_itself_and_no_other_file() -> None:
    assert same(environment(), environment())
    other = environment(files={"skyclock/__init__.py": "x", "skyfeed/__init__.py": "b"})
    assert not same(environment(), other)
    assert differing(environment(), other) == ["skyclock/__init__.py"]


def test_versions_are_told_before_files() -> None:
    other = environment(packages={"skyfeed": "1.5.0"}, files={})
    assert differing(environment(), other) == [
        "skyclock 2.1.0 and missing",
        "skyfeed 1.4.0 and 1.5.0",
    ]


@pytest.mark.parametrize("changed", [{"locked": False}, {"status": 1}, {"status": None}])
def test_what_was_not_installed_from_a_lock_is_not_there(changed: dict[str, Any]) -> None:
    assert is_there(environment())
    assert not is_there(environment(**changed))
    assert not same(environment(**changed), environment(**changed))


# -- whole


@pytest.mark.parametrize(
    ("packages", "whole"),
    [
        ({"skyfeed": "1", "skyclock": "2"}, True),
        ({"SkyFeed": "1", "SKYCLOCK": "2", "other": "3"}, True),
        ({"skyfeed": "1"}, False),
        ({"other": "1"}, False),
        ({}, False),
    ],
)
def test_whole_is_all_of_ours_that_is_required(packages: dict[str, str], whole: bool) -> None:
    assert is_whole(environment(packages=packages), OURS) is whole


# -- an image


def folder(where: str = "/site", **changed: Any) -> dict[str, Any]:
    kept = {key: environment()[key] for key in ("packages", "files")}
    return {"folder": where, **kept, **changed}


EMPTY = {"packages": {}, "files": {}}


def test_an_image_holds_what_the_lock_installs_in_any_folder() -> None:
    assert held_otherwise([folder()], environment(), OURS) == []
    assert held_otherwise([folder("/app", **EMPTY), folder()], environment(), OURS) == []
    parts = [
        folder(files={"skyclock/__init__.py": "a"}, packages={"skyclock": "2.1.0"}),
        folder(files={"skyfeed/__init__.py": "b"}, packages={"skyfeed": "1.4.0"}),
    ]
    assert held_otherwise(parts, environment(), OURS) == []


def test_the_first_folder_wins() -> None:
    wrong = folder("/app", files={"skyfeed/__init__.py": "x"}, packages={})
    assert held_otherwise([wrong, folder()], environment(), OURS) == ["another skyfeed"]
    assert held_otherwise([folder(), wrong], environment(), OURS) == []


def test_what_is_missing_or_too_much_is_named() -> None:
    assert held_otherwise([folder(**EMPTY)], environment(), OURS) == ["no skyclock", "no skyfeed"]
    more = folder(files={**environment()["files"], "skyfeed/more.py": "c"})
    assert held_otherwise([more], environment(), OURS) == ["another skyfeed"]
    empty = environment(packages={}, files={})
    assert held_otherwise([folder("/app", packages={"SkyFeed": "1"})], empty, OURS) == [
        "skyfeed in /app, which is not locked"
    ]
    # What is not ours is the base's own.
    assert held_otherwise([folder(packages={"pip": "25"}, files={})], empty, OURS) == []


def test_programs_are_not_compared() -> None:
    files = {**environment()["files"], "bin/skyfeed": "p"}
    assert held_otherwise([folder()], environment(files=files), OURS) == []


# -- a model's requirements

INSTALLED = {"skyclock": "2.1.0", "sky_feed": "1.4.0"}
HOST = {"pandas": "2.2.3", "lightgbm": "4.6.0"}


@pytest.mark.parametrize(
    "lines",
    [
        ["skyclock==2.1.0", "sky-feed==1.4.0", "pandas==2.2.3"],
        ["skyclock===2.1", "Sky.Feed == 1.4 ; python_version >= '3.11'  # why", "# more", ""],
        [
            "skyclock==2.1.0 \\",
            "    --hash=sha256:00 \\",
            "    --hash=sha256:11",
            "sky_feed==1.4.0",
        ],
        ["--no-index", "skyclock==2.1.0", "sky_feed[extra]==1.4.0"],
    ],
)
def test_exact_and_installed_requirements_agree(lines: list[str]) -> None:
    assert disagreements(lines, INSTALLED, HOST) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("pandas", "'pandas' is no exact version"),
        ("pandas>=2", "is no exact version"),
        ("pandas==2.*", "is no exact version"),
        ("pandas==2.2.3,<3", "2.2.3,<3 where 2.2.3 is installed"),
        ("pandas==2.2.2", "pandas 2.2.2 where 2.2.3 is installed"),
        ("numpy==2.0.0", "numpy 2.0.0 where none is installed"),
        ("pandas @ file:///x.whl", "is no exact version"),
    ],
)
def test_what_does_not_agree_is_named(line: str, said: str) -> None:
    [wrong] = disagreements(["skyclock==2.1.0", "sky_feed==1.4.0", line], INSTALLED, HOST)
    assert said in wrong


def test_each_of_ours_has_to_be_named() -> None:
    assert disagreements(["pandas==2.2.3"], INSTALLED, HOST) == [
        "sky-feed 1.4.0 is left out",
        "skyclock 2.1.0 is left out",
    ]
    assert disagreements(["pandas==2.2.3"], {}, HOST) == []


def test_two_versions_of_one_package_cannot_both_be_installed() -> None:
    lines = ["skyclock==2.1.0", "skyclock==2.2.0", "sky_feed==1.4.0"]
    assert disagreements(lines, INSTALLED, HOST) == ["skyclock 2.2.0 where 2.1.0 is installed"]
