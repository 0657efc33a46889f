"""Packs what changed in a workspace into one archive, within the limits of a submission."""

from __future__ import annotations

import hashlib
import re
import stat
from itertools import count
from typing import TYPE_CHECKING

from sandbox import __version__
from sandbox.errors import UsageError
from sandbox.submission.archive import SUFFIX, write_archive
from sandbox.submission.changed import changes, guarded
from sandbox.submission.manifest import (
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_TOTAL_BYTES,
    Manifest,
    check_manifest,
)
from sandbox.untrusted import shortened
from sandbox.workspace import entries, kind_of, read_mark

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sandbox.workspace import WorkspaceMark


def pack(workspace: Path, destination_folder: Path, *, name: str | None = None) -> Path:
    """Pack what changed in a workspace into one archive; the same content gives the same bytes.

    Args:
        workspace: the folder that `make start` made.
        destination_folder: where the archive goes; made if missing.
        name: the archive's name without suffix; otherwise `<scenario>-<seed>-<n>`, with the first
            number that is free, and the start of the digest where there is no seed.

    Raises:
        UsageError: the folder has no sound mark, holds links or devices, or exceeds the limits; a
            path cannot be in a submission; the destination is inside the workspace, is taken, or
            cannot be written.
    """
    mark = read_mark(workspace)
    if destination_folder.resolve().is_relative_to(workspace.resolve()):
        raise UsageError(
            expected="a folder for submissions outside the workspace",
            seen=str(destination_folder),
            hint="choose another folder",
        )
    sizes = _plain_sizes(workspace)
    # Before anything is read: somebody may have put a data set of gigabytes into the workspace.
    _check_limits({path: sizes[path] for path in sizes.keys() - mark.digests.keys()}, mark)
    found = changes(workspace)
    _check_limits({path: sizes.get(path, 0) for path in found.submitted}, mark)
    contents = {path: _content(workspace / path) for path in found.submitted}
    manifest = Manifest(
        scenario=mark.scenario,
        seed=mark.seed,
        harness_version=__version__,
        files={path: hashlib.sha256(content).hexdigest() for path, content in contents.items()},
        removed=found.removed,
    )
    check_manifest(manifest, hint="rename or remove it in the workspace")
    archive = _free_path(destination_folder, manifest, name)
    write_archive(archive, manifest, contents)
    return archive


def _plain_sizes(workspace: Path) -> dict[str, int]:
    found = entries(workspace)
    for path, status in found.items():
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(
                expected="only files and folders in a workspace",
                seen=f"{shortened(path)}, {kind_of(status)}",
                hint="replace it by a plain file, or remove it",
            )
    return {path: status.st_size for path, status in found.items()}


def _check_limits(sizes: Mapping[str, int], mark: WorkspaceMark) -> None:
    sizes = {path: size for path, size in sizes.items() if not guarded(path, mark)}
    if not sizes:
        return
    largest = max(sizes, key=lambda path: (sizes[path], path))
    for limit, seen, what in (
        (MAX_FILES, len(sizes), "changed files"),
        (MAX_FILE_BYTES, sizes[largest], "bytes in a changed file"),
        (MAX_TOTAL_BYTES, sum(sizes.values()), "bytes in all changed files"),
    ):
        if seen > limit:
            raise UsageError(
                expected=f"at most {limit:,} {what}",
                seen=f"{seen:,}; the largest is {shortened(largest)} with {sizes[largest]:,} bytes",
                hint="move what is generated or downloaded out of the workspace",
            )


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(
            expected="a workspace that nobody is writing to", seen=str(error), hint="pack again"
        ) from error
    if len(content) > MAX_FILE_BYTES:
        raise UsageError(
            expected=f"at most {MAX_FILE_BYTES:,} bytes in a changed file",
            seen=f"more in {shortened(str(path))}, which is growing",
            hint="stop what writes to it",
        )
    return content


def _free_path(folder: Path, manifest: Manifest, name: str | None) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            expected=f"a folder for submissions at {folder}", seen=str(error), hint="choose another"
        ) from error
    if name is None:
        stem = f"{manifest.scenario}-{manifest.seed or manifest.digest[:12]}"
        paths = (folder / f"{stem}-{number}{SUFFIX}" for number in count(1))
        return next(path for path in paths if not path.exists())
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}", name):
        raise UsageError(
            expected="a plain name for an archive", seen=shortened(name), hint="use letters, digits"
        )
    return folder / f"{name}{SUFFIX}"
