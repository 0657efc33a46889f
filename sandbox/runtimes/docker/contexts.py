"""What the daemon builds an image from: files of a folder, as a tar file."""

from __future__ import annotations

import contextlib
import io
import tarfile
import tempfile
from typing import TYPE_CHECKING

from docker.utils.build import PatternMatcher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

# A name that no workspace has.
DOCKERFILE = ".sandbox.Dockerfile"
IGNORED = ".dockerignore"
_IGNORED_BYTES = 16 * 1024


def wanted(folder: Path) -> tuple[str, ...]:
    """Files of a folder that its `.dockerignore` lets through."""
    names = PatternMatcher(_lines(folder)).walk(str(folder))
    return tuple(sorted(set(names) - {IGNORED}))


def _lines(folder: Path) -> list[str]:
    """The patterns of a folder's `.dockerignore`."""
    ignored = folder / IGNORED
    if not ignored.is_file() or ignored.is_symlink():
        return []
    text = ignored.read_bytes()[:_IGNORED_BYTES].decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file that is in no folder; it belongs to root and may be read."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    tar.addfile(entry, io.BytesIO(content))


@contextlib.contextmanager
def packed(folder: Path, names: tuple[str, ...], dockerfile: str = "") -> Iterator[IO[bytes]]:
    """What the daemon builds from, as a tar file; every file belongs to root and may be read."""
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for name in names:
                tar.add(folder / name, name, recursive=False, filter=_plain)
            if dockerfile:
                add(tar, DOCKERFILE, dockerfile.encode())
                # The daemon takes what it is told here out of the folder, and so does not copy it.
                add(tar, IGNORED, "\n".join([*_lines(folder), DOCKERFILE]).encode())
        file.seek(0)
        yield file


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() else 0o644
    return entry if entry.isdir() or entry.isfile() else None
