"""Unpacks an archive, or packs a workspace and unpacks that: both go one road."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import UsageError
from sandbox.submission.archive import FILES, read_archive
from sandbox.submission.packing import pack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.submission.manifest import Manifest


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
