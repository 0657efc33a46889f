"""What the daemon builds an image from: files of a folder, as a tar file."""

from __future__ import annotations

import contextlib
import io
import re
import tarfile
import tempfile
from functools import partial
from typing import TYPE_CHECKING

from docker.utils.build import PatternMatcher

from sandbox.errors import SubmissionFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

# Submissions travel without their modes: how a file begins says whether it is a program.
_PROGRAM = b"#!"
_READ, _RUN = 0o644, 0o755
# A name that no workspace has.
DOCKERFILE = ".sandbox.Dockerfile"
IGNORED = ".dockerignore"
_IGNORED_BYTES = 16 * 1024


def wanted(folder: Path) -> tuple[str, ...]:
    """Files of a folder that its `.dockerignore` lets through.

    Raises:
        SubmissionFault: that has a pattern which is none.
    """
    try:
        names = set(PatternMatcher(_lines(folder)).walk(str(folder)))
    except re.error as error:
        raise SubmissionFault(expected=f"patterns in {IGNORED}", seen=str(error)) from error
    return tuple(sorted(names - {IGNORED}))


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
    entry.size, entry.mode = len(content), _READ
    tar.addfile(entry, io.BytesIO(content))


@contextlib.contextmanager
def packed(folder: Path, names: tuple[str, ...], dockerfile: str = "") -> Iterator[IO[bytes]]:
    """What the daemon builds from, as a tar file; every file belongs to root and may be read, those
    that begin with `#!` may be run as well.
    """
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for name in names:
                plain = partial(_plain, folder / name)
                tar.add(folder / name, name, recursive=False, filter=plain)
            if dockerfile:
                add(tar, DOCKERFILE, dockerfile.encode())
                # The daemon takes what it is told here out of the folder, and so does not copy it.
                add(tar, IGNORED, "\n".join([*_lines(folder), DOCKERFILE]).encode())
        file.seek(0)
        yield file


def _plain(path: Path, entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = _RUN if entry.isdir() or (entry.isfile() and _is_program(path)) else _READ
    return entry if entry.isdir() or entry.isfile() else None


def _is_program(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_PROGRAM)) == _PROGRAM
