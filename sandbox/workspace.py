"""A workspace: the candidate's copy of the broken service, and the mark that says what it was.

The mark is written when the workspace is made. It lies in the candidate's hands afterwards, so it
is read as carefully as anything else that comes back, and what it claims to be protected is never
believed when a submission is graded.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import unicodedata
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sandbox.errors import UsageError
from sandbox.untrusted import is_list_of_text, is_map_of_text, json_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

MARK = ".assessment.json"
MAX_MARK_BYTES = 4 * 2**20

# What tools leave behind. Bytecode matters most: Python would run it instead of a protected source.
IGNORED_NAMES = (
    "__pycache__",
    "*.pyc",
    ".git",
    ".venv",
    "mlruns",
    "mlflow.db",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".ipynb_checkpoints",
    ".ds_store",
    # What the healthy service keeps of the versions it has served.
    ".releases",
)


@dataclass(frozen=True)
class WorkspaceMark:
    """What a workspace was when it was made.

    Args:
        scenario: the scenario's name.
        seed: what chose the variant; may be empty.
        protected: globs of paths that are not the candidate's to change, see `is_protected`.
        digests: SHA-256 of every file at creation, by relative posix path.
    """

    scenario: str
    seed: str
    protected: tuple[str, ...]
    digests: Mapping[str, str]


def read_mark(workspace: Path) -> WorkspaceMark:
    """Read the mark of a workspace.

    Raises:
        UsageError: the mark is missing, no plain file, too large, broken, or has other keys.
    """
    path = workspace / MARK
    hint = "give the folder that `make start` made, with its mark unchanged"
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_MARK_BYTES:
            raise UsageError(
                expected=f"a plain file of at most {MAX_MARK_BYTES} bytes at {path}",
                seen=f"{kind_of(status)} of {status.st_size} bytes",
                hint=hint,
            )
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(
            expected=f"a workspace with {MARK} in {workspace}",
            seen=error.strerror or type(error).__name__,
            hint=hint,
        ) from error
    what = f"the mark {path}"
    fields = json_object(raw, ("scenario", "seed", "protected", "digests"), what=what, hint=hint)
    scenario, seed, protected = fields["scenario"], fields["seed"], fields["protected"]
    if not (
        isinstance(scenario, str)
        and isinstance(seed, str)
        and is_list_of_text(protected)
        and is_map_of_text(fields["digests"])
    ):
        raise UsageError(
            expected=f"{what} with two texts, a list of globs and a map of digests",
            seen="values of other types",
            hint=hint,
        )
    return WorkspaceMark(scenario, seed, tuple(protected), fields["digests"])


def write_mark(workspace: Path, mark: WorkspaceMark) -> None:
    """Write the mark into a workspace, over the one that may be there."""
    fields = {**vars(mark), "digests": dict(mark.digests)}
    text = json.dumps(fields, indent=1, sort_keys=True, ensure_ascii=False)
    (workspace / MARK).write_text(text + "\n", encoding="utf-8")


def entries(folder: Path) -> dict[str, os.stat_result]:
    """Everything in a folder that is not itself a folder, by relative posix path, sorted.

    Links are reported, never followed. The mark and what `is_ignored` are left out.

    Raises:
        UsageError: the folder, or one inside it, cannot be read.
    """
    found: dict[str, os.stat_result] = {}
    waiting = [""]
    try:
        while waiting:
            inside = waiting.pop()
            with os.scandir(folder / inside) as scan:
                for entry in scan:
                    path = inside + entry.name
                    if is_ignored(path):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(path + "/")
                    else:
                        found[path] = entry.stat(follow_symlinks=False)
    except OSError as error:
        raise UsageError(
            expected=f"a folder that can be read at {folder}",
            seen=str(error),
            hint="check the path and its permissions",
        ) from error
    return dict(sorted(found.items()))


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every regular file in a folder, by relative posix path, sorted.

    The mark and what `is_ignored` are left out.

    Raises:
        UsageError: something in the folder cannot be read.
    """
    digests: dict[str, str] = {}
    for path, status in entries(folder).items():
        if stat.S_ISREG(status.st_mode):
            try:
                with (folder / path).open("rb") as file:
                    digests[path] = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise UsageError(
                    expected=f"to read every file in {folder}",
                    seen=str(error),
                    hint="check its permissions, and that nothing is writing there",
                ) from error
    return digests


def is_ignored(path: str) -> bool:
    """Whether a path is the mark or what tools leave behind: never part of a submission."""
    names = folded(path).split("/")
    return names == [MARK] or any(
        fnmatchcase(name, ignored) for name in names for ignored in IGNORED_NAMES
    )


def is_protected(path: str, patterns: Iterable[str]) -> bool:
    """Whether any glob covers a relative posix path, case-sensitively, without asking the disk.

    `*`, `?` and `[...]` stay within one name. `**` as a whole name stands for any number of
    folders, none included, and `folder/` for everything below `folder`.
    """
    names = path.split("/")
    return any(_covers(_globs(pattern), names) for pattern in patterns)


def folded(path: str) -> str:
    """A path as a disk sees it that ignores case and how accents are spelled (macOS, Windows)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def kind_of(status: os.stat_result) -> str:
    """What kind of thing lies on the disk, in words."""
    kinds = {
        stat.S_IFREG: "a file",
        stat.S_IFDIR: "a folder",
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(status.st_mode), "a device")


def _globs(pattern: str) -> list[str]:
    return f"{pattern}**".split("/") if pattern.endswith("/") else pattern.split("/")


def _covers(globs: Sequence[str], names: Sequence[str]) -> bool:
    # Every place in the pattern that the names so far can have led to. A set, where backtracking
    # would let a pattern of many `**` take exponential time.
    places = _past_stars({0}, globs)
    for name in names:
        ahead = {
            place if globs[place] == "**" else place + 1
            for place in places
            if place < len(globs) and (globs[place] == "**" or fnmatchcase(name, globs[place]))
        }
        places = _past_stars(ahead, globs)
    return len(globs) in places


def _past_stars(places: set[int], globs: Sequence[str]) -> set[int]:
    """Add the places that are reached because a `**` may stand for nothing."""
    reached = set(places)
    for place in places:
        beyond = place
        while beyond < len(globs) and globs[beyond] == "**":
            beyond += 1
            reached.add(beyond)
    return reached
