"""A submission: what a candidate changed in a workspace, packed, unpacked, laid over a fresh copy.

    workspace ── pack ──► archive ── unpack ──► Submission ── apply ──► freshly made workspace

Only changes travel; everything else comes from the scenario again, and so do protected files,
whatever a submission says about them. A folder goes the same road as an archive (`load`).
"""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import __version__
from sandbox.archive import FILES, SUFFIX, read_archive, write_archive
from sandbox.errors import HarnessFault, UsageError
from sandbox.manifest import (
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_TOTAL_BYTES,
    Manifest,
    check_manifest,
)
from sandbox.untrusted import shortened
from sandbox.workspace import (
    WorkspaceMark,
    entries,
    file_digests,
    folded,
    is_protected,
    kind_of,
    read_mark,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class Changes:
    """What differs between a workspace and what it was when it was made. No path is in two of them.

    Args:
        added: new files.
        modified: files with other content.
        removed: files that are gone, or are something else than a plain file now.
        protected_touched: any of these on a protected path; they are not submitted.
    """

    added: tuple[str, ...]
    modified: tuple[str, ...]
    removed: tuple[str, ...]
    protected_touched: tuple[str, ...]

    @property
    def submitted(self) -> tuple[str, ...]:
        """The files that travel in a submission."""
        return tuple(sorted(self.added + self.modified))


@dataclass(frozen=True)
class Submission:
    """A submission on disk, every file of it checked against the manifest.

    Args:
        manifest: what it says about itself.
        folder: its files, at the paths they have in the workspace.
        digest: SHA-256 of the work: scenario, seed, files and removals.
    """

    manifest: Manifest
    folder: Path
    digest: str


def changes(workspace: Path) -> Changes:
    """Compare a workspace with its mark.

    Raises:
        UsageError: the folder has no sound mark or cannot be read.
    """
    mark = read_mark(workspace)
    now = file_digests(workspace)
    differing = {path for path in {*mark.digests, *now} if mark.digests.get(path) != now.get(path)}
    touched = {path for path in differing if _guarded(path, mark)}
    free = sorted(differing - touched)
    return Changes(
        added=tuple(path for path in free if path not in mark.digests),
        modified=tuple(path for path in free if path in mark.digests and path in now),
        removed=tuple(path for path in free if path not in now),
        protected_touched=tuple(sorted(touched)),
    )


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


def unpack(archive: Path, destination: Path) -> Submission:
    """Unpack an archive, which is hostile until every byte of it has been checked.

    Args:
        archive: the archive.
        destination: a folder that is empty or does not exist, in a folder that does. It is removed
            when the archive is refused; nothing is written outside it.

    Raises:
        UsageError: the archive is not exactly what `pack` makes, or the destination is taken.
        HarnessFault: the destination cannot be written.
    """
    with _emptied_on_refusal(destination):
        manifest = read_archive(archive, destination)
        folder = destination / FILES
        folder.mkdir(exist_ok=True)
    return Submission(manifest, folder, manifest.digest)


def load(path: Path, destination: Path) -> Submission:
    """Unpack an archive, or pack a workspace and unpack that, so that both go one road.

    Raises:
        UsageError: see `pack` and `unpack`.
        HarnessFault: the destination cannot be written.
    """
    if not path.is_dir():
        return unpack(path, destination)
    with tempfile.TemporaryDirectory(prefix="submission-") as folder:
        return unpack(pack(path, Path(folder)), destination)


def apply(submission: Submission, workspace: Path) -> list[str]:
    """Lay a submission over a freshly made workspace.

    What is protected is read from this workspace's own mark, never from the submission.

    Args:
        submission: what to lay over.
        workspace: a workspace of the same scenario and seed, made by the harness a moment ago.

    Returns:
        The submission's paths that were ignored, because they are protected or because something
        that is protected lies where they would go.

    Raises:
        UsageError: the submission is of another scenario or seed.
        HarnessFault: the workspace has links where the submission would write, or cannot be
            written, or the submission's files changed since they were unpacked.
    """
    mark = read_mark(workspace)
    manifest = submission.manifest
    check_manifest(manifest)
    for what, theirs, ours in (
        ("scenario", manifest.scenario, mark.scenario),
        ("seed", manifest.seed, mark.seed),
    ):
        if theirs != ours and (theirs and ours):
            raise UsageError(
                expected=f"a submission of {what} {ours!r}",
                seen=f"one of {shortened(theirs)}",
                hint=f"grade it with the {what} that was handed out",
            )
    ignored = {path for path in (*manifest.files, *manifest.removed) if _guarded(path, mark)}
    try:
        for path in sorted(set(manifest.removed) - ignored):
            _delete(workspace, path)
        for path in sorted(set(manifest.files) - ignored):
            content = (submission.folder / path).read_bytes()
            if hashlib.sha256(content).hexdigest() != manifest.files[path]:
                raise HarnessFault(
                    expected="the submission as it was unpacked", seen=f"another {shortened(path)}"
                )
            if not _place(workspace, path, content):
                ignored.add(path)
    except OSError as error:
        raise HarnessFault(
            expected=f"to lay a submission over {workspace}",
            seen=str(error),
            hint="check the disk",
        ) from error
    return sorted(ignored)


def _guarded(path: str, mark: WorkspaceMark) -> bool:
    """Protected, also in a spelling that a disk which ignores case takes for the same file."""
    return is_protected(path, mark.protected) or is_protected(
        folded(path), map(folded, mark.protected)
    )


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
    sizes = {path: size for path, size in sizes.items() if not _guarded(path, mark)}
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


@contextmanager
def _emptied_on_refusal(destination: Path) -> Iterator[None]:
    """An empty folder that is gone again when anything goes wrong inside."""
    try:
        if destination.is_dir() and not any(destination.iterdir()):
            # Fails on a link to a folder.
            destination.rmdir()
        destination.mkdir()
    except OSError as error:
        raise UsageError(
            expected=f"to make a new folder at {destination}",
            seen=error.strerror or type(error).__name__,
            hint="give an empty folder, or a new one in a folder that is there",
        ) from error
    try:
        yield
    except BaseException:
        shutil.rmtree(destination)
        raise


def _delete(workspace: Path, path: str) -> None:
    if not _parents_are_folders(workspace, path):
        return
    target = workspace / path
    if target.is_symlink() or target.is_file():
        target.unlink()
    # A folder that is empty now may have to make room for a file of its name.
    for parent in list(target.relative_to(workspace).parents)[:-1]:
        folder = workspace / parent
        if not folder.is_dir() or any(folder.iterdir()):
            return
        folder.rmdir()


def _place(workspace: Path, path: str, content: bytes) -> bool:
    """Write one file; false when a file or folder of the scenario's is in the way."""
    target = workspace / path
    if not _parents_are_folders(workspace, path):
        return False
    mode = 0o644
    if target.is_symlink() or target.exists():
        status = target.lstat()
        if stat.S_ISDIR(status.st_mode):
            return False
        if stat.S_ISREG(status.st_mode):
            # Whether a script can be executed is the scenario's to say.
            mode = stat.S_IMODE(status.st_mode) & 0o777
        # Never written in place: it may be a link, or share its content with another copy.
        target.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        file.write(content)
    target.chmod(mode)
    return True


def _parents_are_folders(workspace: Path, path: str) -> bool:
    """Whether every folder on the way is a real one, or not there yet."""
    for parent in reversed(list(Path(path).parents)[:-1]):
        folder = workspace / parent
        if folder.is_symlink():
            raise HarnessFault(
                expected="a workspace without links", seen=f"one at {shortened(str(parent))}"
            )
        if folder.exists() and not folder.is_dir():
            return False
    return True
