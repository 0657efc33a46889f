"""The mark of a workspace, what is protected in it, and what counts as its files."""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

import pytest

from sandbox.errors import UsageError
from sandbox.workspace import (
    MARK,
    WorkspaceMark,
    entries,
    file_digests,
    is_ignored,
    is_protected,
    read_mark,
    write_mark,
)

if TYPE_CHECKING:
    from pathlib import Path

SOUND = WorkspaceMark("skewed", "7", ("pipeline/**",), {"größe.py": "0" * 64})


def test_a_mark_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_mark(tmp_path, SOUND)
    assert read_mark(tmp_path) == SOUND


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "as JSON"),
        ("[]", "as an object"),
        ('{"scenario": "s"}', "missing"),
        ('{"scenario":"s","seed":"","protected":[],"digests":{},"more":1}', "'more' unknown"),
        ('{"scenario":"s","seed":7,"protected":[],"digests":{}}', "other types"),
        ('{"scenario":"s","seed":"","protected":"**","digests":{}}', "other types"),
        ('{"scenario":"s","seed":"","protected":[],"digests":{"a":1}}', "other types"),
        ('{"scenario":"s","scenario":"t"}', "twice"),
    ],
)
def test_a_broken_mark_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / MARK).write_text(text)
    with pytest.raises(UsageError, match=said):
        read_mark(tmp_path)


def test_a_mark_is_a_plain_file_of_bounded_size(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_mark(tmp_path)
    (tmp_path / MARK).symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="symbolic link"):
        read_mark(tmp_path)
    (tmp_path / MARK).unlink()
    os.mkfifo(tmp_path / MARK)
    with pytest.raises(UsageError, match="named pipe"):
        read_mark(tmp_path)
    (tmp_path / MARK).unlink()
    (tmp_path / MARK).touch()
    os.truncate(tmp_path / MARK, 2**40)
    with pytest.raises(UsageError, match="at most"):
        read_mark(tmp_path)


def test_digests_are_of_regular_files_that_are_not_left_behind_by_tools(tmp_path: Path) -> None:
    kept = ["a.py", "deploy/b.yaml", "deploy/deep/er/c", "git/x", ".gitignore"]
    left = [
        MARK,
        "__pycache__/a.cpython-311.pyc",
        "deploy/__pycache__/x",
        "old.pyc",
        ".git/config",
        ".pytest_cache/x",
        ".venv/bin/python",
        "mlruns/0/meta.yaml",
        "deploy/.DS_Store",
    ]
    for path in kept + left:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    (tmp_path / "link").symlink_to("a.py")
    (tmp_path / "folder").symlink_to("deploy")
    os.mkfifo(tmp_path / "pipe")

    assert file_digests(tmp_path) == {
        path: hashlib.sha256(path.encode()).hexdigest() for path in sorted(kept)
    }
    assert list(entries(tmp_path)) == sorted([*kept, "link", "folder", "pipe"])


def test_what_is_not_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        file_digests(tmp_path / "none")


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("a.py", ["a.py"], ["b.py", "x/a.py", "A.py", "a.pyc", "axpy"]),
        ("*.py", ["a.py", ".py"], ["x/a.py", "a.py/x"]),
        ("**/*.py", ["a.py", "x/a.py", "x/y/a.py"], ["a.txt", "x/a.py/y"]),
        ("data/**", ["data/a", "data/a/b", "data"], ["datas/a", "x/data/a"]),
        ("data/", ["data/a", "data/a/b"], ["datas/a"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["a/b", "z", "b/a/z"]),
        ("**", ["a", "a/b/c"], []),
        ("a/*/c", ["a/b/c"], ["a/c", "a/b/b/c"]),
        ("a?c", ["abc"], ["a/c", "ac"]),
        ("[ab].py", ["a.py", "b.py"], ["c.py"]),
        ("**/x/**", ["x", "x/a", "a/x", "a/x/b/c"], ["a", "xx/a"]),
    ],
)
def test_globs(pattern: str, inside: list[str], outside: list[str]) -> None:
    assert [path for path in inside if not is_protected(path, [pattern])] == []
    assert [path for path in outside if is_protected(path, [pattern])] == []


def test_a_hostile_glob_takes_no_time() -> None:
    started = time.process_time()
    assert not is_protected("/".join("a" * 100) + "/b", ["/".join(["**", "a"] * 40) + "/c"])
    assert not is_protected("a" * 100, ["*a" * 40 + "b"])
    assert time.process_time() - started < 1


def test_bytecode_is_ignored_however_it_is_spelled() -> None:
    assert is_ignored("a/__PYCACHE__/b")
    assert is_ignored("a.PYC")
    assert is_ignored(".Assessment.json")
    assert not is_ignored("deploy/.assessment.json")
    assert not is_ignored("gitignore")
