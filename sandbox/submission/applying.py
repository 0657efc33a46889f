"""Lays a submission over a freshly made workspace, and follows no link there."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import HarnessFault, UsageError
from sandbox.submission.changed import guarded
from sandbox.submission.manifest import check_manifest
from sandbox.untrusted import shortened
from sandbox.workspace import read_mark

if TYPE_CHECKING:
    from sandbox.submission.unpacking import Submission


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
    ignored = {path for path in (*manifest.files, *manifest.removed) if guarded(path, mark)}
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
