"""What a reviewer is shown of the changes, also of changes made to confuse."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sandbox.submission import diffs
from sandbox.submission.diffs import MAX_DIFF_FILES, MAX_DIFF_LINES, ChangeKind, FileDiff, diff

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def folders(tmp_path: Path, before: dict[str, bytes], after: dict[str, bytes]) -> list[FileDiff]:
    for name, files in (("before", before), ("after", after)):
        (tmp_path / name).mkdir()
        for path, content in files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_bytes(content)
    return diff(tmp_path / "before", tmp_path / "after")


def test_what_was_added_modified_and_removed_is_shown(tmp_path: Path) -> None:
    found = folders(
        tmp_path,
        {"same": b"s\n", "gone": b"g\n", "pipeline/x.py": b"one\ntwo\n"},
        {"same": b"s\n", "new": b"n\n", "pipeline/x.py": b"one\n2\n"},
    )
    assert [(item.path, item.kind) for item in found] == [
        ("gone", ChangeKind.REMOVED),
        ("new", ChangeKind.ADDED),
        ("pipeline/x.py", ChangeKind.MODIFIED),
    ]
    assert found[0].unified.splitlines()[-1] == "-g"
    assert found[1].unified.splitlines()[-1] == "+n"
    assert found[2].unified.splitlines() == [
        "--- before/pipeline/x.py",
        "+++ after/pipeline/x.py",
        "@@ -1,2 +1,2 @@",
        " one",
        "-two",
        "+2",
    ]


def test_nothing_changed_is_nothing_to_show(tmp_path: Path) -> None:
    assert folders(tmp_path, {"a": b"x"}, {"a": b"x", ".git/config": b"y"}) == []


def test_binary_empty_and_large_files_are_said_to_be(tmp_path: Path) -> None:
    found = folders(
        tmp_path,
        {"was": b"text\n"},
        {"was": b"a\0b", "latin": "é".encode("latin-1"), "void": b"", "wide": b"x" * (2**20 + 1)},
    )
    assert {item.path: item.unified for item in found} == {
        "was": "a binary file of 3 bytes",
        "latin": "a binary file of 1 bytes",
        "void": "no lines: an empty file",
        "wide": "too large to show: 1,048,577 bytes",
    }


def test_a_missing_newline_shows(tmp_path: Path) -> None:
    (found,) = folders(tmp_path, {"a": b"x\n"}, {"a": b"x"})
    assert found.unified.splitlines()[-2:] == ["-x", "+x  (no newline at the end)"]


def test_long_diffs_are_cut_and_say_so(tmp_path: Path) -> None:
    text = "".join(f"{number}\n" for number in range(1_000)).encode()
    (found,) = folders(tmp_path, {}, {"a": text})
    lines = found.unified.splitlines()
    assert len(lines) == MAX_DIFF_LINES + 1
    assert lines[-1] == "… 603 more lines are not shown (limit 400)"


def test_many_files_are_cut_and_say_so(tmp_path: Path) -> None:
    found = folders(tmp_path, {}, {f"f{number:03}": b"x\n" for number in range(MAX_DIFF_FILES + 4)})
    assert len(found) == MAX_DIFF_FILES + 1
    assert found[-1].kind is ChangeKind.CUT
    assert found[-1].path == "f060, f061, f062, …"
    assert found[-1].unified == "4 more changed files are not shown (limit 60)"


def test_nothing_reaches_the_terminal_or_hides(tmp_path: Path) -> None:
    tricks = "a\x1b[2Jb\r\n\u202eevil\u2066\n\u2028split\tkept\n" + "w" * 10_000 + "\n"
    (found,) = folders(tmp_path, {}, {"a\x1b\nb": tricks.encode()})
    assert found.path == "a\\x1b\\nb"
    lines = found.unified.split("\n")
    assert "+++ after/a\\x1b\\nb" in lines
    assert "+a\\x1b[2Jb\\r" in lines
    assert "+\\u202eevil\\u2066" in lines
    assert "+\\u2028split\tkept" in lines
    assert max(map(len, lines)) < 600


def test_files_made_to_be_slow_to_compare_are_not_compared(tmp_path: Path) -> None:
    slow = ["x\n" if number % 2 else "y\n" for number in range(20_000)]
    started = time.process_time()
    found = folders(
        tmp_path,
        {str(number): "".join(slow).encode() for number in range(3)},
        {str(number): "".join([*slow[1:], "z"]).encode() for number in range(3)},
    )
    assert time.process_time() - started < 5
    assert {item.unified for item in found} == {
        "too much to compare: 20,000 lines before, 20,000 after"
    }


def test_the_work_is_counted_over_all_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffs, "_MAX_COMPARISONS", 10)
    found = folders(
        tmp_path,
        dict.fromkeys("ab", b"1\n2\n3\n"),
        {**dict.fromkeys("ab", b"1\n2\n4\n"), "new": b"n\n" * 50},
    )
    assert [item.unified.startswith("too much") for item in found] == [False, True, False]
