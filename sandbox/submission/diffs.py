"""What a candidate changed, as text for the person who reads the report."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from sandbox.errors import UsageError
from sandbox.untrusted import visible
from sandbox.workspace import file_digests

if TYPE_CHECKING:
    from pathlib import Path

MAX_DIFF_FILES = 60
MAX_DIFF_LINES = 400
_MAX_DIFF_BYTES = 2**20
# Comparing takes about (lines before) x (lines after) steps at worst, and a submission can ask for
# the worst. This many are a few seconds, for all files together.
_MAX_COMPARISONS = 20_000_000
# Stands at the end of a last line without newline, so that it differs from one with. No text that
# is compared contains it.
_NO_NEWLINE = "\0"


class ChangeKind(StrEnum):
    """How a file differs."""

    ADDED = "added"
    MODIFIED = "modified"
    REMOVED = "removed"
    CUT = "cut"


@dataclass(frozen=True)
class FileDiff:
    """One file's differences, as text that is safe to print.

    Args:
        path: the file; for `CUT` a few of the files that are not shown.
        kind: how it differs.
        unified: a unified diff, or one line that says why there is none.
    """

    path: str
    kind: ChangeKind
    unified: str


def diff(pristine: Path, submitted: Path) -> list[FileDiff]:
    """How two workspaces differ, for a person to read; capped in files, lines and work.

    Raises:
        UsageError: one of the folders cannot be read.
    """
    before, after = file_digests(pristine), file_digests(submitted)
    paths = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    shown, cut = paths[:MAX_DIFF_FILES], paths[MAX_DIFF_FILES:]
    comparisons = _MAX_COMPARISONS
    diffs: list[FileDiff] = []
    for path in shown:
        kind = ChangeKind.MODIFIED
        if path not in before:
            kind = ChangeKind.ADDED
        elif path not in after:
            kind = ChangeKind.REMOVED
        old = _lines(pristine / path) if path in before else []
        new = _lines(submitted / path) if path in after else []
        if isinstance(old, str) or isinstance(new, str):
            unified = next(reason for reason in (new, old) if isinstance(reason, str))
        elif len(old) * len(new) > comparisons:
            unified = f"too much to compare: {len(old):,} lines before, {len(new):,} after"
        else:
            comparisons -= len(old) * len(new)
            unified = _unified(old, new, path)
        diffs.append(FileDiff(visible(path), kind, unified))
    if cut:
        names = ", ".join([*map(visible, cut[:3]), *["…"][: len(cut[3:])]])
        what = f"{len(cut)} more changed files are not shown (limit {MAX_DIFF_FILES})"
        diffs.append(FileDiff(names, ChangeKind.CUT, what))
    return diffs


def _lines(path: Path) -> list[str] | str:
    """A file's lines, or why they cannot be shown."""
    try:
        size = path.stat().st_size
        if size > _MAX_DIFF_BYTES:
            return f"too large to show: {size:,} bytes"
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(expected=f"to read {path}", seen=str(error)) from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return f"a binary file of {size:,} bytes"
    if "\0" in text:
        return f"a binary file of {size:,} bytes"
    *lines, last = text.split("\n")
    return [*lines, last + _NO_NEWLINE] if last else lines


def _unified(old: list[str], new: list[str], path: str) -> str:
    lines = difflib.unified_diff(old, new, f"before/{path}", f"after/{path}", lineterm="")
    shown = [_shown(line) for line in islice(lines, MAX_DIFF_LINES)]
    if left := sum(1 for _ in lines):
        shown.append(f"… {left:,} more lines are not shown (limit {MAX_DIFF_LINES})")
    return "\n".join(shown) or "no lines: an empty file"


def _shown(line: str) -> str:
    if line.endswith(_NO_NEWLINE):
        return visible(line.removesuffix(_NO_NEWLINE)) + "  (no newline at the end)"
    return visible(line)
