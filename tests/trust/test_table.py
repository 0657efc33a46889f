"""Every hostile submission says what it tries, is run, and is in the table of docs/security.md."""

from __future__ import annotations

import re

import pytest

from sandbox import paths
from tests.trust.hostile import PROGRAM, SUBMISSIONS

NAMES = sorted(path.name for path in SUBMISSIONS.iterdir() if path.is_dir())
TABLE = re.compile(r"^\| hostile submission \|.*\n\|[-|]+\n((?:\|.*\n)+)", re.MULTILINE)


def rows() -> list[list[str]]:
    found = TABLE.search((paths.ROOT / "docs/security.md").read_text("utf-8"))
    assert found
    return [line.strip("|").split(" | ") for line in found[1].splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_a_submission_says_what_it_tries_and_why_nothing_is_gained(name: str) -> None:
    program = SUBMISSIONS / name / PROGRAM
    told = (program if program.exists() else SUBMISSIONS / name / "README.md").read_text("utf-8")
    places = [told.find(word) for word in ("Tries: ", "Happens", "Gains nothing")]
    assert -1 not in places
    assert places == sorted(places)


def test_every_submission_is_in_the_table() -> None:
    told = [name for row in rows() for name in re.findall(r"^ `(\w+)`", row[0])]
    assert sorted(told) == NAMES


def test_every_row_names_tests_that_are_there() -> None:
    there = {
        name
        for path in (paths.ROOT / "tests").rglob("test_*.py")
        if SUBMISSIONS not in path.parents
        for name in re.findall(r"^ *def (test_\w+)\(", path.read_text("utf-8"), re.MULTILINE)
    }
    named = [set(re.findall(r"`(test_\w+)`", row[2])) for row in rows()]
    assert all(named)
    assert set().union(*named) - there == set()
    # And each submission's own test is among those of its rows.
    for name in NAMES:
        assert any(test.startswith(f"test_{name}") for test in set().union(*named))
