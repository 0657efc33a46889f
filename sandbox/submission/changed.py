"""What a candidate changed in a workspace, by the digests in its mark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.workspace import file_digests, folded, is_protected, read_mark

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.workspace import WorkspaceMark


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


def changes(workspace: Path) -> Changes:
    """Compare a workspace with its mark.

    Raises:
        UsageError: the folder has no sound mark or cannot be read.
    """
    mark = read_mark(workspace)
    now = file_digests(workspace)
    differing = {path for path in {*mark.digests, *now} if mark.digests.get(path) != now.get(path)}
    touched = {path for path in differing if guarded(path, mark)}
    free = sorted(differing - touched)
    return Changes(
        added=tuple(path for path in free if path not in mark.digests),
        modified=tuple(path for path in free if path in mark.digests and path in now),
        removed=tuple(path for path in free if path not in now),
        protected_touched=tuple(sorted(touched)),
    )


def guarded(path: str, mark: WorkspaceMark) -> bool:
    """Protected, also in a spelling that a disk which ignores case takes for the same file."""
    return is_protected(path, mark.protected) or is_protected(
        folded(path), map(folded, mark.protected)
    )
