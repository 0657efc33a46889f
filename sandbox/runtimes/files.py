"""Files that pass between the harness and a submission: what it wrote is data, never a direction.

A submission owns its working directory and may put a link anywhere in it. Followed by the harness,
which may read and write far more than the submission, a link would be a way out.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sandbox.errors import HarnessFault, SubmissionFault
from sandbox.untrusted import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_LINE_BYTES = 4096  # read for each line asked for; a few are longer, most far shorter


def put_file(workdir: Path, relative: str, content: bytes) -> None:
    """Put a file below `workdir` in one step, making folders on the way and following no link.

    Raises:
        HarnessFault: the path leads out of the folder.
        SubmissionFault: a link, a file or a folder of the submission is in the way.
    """
    path = PurePosixPath(relative)
    if not path.name or path.is_absolute() or ".." in path.parts:
        raise HarnessFault(expected="a relative path below the workdir", seen=repr(relative))
    temporary = f".{secrets.token_hex(8)}"
    try:
        with _folder(workdir, path.parent) as folder:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            descriptor = os.open(temporary, flags, 0o644, dir_fd=folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            try:
                os.replace(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                os.unlink(temporary, dir_fd=folder)
                raise
    except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
        raise SubmissionFault(
            expected=f"room for the file {relative} in the workdir", seen=str(error)
        ) from error


def last_lines(log: Path, lines: int) -> str:
    """The last lines of a log, however long it is, fit to be shown on a terminal.

    Raises:
        OSError: it cannot be read.
    """
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - lines * _LINE_BYTES))
        text = file.read(lines * _LINE_BYTES).decode("utf-8", "replace")
    return last_of(text, lines)


def last_of(text: str, lines: int) -> str:
    """The last lines of a text, fit to be shown on a terminal."""
    return "\n".join(visible(line) for line in text.splitlines()[-lines:])


@contextlib.contextmanager
def _folder(workdir: Path, relative: PurePosixPath) -> Iterator[int]:
    """A descriptor of a folder below `workdir`, reached one step at a time."""
    descriptor = os.open(workdir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in relative.parts:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=descriptor)
            inner = os.open(part, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)
